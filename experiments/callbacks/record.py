"""What a run leaves behind beside its weights: how it was made, and that it is finished."""

from __future__ import annotations

import json
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from experiments.environment import environment_facts
from experiments.results import git_revision
from experiments.runs import Run
from vjepa.storage import atomic_write_text, clear_parts, read_record


class RunRecord(Callback):
    """Write ``config.yaml`` and ``environment.json`` when training starts, ``DONE.json`` when it is complete.

    Args:
        run: folder of the run.
        config: resolved configuration as YAML.

    ``started_from``: weights that the run starts from in place of those of its seed; set before training.
    """

    def __init__(self, run: Run, config: str) -> None:
        self.run, self.config = run, config
        self.started_from: dict[str, Any] | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record how the run is made."""
        if not trainer.is_global_zero:
            return
        self.run.done_mark.unlink(missing_ok=True)
        clear_parts(self.run.folder)
        atomic_write_text(self.run.config, self.config)
        environment = environment_facts() | {
            "config_hash": self.run.config_hash,
            "data_manifest_hash": getattr(trainer.datamodule, "manifest_hash", ""),  # type: ignore[attr-defined]
            "devices": f"{trainer.world_size} x {type(trainer.accelerator).__name__}",
            "precision": str(trainer.precision),
            "global_batch_size": global_batch_size(trainer),
        }
        # A run that goes on started where its first part did.
        if started := self.started_from or (read_record(self.run.environment) or {}).get("started_from"):
            environment["started_from"] = started
        atomic_write_text(self.run.environment, json.dumps(environment, indent=2) + "\n")

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Mark the run finished; the checkpoint is on disk by now."""
        complete = not trainer.interrupted and trainer.global_step >= trainer.max_steps >= 0
        if trainer.is_global_zero and complete and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            self.run.mark_done(step=trainer.global_step, git_revision=git_revision())


def global_batch_size(trainer: Trainer) -> int:
    """Devices x micro-batch x accumulation."""
    micro_batch = int(getattr(trainer.datamodule, "batch_size", 1))  # type: ignore[attr-defined]
    return trainer.world_size * micro_batch * trainer.accumulate_grad_batches
