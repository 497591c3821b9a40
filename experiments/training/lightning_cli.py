"""LightningCLI for Video-JEPA: ``fit``, ``validate`` and ``test`` on base + overlay YAML files."""

from __future__ import annotations

import inspect
import shutil
import sys
from argparse import ArgumentError
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger

import data_modules  # noqa: F401  makes short class names known
from data_modules.base import ClipDataModule
from experiments.callbacks import (
    CollapseMonitor,
    CorruptionRobustness,
    FrozenProbe,
    Guard,
    HeldOutCount,
    OrderSensitivity,
    Pictures,
    Preemption,
    RepresentationStability,
    RunRecord,
    SubspaceRobustness,
    ThroughputMonitor,
)
from experiments.callbacks.frozen import evaluations, probe_of
from experiments.checkpoints import check_fits, newest_whole, read_step
from experiments.load import data_name, make_model
from experiments.messages import explain
from experiments.overlays import leaves
from experiments.pretrained import describe, initialize
from experiments.runs import Run, RunOptions, identity, plan_run, reopen
from experiments.training.checkpoint_io import RunCheckpointIO
from experiments.training.config_files import read_files, refuse_bare_sections, refuse_unknown_empty
from experiments.training.lost_process import tell_rank
from vjepa.errors import UserError
from vjepa.module import VideoJEPA
from vjepa.objectives import REGISTRY

SUBCOMMANDS = ("fit", "validate", "test")


