"""What finished evaluations say, read for statistics: only the blocks that an endpoint needs leave the disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.results import ClipValues, Predictions, RowStamp, read_clip_values, read_predictions, read_rows
from experiments.results.files import CLIP_VALUES, DONE, PREDICTIONS, RESULTS
from experiments.results.protocols import check_protocols
from experiments.results.row_groups import Where
from experiments.statistics.measured import CONTROLS, key_of, spoken
from experiments.statistics.types import VariantKey
from vjepa.corruptions import Profile
from vjepa.errors import UserError

WHOLE = "whole"
DIVISIONS = ("within_level", "by_level")
DRIFT = "centred_drift"
Condition = tuple[str, int]


@dataclass(frozen=True)
class Evaluated:
    """What one folder holds.

    Args:
        folder: of the evaluation.
        predictions: of probes on the whole representation, clean and under the profile.
        drifts: centred drift of both halves of both divisions under the profile.
    """

    folder: Path
    predictions: tuple[Predictions, ...]
    drifts: tuple[ClipValues, ...]


def read_evaluations(folders: Sequence[Path], profile: Profile) -> list[Evaluated]:
    """Read folders of finished evaluations.

    Raises:
        UserError: a folder holds no finished evaluation, a variant was trained or evaluated in two ways, or results
            were made by different protocols.
    """
    for folder in folders:
        if not (folder / DONE).is_file():
            raise UserError(f"{folder} holds no finished evaluation ({DONE} is missing): run vjepa test or robustness")
    check_protocols(row for folder in folders for row in read_rows(folder / RESULTS))
    found = [_read(folder, profile) for folder in folders]
    _check_identities(block.stamp for one in found for block in one.predictions)
    return found


def _read(folder: Path, profile: Profile) -> Evaluated:
    conditions = set(profile.label_preserving)
    clean: Where = {"subspace": (WHOLE,), "corruption": ("none",)}
    damaged: Where = {"corruption": {name for name, _ in conditions}, "severity": {level for _, level in conditions}}
    blocks = read_predictions(folder / PREDICTIONS, clean)
    blocks += read_predictions(folder / PREDICTIONS, {**damaged, "subspace": (WHOLE,)})
    drifts: list[ClipValues] = []
    if (folder / CLIP_VALUES).is_file():
        halves = [f"{name}.{half}" for name in DIVISIONS for half in ("app", "dyn")]
        drifts = read_clip_values(folder / CLIP_VALUES, {**damaged, "subspace": halves, "metric": (DRIFT,)})
    wanted = conditions | {("none", 0)}
    return Evaluated(
        folder,
        tuple(block for block in blocks if (block.corruption, block.severity) in wanted),
        tuple(block for block in drifts if (block.corruption, block.severity) in conditions),
    )


def _check_identities(stamps: Iterable[RowStamp]) -> None:
    """A variant, reading and seed name one run and one set of its weights."""
    found: dict[tuple[VariantKey, int], RowStamp] = {}
    for stamp in stamps:
        key = key_of(stamp)
        first = found.setdefault((key, stamp.seed), stamp)
        if key not in CONTROLS and first != stamp:
            ways = " and ".join(
                f"{one.weights} weights after {one.step} steps on {one.regime} (configuration {one.config_hash[:12]})"
                for one in (first, stamp)
            )
            raise UserError(
                f"{spoken(key)} seed {stamp.seed} was evaluated in two ways, {ways}: give statistics the "
                "evaluations of one of them"
            )
