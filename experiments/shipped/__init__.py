"""Trained teachers that ship with the project, so that a newcomer sees what training gives before training anything.

Each is the EMA teacher of configs/study/glyphs.yaml after its 2,500 steps, 16 bits a weight; the header of its file
holds the command, the configuration hash and the revision that made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data_modules.base import ClipDataModule
from experiments.evaluation.analyses.base import Report
from experiments.evaluation.analyses.classification import CorruptionRobustness
from experiments.evaluation.benchmarks import feature_folder
from experiments.evaluation.evaluate import evaluate
from experiments.evaluation.from_model import model_subject
from experiments.evaluation.plan import EvaluationPlan
from experiments.evaluation.subjects import Subject
from experiments.export import open_encoder
from experiments.report.scores import variant_title

FOLDER = Path(__file__).parent
TEACHERS = ("baseline", "fwm_hw_ld")


def shipped_teachers() -> list[Subject]:
    """The teachers as subjects of an evaluation, baseline first."""
    return [_subject(FOLDER / f"{name}.safetensors") for name in TEACHERS]


def evaluate_shipped(data: ClipDataModule, probes: Sequence[str], profile: str, out: Path) -> Report:
    """Judge the teachers as runs are judged.

    Args:
        data: moving glyphs of the size the teachers saw, prepared and set up.
        probes: protocols.
        profile: of corruptions.
        out: folder of the results.
    """
    plan = EvaluationPlan(tuple(probes))
    analyses = [CorruptionRobustness(profile, options=plan.options)]
    return evaluate(shipped_teachers(), data, plan, analyses, out_dir=out, cache_folder=feature_folder())


def _subject(path: Path) -> Subject:
    exported = open_encoder(path)
    stamp = exported.stamp
    return model_subject(exported.model, stamp, f"{variant_title(stamp.variant)}, {stamp.step} steps", stamp.weights)  # type: ignore[arg-type]
