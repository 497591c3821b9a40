"""What a notebook or a script needs beside ``vjepa`` and ``data_modules``: the command line's steps as functions."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_modules.base import ClipDataModule
from experiments.evaluation.analyses.base import Report
from experiments.evaluation.analyses.classification import CorruptionRobustness
from experiments.evaluation.evaluate import evaluate
from experiments.evaluation.from_model import init_control, model_subject, pixel_control
from experiments.evaluation.plan import EvaluationPlan
from experiments.evaluation.presentation.summary import summary_text
from experiments.load import instantiate
from experiments.results import RowStamp
from experiments.training.resolve import resolve_settings
from vjepa.module import VideoJEPA

__all__ = ["evaluate_model", "from_yaml", "summary_text"]

NOT_A_RUN = "none"
"""Configuration hash of rows of a model that no configuration file made."""


def from_yaml(*configs: str | Path, options: Sequence[str] = ()) -> tuple[VideoJEPA, ClipDataModule]:
    """Make the model and the data that ``vjepa fit`` would train with, untrained.

    Args:
        configs: YAML files, a base first, then overlays.
        options: further options of ``vjepa fit``, as ``--model.preset=tiny``.

    Raises:
        UserError: a file or an option is wrong.
    """
    words = [word for path in configs for word in ("--config", str(path))]
    settings = resolve_settings([*words, *options])
    return instantiate(settings, "model", "model", hint=""), instantiate(settings, "data", "data", hint="")


def evaluate_model(
    model: VideoJEPA,
    data: ClipDataModule,
    probes: Sequence[str] = ("linear_time",),
    *,
    profile: str | None = None,
    subspaces: Sequence[str] = (),
    controls: bool = True,
    out: str | Path | None = None,
    **limits: Any,
) -> Report:
    """Probe the frozen encoder of a model as ``vjepa probe`` and ``vjepa robustness`` do.

    Args:
        model: trained or not; its reading says which weights are read.
        data: to probe on; prepared and set up here.
        probes: protocols, of ``experiments.probes.PROTOCOLS``.
        profile: of corruptions, as ``core``; None: clean clips alone.
        subspaces: further parts of the latent to probe, as ``within_level.app``.
        controls: judge the encoder before training and raw pixels too.
        out: folder of rows and predictions, read back where they are there; None keeps nothing.
        limits: ``num_train``, ``num_val``, ``num_test``: most clips of each split.

    Returns:
        Its ``rows`` are one number each; ``summary_text(rows)`` is a table of them.

    Raises:
        UserError: an unknown probe, profile or part, or data that is not there.
    """
    data.prepare_data()
    data.setup("test")
    plan = EvaluationPlan(tuple(probes), tuple(subspaces), **limits)
    step = model.trainer.global_step if model._trainer is not None else 0
    weights = model.evaluated_weights
    stamp = RowStamp(
        data.name, data.name, "model", model.reading, model.layout.kind, model.seed, step, weights, NOT_A_RUN
    )
    was_training = model.training
    subjects = [model_subject(model.eval(), stamp, "model")]
    if controls:
        subjects = [pixel_control(model, stamp), init_control(model, stamp), *subjects]
    analyses = [] if profile is None else [CorruptionRobustness(profile, options=plan.options)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(out) if out is not None else Path(scratch)
        report = evaluate(subjects, data, plan, analyses, out_dir=folder, progress=False, say=lambda line: None)
    model.train(was_training)
    return report
