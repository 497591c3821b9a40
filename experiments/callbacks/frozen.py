"""Frozen evaluation as callbacks: probes while a run trains, robustness where it is tested.

Each is on or off by its key in a configuration file. Those that are on share one pass over the test clips, in which
every clip is decoded once, whatever is asked of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from data_modules.base import ClipDataModule
from data_modules.named import find_class
from experiments.evaluation.analyses.base import Analysis
from experiments.evaluation.analyses.classification import CorruptionRobustness as CorruptionAnalysis
from experiments.evaluation.analyses.order import OrderSensitivity as OrderAnalysis
from experiments.evaluation.analyses.rows import benchmark_names
from experiments.evaluation.analyses.stability import RepresentationStability as StabilityAnalysis
from experiments.evaluation.analyses.subspaces import SubspaceRobustness as SubspaceAnalysis
from experiments.evaluation.plan import EvaluationPlan
from experiments.evaluation.quiet_rng import preserved_rng
from experiments.evaluation.ranks import Ranks
from experiments.runs import reopen
from vjepa.corruptions import PROFILES
from vjepa.errors import UserError, unknown_name
from vjepa.module import VideoJEPA

SUBSPACES = ("levels", "within_level.app", "within_level.dyn", "by_level.app", "by_level.dyn")
"""Views that are probed beside the whole where subspaces are asked for."""


def ranks_of(trainer: Trainer) -> Ranks:
    """The processes of a trainer."""
    return Ranks(trainer.global_rank, trainer.world_size, trainer.strategy.barrier)


class EvaluationCallback(Callback):
    """One analysis of the test clips when ``vjepa test`` ends.

    The first of these callbacks that is on starts the evaluation for all that are on. Sanity checks and validation
    start nothing, and the global random states are left as they were.

    Args:
        enabled: whether it is on.
    """

    def __init__(self, enabled: bool = False) -> None:
        self.enabled = enabled

    def analysis(self, plan: EvaluationPlan) -> Analysis | None:
        """What is asked; None for probes alone."""
        return None

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Evaluate, if this is the callback that starts it."""
        on = evaluations(trainer)
        if on and on[0] is self and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            _evaluate(trainer, pl_module, on, probe_of(trainer))


class ProfileCallback(EvaluationCallback):
    """An analysis under the corruptions of a profile.

    Args:
        enabled: whether it is on.
        profile: smoke, core, full, images, mini_ssv2_c, ssv2_p or imagenet_c.

    Raises:
        UserError: the profile is unknown.
    """

    def __init__(self, enabled: bool = False, profile: str = "core") -> None:
        super().__init__(enabled)
        if profile not in PROFILES:
            raise unknown_name("corruption profile", profile, PROFILES)
        self.profile = profile


class CorruptionRobustness(ProfileCallback):
    """Accuracy of clean-fitted probes on damaged test clips: mPC, rPC, flips and the rest of ``rob-v1``."""

    def analysis(self, plan: EvaluationPlan) -> Analysis:
        """Accuracy under corruption."""
        return CorruptionAnalysis(self.profile, options=plan.options)


class RepresentationStability(ProfileCallback):
    """How far corruptions move the representation, without labels.

    Args:
        enabled: whether it is on.
        profile: as in ``CorruptionRobustness``.
        surprise: ask the predictor too, which more than doubles the time under corruptions.

    Raises:
        UserError: the profile is unknown.
    """

    def __init__(self, enabled: bool = False, profile: str = "core", surprise: bool = True) -> None:
        super().__init__(enabled, profile)
        self.surprise = surprise

    def analysis(self, plan: EvaluationPlan) -> Analysis:
        """Label-free stability."""
        return StabilityAnalysis(self.profile, surprise=self.surprise, options=plan.options)


class OrderSensitivity(EvaluationCallback):
    """What probes lose when the order of frames is changed; kept out of every mean over corruptions.

    Args:
        enabled: whether it is on.
    """

    def analysis(self, plan: EvaluationPlan) -> Analysis:
        """Order probes."""
        return OrderAnalysis(plan.options)


class SubspaceRobustness(ProfileCallback):
    """Robustness of z_app and z_dyn beside their null controls: selectivity, dissociation, swaps.

    Args:
        enabled: whether it is on.
        profile: as in ``CorruptionRobustness``.
        num_splits: random divisions behind the p-value of the selectivity index, >= 1.

    Raises:
        UserError: the profile is unknown, or there is no division to compare with.
    """

    def __init__(self, enabled: bool = False, profile: str = "core", num_splits: int = 100) -> None:
        super().__init__(enabled, profile)
        if num_splits < 1:
            raise UserError(f"subspaces.num_splits {num_splits}: expected 1 or more")
        self.num_splits = num_splits

    def analysis(self, plan: EvaluationPlan) -> Analysis:
        """Subspaces under corruption."""
        return SubspaceAnalysis(self.profile, self.num_splits, options=plan.options)


