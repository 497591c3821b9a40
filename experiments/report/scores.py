"""Result rows, indexed as a report reads them: encoder x task x probe x condition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean, stdev
from typing import TYPE_CHECKING, TypeVar

from experiments.results import RANDOM_INIT, is_random_init
from vjepa.errors import UserError

if TYPE_CHECKING:
    from experiments.results import Row

_Item = TypeVar("_Item")

PRIMARY_PROBE = "linear_time"
_PROBE_ORDER = (PRIMARY_PROBE, "attentive")
_CONTROLS = ("pixels", RANDOM_INIT)
ACCURACY = "top1"
MAJORITY = "majority_rate"
CONSTANT = "constant_predictor"


@dataclass(frozen=True)
class Encoder:
    """A frozen encoder: the weights of a variant, trained by one reading of it, or a control.

    Args:
        variant: of the run; ``pixels`` and ``random_init`` are the controls.
        reading: of the run; empty for a control.
        weights: those that were evaluated.
    """

    variant: str
    reading: str
    weights: str

    @property
    def is_control(self) -> bool:
        """Whether it belongs to no run."""
        return self.variant in _CONTROLS

    @property
    def ignores_training(self) -> bool:
        """Whether it is a run of which the initial weights were evaluated, whatever it trained."""
        return self.weights == "init" and not self.is_control


@dataclass(frozen=True)
class Condition:
    """How the test clips were disturbed; ``none`` means not at all."""

    corruption: str = "none"
    severity: int = 0

    @property
    def title(self) -> str:
        """The condition as a reader sees it."""
        return "clean" if self.corruption == "none" else self.corruption.replace("_", " ")


CLEAN = Condition()


def task_title(benchmark: str) -> str:
    """``glyphs/motion`` -> ``motion``; a benchmark with a single task keeps its name."""
    return benchmark.rpartition("/")[2]


def variant_title(variant: str) -> str:
    """``ld@latent_dynamics.weight=0.3``, the name of a swept variant, as a reader sees it."""
    return variant.replace("@", " ")


@dataclass(frozen=True)
class Score:
    """Accuracy of an encoder on one task, by one probe, under one condition.

    Args:
        per_seed: pretraining seed -> accuracy in [0, 1].
        num_clips: test clips behind each accuracy (the fewest, should seeds differ).
        constant_seeds: seeds whose probe gives (nearly) all clips one class.
        num_excluded: test clips that are missing from ``num_clips`` because their files are broken.
    """

    per_seed: Mapping[int, float]
    num_clips: int
    constant_seeds: tuple[int, ...] = ()
    num_excluded: int = 0

    @property
    def mean(self) -> float:
        """Mean over seeds, in [0, 1]."""
        return fmean(self.per_seed.values())

    @property
    def spread(self) -> float | None:
        """Standard deviation over seeds; None with a single seed."""
        return stdev(self.per_seed.values()) if len(self.per_seed) > 1 else None


@dataclass(frozen=True)
class Scores:
    """All scores of a report, with the order in which encoders, tasks and probes are shown."""

    encoders: tuple[Encoder, ...]
    tasks: tuple[str, ...]
    probes: tuple[str, ...]
    conditions: tuple[Condition, ...]
    cells: Mapping[tuple[Encoder, str, str, Condition], Score]
    floors: Mapping[str, float]
    layouts: Mapping[Encoder, str]

    def get(self, encoder: Encoder, task: str, probe: str, condition: Condition = CLEAN) -> Score | None:
        """The score of a cell, or None where nothing was measured."""
        return self.cells.get((encoder, task, probe, condition))

    @property
    def seeds(self) -> tuple[int, ...]:
        """All pretraining seeds; the pixel baseline has none of its own."""
        trained = [score for (encoder, *_), score in self.cells.items() if encoder.weights != "pixels"]
        return tuple(sorted({seed for score in trained or self.cells.values() for seed in score.per_seed}))

    def num_clips(self, task: str, condition: Condition | None = None) -> tuple[int, ...]:
        """The distinct numbers of clips behind the scores of a task, ascending."""
        found = {s.num_clips for (_, t, _, c), s in self.cells.items() if t == task and condition in (None, c)}
        return tuple(sorted(found))

    def title(self, encoder: Encoder) -> str:
        """The shortest name that no other encoder of the report carries."""
        if encoder.is_control:
            return encoder.variant.replace("_", " ")
        name = variant_title(encoder.variant)
        if any(o.variant == encoder.variant and o.reading != encoder.reading for o in self.encoders):
            name = f"{name}, {encoder.reading.replace('_', ' ')}"
        return f"{name} (initial weights)" if encoder.ignores_training else name

    def missing(self) -> list[str]:
        """Name each cell that has no number, or numbers of fewer seeds than the report has."""
        found: list[str] = []
        for encoder in self.encoders:
            for task in self.tasks:
                for probe in self.probes:
                    score = self.get(encoder, task, probe)
                    wanted = 1 if encoder.weights == "pixels" else len(self.seeds)
                    have = len(score.per_seed) if score else 0
                    if have < wanted:
                        name = f"{self.title(encoder)} ({encoder.weights})"
                        found.append(f"{name}, {task_title(task)}, {probe}: {have} of {wanted} seeds")
        return found


def collect_scores(rows: Iterable[Row], split: str = "test") -> Scores:
    """Index the accuracy rows of one split.

    Args:
        rows: result rows of one data set; other metrics, subspaces and splits are passed over. Where a
            run was evaluated at several steps, its last one counts; an undefined value counts as missing.
        split: the split to report.

    Raises:
        UserError: there is no accuracy row, a cell was measured twice with different results, or a column
            mixes evaluation protocols.
    """
    kept = [row for row in rows if row.split == split and row.subspace == "whole"]
    accuracies = _last_steps([row for row in kept if row.metric == ACCURACY and isfinite(row.value)])
    if not accuracies:
        raise UserError(f"report: no {ACCURACY!r} row of split {split!r} among the results; run the probes first")
    _refuse_mixed_protocols(accuracies)
    values: dict[tuple[Encoder, str, str, Condition], dict[int, Row]] = defaultdict(dict)
    for row in accuracies:
        seeds = values[_key(row)]
        earlier = seeds.setdefault(row.seed, row)
        if earlier.value != row.value:
            raise UserError(
                f"report: {row.variant} ({row.weights}), seed {row.seed}, {row.benchmark}, {row.probe}, "
                f"{_key(row)[3].title} was measured twice: {earlier.value:.4f} and {row.value:.4f}; "
                "keep one of the two runs"
            )
    constant = {(_key(row), row.seed) for row in kept if row.metric == CONSTANT and row.value > 0}
    cells = {
        key: Score(
            per_seed={seed: seeds[seed].value for seed in sorted(seeds)},
            num_clips=min(row.n for row in seeds.values()),
            constant_seeds=tuple(seed for seed in sorted(seeds) if (key, seed) in constant),
            num_excluded=max(row.excluded for row in seeds.values()),
        )
        for key, seeds in values.items()
    }
    return Scores(
        encoders=tuple(sorted(_unique(key[0] for key in cells), key=_encoder_rank)),
        tasks=tuple(_unique(key[1] for key in cells)),
        probes=tuple(sorted(_unique(key[2] for key in cells), key=_probe_rank)),
        conditions=tuple(_unique([CLEAN, *(key[3] for key in cells)])),
        cells=cells,
        floors={row.benchmark: row.value for row in kept if row.metric == MAJORITY and row.corruption == "none"},
        layouts={_key(row)[0]: row.layout for row in accuracies if not _key(row)[0].is_control},
    )


def _key(row: Row) -> tuple[Encoder, str, str, Condition]:
    # A control is the same whichever run happened to measure it.
    if row.weights == "pixels":
        encoder = Encoder("pixels", "", "pixels")
    elif is_random_init(row):
        encoder = Encoder(RANDOM_INIT, "", "init")
    else:
        encoder = Encoder(row.variant, row.reading, row.weights)
    return encoder, row.benchmark, row.probe, Condition(row.corruption, row.severity)


def _last_steps(rows: Sequence[Row]) -> list[Row]:
    last: dict[tuple[Encoder, int], int] = {}
    for row in rows:
        run = (_key(row)[0], row.seed)
        last[run] = max(row.step, last.get(run, row.step))
    return [row for row in rows if row.step == last[_key(row)[0], row.seed]]


def _refuse_mixed_protocols(rows: Sequence[Row]) -> None:
    hashes: dict[tuple[str, str, Condition], set[str]] = defaultdict(set)
    for row in rows:
        hashes[_key(row)[1:]].add(row.protocol_hash)
    for (task, probe, condition), found in hashes.items():
        if len(found) > 1:
            raise UserError(
                f"report: {task}, {probe}, {condition.title} mixes evaluation protocols "
                f"{', '.join(sorted(found))}; a table compares results of one protocol: "
                "evaluate all runs again, or report them apart"
            )


def _unique(items: Iterable[_Item]) -> list[_Item]:
    return list(dict.fromkeys(items))


def _encoder_rank(encoder: Encoder) -> int:
    return _CONTROLS.index(encoder.variant) if encoder.is_control else len(_CONTROLS)


def _probe_rank(probe: str) -> int:
    return _PROBE_ORDER.index(probe) if probe in _PROBE_ORDER else len(_PROBE_ORDER)