class JEPACLI(LightningCLI):
    """The command line of training.

    Args:
        args: command line, or None for ``sys.argv``.

    Raises:
        UserError: the command line or a file is wrong; nothing has been written.
    """

    def __init__(self, args: ArgsType = None) -> None:
        self.record: Run | None = None
        self.finished = False
        strict = {"exit_on_error": False}
        super().__init__(
            VideoJEPA,
            ClipDataModule,
            save_config_callback=None,
            seed_everything_default=0,
            trainer_defaults={"max_epochs": -1, "use_distributed_sampler": False, "num_sanity_val_steps": 0},
            parser_kwargs={**strict, **{name: dict(strict) for name in self.subcommands()}},
            subclass_mode_data=True,
            args=args,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """``fit``, ``validate`` and ``test``."""
        known = LightningCLI.subcommands()
        return {name: known[name] for name in SUBCOMMANDS}

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse; a mistake becomes one message with the nearest valid name."""
        files = read_files(sys.argv[1:] if args is None else args)  # type: ignore[arg-type]
        refuse_bare_sections(files, self._sections(), self._known_keys())
        try:
            self.config = parser.parse_args(args)  # type: ignore[arg-type]
        except ArgumentError as error:
            raise UserError(explain(str(error), self._known_keys())) from error
        refuse_unknown_empty(files, self.config[self.config.subcommand].as_dict(), self._known_keys())
        _check_checkpoint(self.config[self.config.subcommand])

    def _known_keys(self) -> list[str]:
        """Dotted names that a configuration file may hold."""
        keys = [action.dest for action in self._subcommand_parsers["fit"]._actions]
        for name, objective in REGISTRY.items():
            keys.append(f"model.objectives.{name}")
            keys += [f"model.objectives.{name}.{p}" for p in inspect.signature(objective).parameters]
        return keys

    def _sections(self) -> list[str]:
        """Dotted names under which settings stand, and which are no settings themselves."""
        actions = {action.dest: action for action in self._subcommand_parsers["fit"]._actions}
        return [
            name for name, action in actions.items()
            if not hasattr(action, "_typehint") and any(other.startswith(f"{name}.") for other in actions)
        ]  # fmt: skip

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the run's folder and the callbacks that are always on; one seed rules all."""
        parser.add_class_arguments(RunOptions, "run")
        parser.add_lightning_class_args(CollapseMonitor, "collapse")
        parser.add_lightning_class_args(Guard, "guard")
        parser.add_lightning_class_args(ThroughputMonitor, "throughput")
        parser.add_lightning_class_args(Pictures, "pictures")
        parser.add_lightning_class_args(FrozenProbe, "probe")
        parser.add_lightning_class_args(CorruptionRobustness, "robustness")
        parser.add_lightning_class_args(RepresentationStability, "stability")
        parser.add_lightning_class_args(OrderSensitivity, "order")
        parser.add_lightning_class_args(SubspaceRobustness, "subspaces")
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.save_last": True,
                "checkpoint.every_n_train_steps": 500,
                "checkpoint.save_top_k": 0,
                "checkpoint.enable_version_counter": False,
            }
        )
        parser.link_arguments("seed_everything", "model.seed", compute_fn=int)
        parser.link_arguments("seed_everything", "data.init_args.seed", compute_fn=int)
        # Data that depends on neither takes no such argument, and the parser passes over the link.
        parser.link_arguments("model.reading", "data.init_args.reading")
        parser.link_arguments("model.image_mode", "data.init_args.image_mode")

    def before_instantiate_classes(self) -> None:
        """Choose the run's folder from the resolved configuration, and continue there if it was interrupted."""
        self.parser.add_instantiator(make_model, VideoJEPA, subclasses=False)
        config = self.config[self.subcommand]
        settings = self.settings()
        record = self._of_checkpoint(plan_run(settings, data_name(settings), int(config.seed_everything)))
        self.record = record
        config.trainer.default_root_dir = str(record.folder)
        config.checkpoint.dirpath = str(record.checkpoints)
        config.weights_only = True
        if self.subcommand == "fit" and config.run.resume == "auto" and config.ckpt_path is None:
            self.finished = record.is_done
            if not self.finished and (checkpoint := newest_whole(record)):
                config.ckpt_path = str(checkpoint)
        if self.subcommand != "fit" and config.ckpt_path is None:
            if not record.last_checkpoint.exists():
                raise UserError(
                    f"{record.last_checkpoint}: no such checkpoint; train this configuration with vjepa fit, or name "
                    "one with --ckpt_path"
                )
            config.ckpt_path = str(record.last_checkpoint)

    def _of_checkpoint(self, planned: Run) -> Run:
        """The run that a verb other than ``fit`` is about: that of the checkpoint, where one is named.

        The same weights may be tested on other devices than they were trained on, which is another configuration.
        """
        named = self.config[self.subcommand].ckpt_path
        if self.subcommand == "fit" or named is None:
            return planned
        folder = Path(named).absolute().parent.parent
        return reopen(folder) if (folder / planned.config.name).is_file() else planned

    def settings(self) -> dict[str, Any]:
        """The resolved configuration of the subcommand as plain data."""
        self._dump_config()
        return dict(self.config_dump)

    def instantiate_classes(self) -> None:
        """Instantiate; a value that a class refuses, or a torn checkpoint, becomes one message."""
        _check_checkpoint(self.config[self.subcommand])
        try:
            super().instantiate_classes()
        except ValueError as error:
            raise UserError(explain(str(error), [])) from error

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Add the logger and the record of the run."""
        trainer_config = self.config_init[self.subcommand].trainer
        kwargs["callbacks"] = [*(trainer_config.callbacks or []), HeldOutCount()]
        if self.record is not None and trainer_config.logger is None:
            kwargs["logger"] = TensorBoardLogger(str(self.record.folder), name="", version="", default_hp_metric=False)
        if self.record is not None and self.subcommand == "fit":
            self.run_record = RunRecord(self.record, yaml.safe_dump(self.settings(), sort_keys=False))
            kwargs["callbacks"] += [Preemption(self.record.last_checkpoint), self.run_record]
            plugins = trainer_config.plugins or []
            kwargs["plugins"] = [*(plugins if isinstance(plugins, list) else [plugins]), RunCheckpointIO(self.record)]
        trainer = super().instantiate_trainer(**kwargs)
        # What is due after a step, as a probe, is done before a request to stop is answered.
        trainer.callbacks.sort(key=lambda one: isinstance(one, Preemption))  # type: ignore[attr-defined]
        return trainer

    def fit(self, **kwargs: Any) -> None:
        """Train, unless this very run is finished already."""
        assert self.record is not None
        if self.finished:
            print(f"already finished: {self.record.folder} (--run.resume never trains it again)")
            return
        if self.trainer.max_steps < 0:
            raise UserError(
                f"trainer.max_steps {self.trainer.max_steps}: expected a number of optimizer steps, which the "
                "schedules are measured against"
            )
        if self.config[self.subcommand].run.resume == "never" and self.trainer.is_global_zero:
            shutil.rmtree(self.record.checkpoints, ignore_errors=True)
        self._start(self.trainer.fit, kwargs)
        if self.trainer.is_global_zero:
            print(f"run folder: {self.record.folder}")

    def validate(self, **kwargs: Any) -> None:
        """Losses on validation clips."""
        self._start(self.trainer.validate, kwargs)

    def test(self, **kwargs: Any) -> None:
        """Losses on test clips, and the evaluations that are on."""
        self._start(self.trainer.test, kwargs)

    def _start(self, function: Callable[..., Any], arguments: dict[str, Any]) -> None:
        if checkpoint := self.config[self.subcommand].ckpt_path:
            check_fits(Path(checkpoint), self.model)
        try:
            function(**arguments)
        except SystemExit as stop:  # how Lightning ends after Ctrl-C
            if self.trainer.interrupted:
                raise KeyboardInterrupt from stop
            raise
        except RuntimeError as error:
            tell_rank(error, self.trainer)
            raise

    def before_test(self) -> None:
        """Find what would stop an evaluation at its end: a run that is none, other weights, data that is not there."""
        if not evaluations(self.trainer):
            return
        from experiments.evaluation.benchmarks import prepare_benchmarks

        assert self.record is not None
        _check_model(self.record, self.settings())
        if self.trainer.is_global_zero:
            prepare_benchmarks(probe_of(self.trainer).benchmarks, self.datamodule)

    def before_fit(self) -> None:
        """Refuse batches that the masks cannot take; load what the run starts from; say so, and how large a step is."""
        if self.finished:
            return
        batch = int(self.datamodule.batch_size)
        self.model.check_batch(batch, self.datamodule.num_frames)
        checkpoint = self.config[self.subcommand].ckpt_path
        if self.model.init_from is not None and checkpoint is None:
            self.run_record.started_from = initialize(self.model)
        if not self.trainer.is_global_zero:
            return
        devices, accumulation = self.trainer.world_size, self.trainer.accumulate_grad_batches
        if checkpoint:
            print(f"continuing from {checkpoint}")
        elif self.run_record.started_from:
            print(describe(self.run_record.started_from))
        print(f"global batch size {batch * devices * accumulation} = {devices} devices x {batch} x {accumulation}")


def _check_model(run: Run, settings: dict[str, Any]) -> None:
    """Refuse to evaluate a run as what it is not: its result rows would lie."""
    own, asked = (
        dict(leaves(identity({"model": each["model"], "seed_everything": each["seed_everything"]})))
        for each in (run.settings, settings)
    )
    other = sorted(key for key in own.keys() | asked.keys() if own.get(key) != asked.get(key))
    if other:
        raise UserError(
            f"{run.folder} was trained with other settings than these ({', '.join(other)}): evaluate it with --config "
            f"{run.config}"
        )


def _check_checkpoint(config: Namespace) -> None:
    path = config.get("ckpt_path")
    if path is not None and not Path(path).is_file():
        raise UserError(f"ckpt_path {path}: no such file")
    if path is not None:
        read_step(Path(path))
