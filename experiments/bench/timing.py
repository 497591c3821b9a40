"""Timing: warm-up, interleaved repeats, medians and ratios of medians."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import torch

from experiments.environment import describe_machine, package_versions
from vjepa.errors import UserError


@dataclass(frozen=True)
class Measurement:
    """Duration of one case.

    Args:
        bench: name of the benchmark.
        case: what was timed.
        reference: the case that ``ratio`` is against, measured in the same run.
        median_ms, low_ms, high_ms: median and quartiles over the repeats, in milliseconds of the clock.
        processor_ms: median of the processor time of all threads, which other jobs of the machine disturb less.
        ratio: median over the repeats of this case's duration over the reference's, from the same round; of the clock,
            unless the settings say otherwise.
        repeats: timed rounds; warm-up rounds are not among them.
        settings: sizes, device and the like.
        figures: what else the benchmark measures.
    """

    bench: str
    case: str
    reference: str
    median_ms: float
    low_ms: float
    high_ms: float
    processor_ms: float
    ratio: float
    repeats: int
    settings: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, float | str] = field(default_factory=dict)

    def json_line(self, machine: Mapping[str, Any]) -> str:
        """One line with every number and what it was measured on."""
        numbers = {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(self).items()}
        return json.dumps({**numbers, "machine": dict(machine)})


def machine() -> dict[str, Any]:
    """What a duration depends on beside the code."""
    return {"hardware": describe_machine(), "torch": package_versions()["torch"]}


def interleaved(
    cases: Mapping[str, Callable[[int], Any]], repeats: int, warmup: int, device: torch.device
) -> dict[str, list[tuple[float, float]]]:
    """Time every case in every round. Cases take turns, so that a slow spell of the machine meets all of them.

    Args:
        cases: called with the number of the round, so that all cases of a round can do the same work.
        repeats: timed rounds, >= 1.
        warmup: rounds before those, >= 0.
        device: whose queue is waited for.

    Returns:
        For each case and round, seconds of the clock and of the processor.

    Raises:
        UserError: a count out of range.
    """
    if repeats < 1 or warmup < 0:
        raise UserError(f"--repeats {repeats}, --warmup {warmup}: expected at least 1 repeat and 0 rounds of warm-up")
    durations: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    names = list(cases)
    with _no_garbage_collection():
        for number in range(warmup + repeats):
            start = number % len(names)  # nobody is always the first of a round
            for name in names[start:] + names[:start]:
                synchronize(device)
                began, processor_began = time.perf_counter(), time.process_time()
                cases[name](number)
                synchronize(device)
                if number >= warmup:
                    durations[name].append((time.perf_counter() - began, time.process_time() - processor_began))
            gc.collect()
    return durations


def summarise(
    bench: str,
    durations: Mapping[str, Sequence[tuple[float, float]]],
    references: Mapping[str, str],
    settings: dict[str, Any],
    ratio_of: Literal["clock", "processor"] = "clock",
) -> Iterator[Measurement]:
    """A measurement of every case, in order."""
    column = ("clock", "processor").index(ratio_of)
    for case, rounds in durations.items():
        both = 1e3 * np.array(rounds)
        clock, processor = both.T
        low, median, high = np.percentile(clock, (25, 50, 75)).tolist()
        ratio = float(np.median(both[:, column] / (1e3 * np.array(durations[references[case]])[:, column])))
        yield Measurement(
            bench, case, references[case], median, low, high, float(np.median(processor)), ratio, len(rounds), settings
        )


def table(measured: Sequence[Measurement]) -> str:
    """The measurements for reading."""
    header = ("case", "median ms", "quartiles", "processor ms", "against", "change")
    rows = [
        (
            m.case,
            f"{m.median_ms:.2f}",
            f"{m.low_ms:.2f}-{m.high_ms:.2f}",
            f"{m.processor_ms:.2f}",
            m.reference if m.reference != m.case else "-",
            f"{100 * (m.ratio - 1):+.1f} %" if m.reference != m.case else "",
        )
        for m in measured
    ]
    return columns(header, rows, left=(0, 4))


def columns(header: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Texts in columns, those of ``left`` flush with it; starts with an empty line."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = []
    for row in (header, *rows):
        cells = (text.ljust(w) if i in left else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths)))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(["", *lines])


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def synchronize(device: torch.device) -> None:
    """Wait for what has been queued on a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
