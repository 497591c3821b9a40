"""What the study published: 35 configurations and 88 results, as data.

``results.csv`` holds one line a result file of the study's released code (arXiv 2605.17165, folder results/), named in
its last column; ``configs.csv`` holds one line a training configuration of that code, as the objective and regime
overlays of this project that say the same. ``random_init.csv`` is not the study's: the study's model, never trained,
put through the study's synthetic protocol.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent
MAIN_PROBES = ("attentive", "linear", "pooled_attentive")
"""The probe of the study's tables, one for each benchmark; the others were tried on one encoder alone."""
BENCHMARKS = ("diving48", "imagenet100", "ssv2", "ucf101", "ucf101_subset", "synth_motion")


@dataclass(frozen=True)
class PublishedConfig:
    """One training configuration of the study.

    Args:
        config: the study's name for it.
        objective, regime: names of the overlays that say the same here.
        seed: pretraining seed.
        processes: GPUs, each with a batch of 8 clips.
    """

    config: str
    objective: str
    regime: str
    seed: int
    processes: int


@dataclass(frozen=True)
class PublishedResult:
    """One number the study published.

    Args:
        config: of the encoder, as in ``PublishedConfig``.
        benchmark: data set of the probe; ucf101_subset is 2,000 and 500 clips of UCF-101.
        probe: what was fitted on the frozen features.
        accuracy_percent: top-1 on the test clips, after the last epoch.
        train_clips, test_clips: clips that the probe was fitted and judged on.
        probe_epochs, probe_lr, probe_weight_decay: of the probe; None where the file does not say.
        pretraining_seed: of the encoder; the probes' seeds were not set.
        source_file: the file of the released code that holds the number.
    """

    config: str
    benchmark: str
    probe: str
    accuracy_percent: float
    train_clips: int
    test_clips: int
    probe_epochs: int | None
    probe_lr: float | None
    probe_weight_decay: float | None
    pretraining_seed: int
    source_file: str


@dataclass(frozen=True)
class RandomInitResult:
    """One number of the study's encoder as it was initialised, by the study's own protocol.

    Args:
        benchmark: as in ``PublishedResult``.
        preset: size of the encoder.
        pretraining_seed: of the initialisation.
        probe_seed: of the probe; the study left it open.
        accuracy_percent: top-1 on the test clips.
        train_clips, test_clips: clips that the probe was fitted and judged on.
    """

    benchmark: str
    preset: str
    pretraining_seed: int
    probe_seed: int
    accuracy_percent: float
    train_clips: int
    test_clips: int


@lru_cache
def configs() -> tuple[PublishedConfig, ...]:
    """The 35 configurations."""
    return tuple(
        PublishedConfig(row["config"], row["objective"], row["regime"], int(row["seed"]), int(row["processes"]))
        for row in _read("configs.csv")
    )


@lru_cache
def results() -> tuple[PublishedResult, ...]:
    """The 88 results."""
    return tuple(
        PublishedResult(
            config=row["config"],
            benchmark=row["benchmark"],
            probe=row["probe"],
            accuracy_percent=float(row["accuracy_percent"]),
            train_clips=int(row["train_clips"]),
            test_clips=int(row["test_clips"]),
            probe_epochs=int(row["probe_epochs"]) if row["probe_epochs"] else None,
            probe_lr=float(row["probe_lr"]) if row["probe_lr"] else None,
            probe_weight_decay=float(row["probe_weight_decay"]) if row["probe_weight_decay"] else None,
            pretraining_seed=int(row["pretraining_seed"]),
            source_file=row["source_file"],
        )
        for row in _read("results.csv")
    )


@lru_cache
def random_init_results() -> tuple[RandomInitResult, ...]:
    """What an encoder scores that was never trained."""
    return tuple(
        RandomInitResult(
            benchmark=row["benchmark"],
            preset=row["preset"],
            pretraining_seed=int(row["pretraining_seed"]),
            probe_seed=int(row["probe_seed"]),
            accuracy_percent=float(row["accuracy_percent"]),
            train_clips=int(row["train_clips"]),
            test_clips=int(row["test_clips"]),
        )
        for row in _read("random_init.csv")
    )


def results_of(config: str) -> tuple[PublishedResult, ...]:
    """Results of one configuration; empty for the four that have none."""
    return tuple(result for result in results() if result.config == config)


def study_variants() -> frozenset[str]:
    """The 28 objectives that the study trained; every other objective overlay is a control of this project."""
    return frozenset(config.objective for config in configs())


def _read(name: str) -> Sequence[dict[str, str]]:
    with open(FOLDER / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
