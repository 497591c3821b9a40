"""A run and its folder: ``<root>/<data>/<variant>/<reading>/seed<k>-<hash8>/``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml

from vjepa.errors import UserError
from vjepa.storage import atomic_write_text, digest_json

# What may differ between two runs that are the same experiment.
_VOLATILE = {
    "": {
        "ckpt_path", "weights_only", "verbose", "config",
        "probe", "robustness", "stability", "order", "subspaces", "pictures",
    },
    "trainer": {
        "logger", "callbacks", "default_root_dir", "enable_progress_bar", "enable_model_summary", "profiler",
        "enable_checkpointing", "log_every_n_steps", "limit_val_batches", "val_check_interval", "accelerator",
        "num_sanity_val_steps", "check_val_every_n_epoch", "limit_test_batches", "limit_predict_batches",
    },
    "run": {"root", "resume"},
    "data.init_args": {"root", "num_workers", "allow_links", "max_broken_ratio", "timeout"},
    "checkpoint": {"*"},
    "collapse": {"*"},
    "guard": {"*"},
}  # fmt: skip

# Options that came when there were runs already, at the value that makes the experiment those runs were.
_SINCE = {"model": {"rope": "v2_1", "init_allow": []}}


@dataclass(frozen=True)
class RunOptions:
    """Where a run is kept and what it is called.

    Args:
        root: folder of all runs.
        variant: name of the combination of objectives, as in the study; each overlay sets it.
        regime: pretraining data regime; null takes the name of the data set.
        resume: ``auto`` continues an interrupted run of the same configuration and leaves a finished one alone;
            ``never`` starts again.
    """

    root: str = "runs"
    variant: str = "baseline"
    regime: str | None = None
    resume: Literal["auto", "never"] = "auto"

    def __post_init__(self) -> None:
        for name in ("variant", "regime"):
            value = getattr(self, name)
            if value is not None and (not value or "/" in value or value.startswith(".")):
                raise UserError(f"run.{name} {value!r}: expected a plain name, it becomes a folder")


@dataclass(frozen=True)
class Run:
    """Paths of one run.

    Args:
        folder: of the run.
        config_hash: digest of the settings that make it this experiment.
    """

    folder: Path
    config_hash: str

    @property
    def config(self) -> Path:
        """Resolved configuration."""
        return self.folder / "config.yaml"

    @property
    def environment(self) -> Path:
        """Versions, revision and data that made the run."""
        return self.folder / "environment.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints."""
        return self.folder / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        """The newest checkpoint."""
        return self.checkpoints / "last.ckpt"

    @property
    def previous_checkpoint(self) -> Path:
        """The one before the newest."""
        return self.checkpoints / "previous.ckpt"

    @property
    def best_checkpoint(self) -> Path:
        """The one whose probe on validation clips was best, where ``probe.keep_best`` asks for it."""
        return self.checkpoints / "best.ckpt"

    @property
    def results(self) -> Path:
        """Result rows of the run's own evaluation."""
        return self.folder / "results.jsonl"

    @property
    def done_mark(self) -> Path:
        """Written last; a run without it is not finished."""
        return self.folder / "DONE.json"

    @property
    def is_done(self) -> bool:
        """Whether the run finished with this very configuration."""
        try:
            return bool(json.loads(self.done_mark.read_text())["config_hash"] == self.config_hash)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def mark_done(self, **facts: Any) -> None:
        """Write ``DONE.json`` atomically."""
        record = {"config_hash": self.config_hash, **facts}
        atomic_write_text(self.done_mark, json.dumps(record, indent=2) + "\n")

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The resolved configuration as saved.

        Raises:
            UserError: there is none, or it is broken.
        """
        try:
            loaded = yaml.safe_load(self.config.read_text())
        except OSError as error:
            raise UserError(f"{self.folder} is no run: {self.config.name} cannot be read ({error.strerror})") from error
        except yaml.YAMLError as error:
            raise UserError(f"{self.config} is not valid YAML: {error}") from error
        if not isinstance(loaded, dict) or not {"model", "data", "run"} <= loaded.keys():
            raise UserError(f"{self.config}: expected the sections model, data and run; was it written by vjepa fit?")
        return loaded


def config_hash(settings: Mapping[str, Any]) -> str:
    """Digest of a resolved configuration, without what may differ between equal experiments.

    Nulls do not count, nor later options at the value of earlier runs: a new term or slot changes the identity of no
    experiment that leaves it out.
    """
    return digest_json(identity(settings))


def identity(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What of a resolved configuration makes it this experiment."""
    kept: dict[str, Any] = _stable(settings, "")
    return kept


def _stable(value: Any, path: str) -> Any:
    if isinstance(value, list):
        return [_stable(item, f"{path}[]") for item in value]
    if not isinstance(value, Mapping):
        return value
    drop, as_before = _VOLATILE.get(path, set()), _SINCE.get(path, {})
    if "*" in drop:
        return {}
    return {
        key: _stable(item, f"{path}.{key}".lstrip("."))
        for key, item in value.items()
        if key not in drop and item is not None and (key not in as_before or item != as_before[key])
    }


def plan_run(settings: Mapping[str, Any], data_name: str, seed: int) -> Run:
    """Folder of the run that a resolved configuration describes."""
    options = settings["run"]
    hashed = config_hash(settings)
    folder = Path(options["root"]) / data_name / options["variant"] / settings["model"]["reading"]
    return Run(folder / f"seed{seed}-{hashed[:8]}", hashed)


def reopen(folder: Path) -> Run:
    """The run in a folder, finished or not.

    Raises:
        UserError: the folder holds no run.
    """
    return Run(folder, config_hash(Run(folder, "").settings))


def open_run(folder: Path) -> Run:
    """Open a run's folder for evaluation.

    Raises:
        UserError: it holds no run, or the run is not finished.
    """
    run = reopen(folder)
    if not run.is_done:
        raise UserError(f"{folder} is not finished (no valid DONE.json): repeat its vjepa fit command to continue it")
    return run