class FrozenProbe(EvaluationCallback):
    """Probes on frozen features: on validation clips every n steps of training, and on test clips in ``vjepa test``.

    While training, features of fixed subsets of train and validation clips go through the weights that evaluation
    reads; processes share the clips and fit the same probe. Logs ``probe/<benchmark>/<probe>/top1`` and appends rows of
    split ``val`` to the run's results. Nothing of it reaches the model.

    Args:
        enabled: probe in ``vjepa test`` even where no other evaluation is on.
        every_n_steps: optimizer steps between probes of a training run; 0 probes never.
        keep_best: probe of a training run, as ``glyphs/motion/linear_time``, whose best step on validation clips is
            kept as ``checkpoints/best.ckpt`` beside the last one; null keeps the last one alone.
        online_probes: protocols of those.
        online_train, online_val: clips that they are fitted on and judged by.
        probes, subspace_probes: protocols of the test, on the whole representation and on subspaces.
        num_train, num_val, num_test: most clips of the test; null takes all.
        controls: judge the random initialisation and raw pixels beside the run.
        benchmarks: options of each benchmark by name, for example ``{ssv2: {}}``; null is the data of the run.
        cache: folder of cached features; null is a folder of the cache of this machine.

    Raises:
        UserError: an unknown protocol or benchmark, or a number that is too small.
    """

    def __init__(
        self,
        enabled: bool = False,
        every_n_steps: int = 0,
        keep_best: str | None = None,
        online_probes: tuple[str, ...] = ("linear_time",),
        online_train: int = 2048,
        online_val: int = 1024,
        probes: tuple[str, ...] = ("linear_time", "attentive"),
        subspace_probes: tuple[str, ...] = ("linear_time",),
        num_train: int | None = None,
        num_val: int | None = None,
        num_test: int | None = None,
        controls: bool = True,
        benchmarks: dict[str, dict[str, Any]] | None = None,
        cache: str | None = None,
    ) -> None:
        super().__init__(enabled)
        if every_n_steps < 0:
            raise UserError(f"probe.every_n_steps {every_n_steps}: expected 0 (never) or more")
        if keep_best and not every_n_steps:
            raise UserError("probe.keep_best needs probes while the run trains: set probe.every_n_steps")
        self.every_n_steps, self.keep_best, self._best = every_n_steps, keep_best, -1.0
        self.online = EvaluationPlan(online_probes, num_train=online_train, num_val=online_val)
        self.plan = EvaluationPlan(
            probes, subspace_probes=subspace_probes, num_train=num_train, num_val=num_val, num_test=num_test
        )
        for name in benchmarks or {}:
            find_class(name)
        self.controls, self.benchmarks, self.cache = controls, benchmarks, cache
        self._last_step = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a best probe that will not be fitted, before anything is trained."""
        if stage != "fit" or self.keep_best is None:
            return
        data: ClipDataModule = trainer.datamodule  # type: ignore[attr-defined]
        tasks = benchmark_names(data.name, [task.name for task in data.tasks])
        known = [f"{task}/{probe}" for task in tasks for probe in self.online.probes]
        if self.keep_best not in known:
            raise unknown_name("probe.keep_best", self.keep_best, known)

    def state_dict(self) -> dict[str, Any]:
        """The best value so far."""
        return {"best": self._best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the best value of before."""
        self._best = state_dict["best"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note where training starts or goes on; whatever was due there was done before."""
        self._last_step = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Probe after every n-th optimizer step."""
        step = trainer.global_step
        # Micro-batches of one step share its number: only the last of them moves it.
        ends_step, self._last_step = step != self._last_step, step
        if not (self.every_n_steps and ends_step and step % self.every_n_steps == 0):
            return
        assert isinstance(pl_module, VideoJEPA)
        from experiments.evaluation.online import probe_online

        with preserved_rng():
            values = probe_online(trainer, pl_module, self.online, ranks_of(trainer))
        # What the module logs reaches the event files at the logging steps of the trainer only, which are others.
        pl_module.log_dict(values, logger=False)
        for logger in trainer.loggers:
            logger.log_metrics(values, step=step)
        self._keep_if_best(trainer, values)

    def _keep_if_best(self, trainer: Trainer, values: dict[str, float]) -> None:
        if self.keep_best and (value := values.get(f"probe/{self.keep_best}/top1", -1.0)) > self._best:
            self._best = value
            trainer.save_checkpoint(reopen(Path(trainer.default_root_dir)).best_checkpoint)


def evaluations(trainer: Trainer) -> list[EvaluationCallback]:
    """The evaluations of a trainer that are on."""
    return [one for one in trainer.callbacks if isinstance(one, EvaluationCallback) and one.enabled]  # type: ignore[attr-defined]


def probe_of(trainer: Trainer) -> FrozenProbe:
    """Options of the probes of a trainer, whether or not they are on by themselves."""
    return next((one for one in trainer.callbacks if isinstance(one, FrozenProbe)), FrozenProbe())  # type: ignore[attr-defined]


def _evaluate(
    trainer: Trainer, pl_module: LightningModule, on: Sequence[EvaluationCallback], probe: FrozenProbe
) -> None:
    from experiments.evaluation.runs import evaluate_tested

    asks_subspaces = any(isinstance(one, SubspaceRobustness) for one in on)
    plan = replace(probe.plan, subspaces=SUBSPACES if asks_subspaces else ())
    assert isinstance(pl_module, VideoJEPA)
    with preserved_rng():
        evaluate_tested(
            trainer,
            pl_module,
            plan,
            [analysis for one in on if (analysis := one.analysis(plan)) is not None],
            probe.benchmarks,
            controls=probe.controls,
            cache=probe.cache,
            ranks=ranks_of(trainer),
        )
