"""What our runs show of the comparisons that a claim states; never part of a verdict, which is about the study."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from experiments.claims.statements import Expectation
from experiments.results.files import DONE
from experiments.statistics.types import Analysis, Comparison
from vjepa.errors import UserError

DONE_CELL = "DONE.json"
ANALOGUES: Mapping[str, str] = {
    "imagenet100": "glyphs/appearance",
    "diving48": "glyphs/motion",
    "ssv2": "glyphs/order",
    "synth_motion": "glyphs/motion",
}
"""Task of moving glyphs that asks a similar question; an analogy, not the benchmark."""
DATA_SETS: Mapping[str, str] = {"synth_motion": "synth"}
"""Name of a benchmark's data set in our results, where it is another."""


class Answer(StrEnum):
    """What a run of ours says to a statement."""

    AGREES = "as claimed"
    CONTRADICTS = "against the claim"
    NOT_SIGNIFICANT = "not significant"
    ONE_SEED = "one seed: nothing is claimed"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class OurResult:
    """One comparison of ours beside one of the study's.

    Args:
        expectation: what it would be if the claim were true of our runs.
        comparison: with the same-seed baseline of its reading; None where there is none.
        answer: in a word.
        analogy: it is a task of moving glyphs in place of the benchmark.
    """

    expectation: Expectation
    comparison: Comparison | None
    answer: Answer
    analogy: bool = False


def analyse_folder(folder: Path) -> Analysis:
    """Statistics of the finished cells of an ablation.

    Raises:
        UserError: there is no such folder, or nothing finished in it.
    """
    from experiments.statistics import analyse

    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of an ablation, as vjepa ablation --out wrote it")
    found = finished_evaluations(folder)
    if not found:
        raise UserError(
            f"{folder}: no finished cell with an evaluation (looked for cells/.../{DONE_CELL} and "
            f"runs/.../evaluation/*/{DONE}); run vjepa ablation first, or leave the folder out"
        )
    return analyse(found)


def finished_evaluations(folder: Path) -> list[Path]:
    """Folders ``evaluation/<benchmark>`` of the runs whose cells are done."""
    hashes = {_config_hash(mark)[:8] for mark in folder.glob(f"cells/*/*/*/{DONE_CELL}")}
    marks = folder.glob(f"runs/*/*/*/*/evaluation/*/{DONE}")
    return sorted(mark.parent for mark in marks if mark.parents[2].name.rpartition("-")[2] in hashes)


def _config_hash(mark: Path) -> str:
    try:
        return str(json.loads(mark.read_text())["config_hash"])
    except (OSError, ValueError, KeyError, TypeError):  # a damaged mark vouches for nothing
        return ""


def our_results(expectations: Sequence[Expectation], analysis: Analysis | None) -> tuple[OurResult, ...]:
    """What runs of ours show of each expectation: every reading that has been run, or that none has.

    Args:
        expectations: of one claim.
        analysis: of the runs; None if there are none.
    """
    return tuple(result for item in expectations for result in _results(item, analysis))


def _results(expectation: Expectation, analysis: Analysis | None) -> Iterator[OurResult]:
    found = [] if analysis is None else [item for item in analysis.comparisons if _is_about(item, expectation)]
    for comparison in found:
        analogy = comparison.endpoint.benchmark == ANALOGUES.get(expectation.benchmark)
        yield OurResult(expectation, comparison, _answer(comparison, expectation.direction), analogy)
    if not found:
        yield OurResult(expectation, None, Answer.NOT_RUN)


def _is_about(comparison: Comparison, expectation: Expectation) -> bool:
    endpoint = comparison.endpoint
    if (
        endpoint.name != "accuracy"
        or endpoint.family != "accuracy"
        or comparison.treatment.variant != expectation.variant
    ):
        return False
    data_set = DATA_SETS.get(expectation.benchmark, expectation.benchmark)
    return endpoint.benchmark == ANALOGUES.get(expectation.benchmark) or endpoint.benchmark.split("/")[0] == data_set


def _answer(comparison: Comparison, direction: int) -> Answer:
    if comparison.p_holm is None:
        return Answer.ONE_SEED
    if not comparison.significant:
        return Answer.NOT_SIGNIFICANT
    return Answer.AGREES if comparison.difference.mean * direction > 0 else Answer.CONTRADICTS
