"""One endpoint of one run, clip by clip, and how runs become the samples of a variant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.results import RANDOM_INIT, RowStamp, is_random_init
from experiments.statistics.types import Endpoint, Samples, VariantKey
from vjepa.errors import UserError

NO_READING = "none"
PIXELS = "pixels"
CONTROLS = (VariantKey(RANDOM_INIT, NO_READING), VariantKey(PIXELS, NO_READING))
"""Encoders that learned nothing."""


@dataclass(frozen=True)
class Measured:
    """One endpoint of one run.

    Args:
        endpoint, key, seed: of what, of whom.
        folder: of the evaluation, for messages.
        clips: C names.
        values: (C,) float64 whose mean is the endpoint.
    """

    endpoint: Endpoint
    key: VariantKey
    seed: int
    folder: Path
    clips: tuple[str, ...]
    values: np.ndarray

    @property
    def label(self) -> str:
        """Name of the run in messages."""
        return f"{spoken(self.key)} seed {self.seed}"


def key_of(stamp: RowStamp) -> VariantKey:
    """Who an encoder is, whatever its seed."""
    if stamp.weights == PIXELS:
        return VariantKey(PIXELS, NO_READING)
    return VariantKey(RANDOM_INIT, NO_READING) if is_random_init(stamp) else VariantKey(stamp.variant, stamp.reading)


def spoken(key: VariantKey) -> str:
    """``ld as_described``, or the name of a control."""
    return key.variant if key.reading == NO_READING else f"{key.variant} {key.reading}"


def collect_samples(measured: Iterable[Measured]) -> tuple[Samples, ...]:
    """Put the runs of each variant together, endpoint by endpoint, in the order in which they come.

    A control that was evaluated beside several variants is taken once for each seed.

    Raises:
        UserError: runs of one endpoint were judged on different clips.
    """
    found: dict[Endpoint, dict[VariantKey, dict[int, Measured]]] = {}
    for one in measured:
        found.setdefault(one.endpoint, {}).setdefault(one.key, {}).setdefault(one.seed, one)
    samples = []
    for endpoint, by_key in found.items():
        _check_clips(endpoint, by_key)
        for key, by_seed in by_key.items():
            runs = [by_seed[seed] for seed in sorted(by_seed)]
            values = np.stack([run.values for run in runs])
            samples.append(Samples(endpoint, key, tuple(sorted(by_seed)), runs[0].clips, values))
    return tuple(samples)


def _check_clips(endpoint: Endpoint, by_key: Mapping[VariantKey, Mapping[int, Measured]]) -> None:
    runs = [run for by_seed in by_key.values() for run in by_seed.values()]
    usual = Counter(run.clips for run in runs).most_common(1)[0][0]
    others = [run for run in runs if run.clips != usual]
    if not others:
        return
    said = [f"{run.label} ({_difference(run.clips, usual)}; {run.folder})" for run in others[:5]]
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    raise UserError(
        f"{endpoint.benchmark}: {', '.join(said)}{more} judged on other clips than the other {len(runs) - len(others)} "
        "runs, but differences are paired by clip. Clips are left out where their files are broken (broken.csv in the "
        "folder of an evaluation): mend the files, or leave them out for all; give every cell the same num_test; "
        "then remove EVALUATED.json from these folders and evaluate them again"
    )


def _difference(clips: tuple[str, ...], usual: tuple[str, ...]) -> str:
    lacking, extra = sorted(set(usual) - set(clips)), sorted(set(clips) - set(usual))
    parts = [
        f"{len(names)} {word}, such as {names[0]}" for word, names in (("missing", lacking), ("extra", extra)) if names
    ]
    return ", ".join(parts) or "the same in another order"
