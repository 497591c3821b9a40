"""Rows and predictions of an evaluation that never ran, whose every accuracy is chosen."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.evaluation.conditions import CLEAN, Condition
from experiments.results import RANDOM_INIT, Predictions, Row, RowStamp

RUN = RowStamp("glyphs", "glyphs", "fwm", "as_described", "within_level", 0, 100, "teacher", "cafe")
INIT = dataclasses.replace(RUN, variant=RANDOM_INIT, reading="none", layout="whole", step=0, weights="init")
PIXELS = dataclasses.replace(RUN, step=0, weights="pixels")
NUM_CLIPS = 80
MAJORITY = 0.25
SMOKE: tuple[Condition, ...] = (("gaussian_noise", 3), ("frame_freeze", 3), ("h264_crf", 3))
CORE: tuple[Condition, ...] = tuple((name, severity) for name, _ in SMOKE for severity in (1, 3, 5))
PROVENANCE = {"git_revision": "beef", "versions": "1"}


def row(stamp: RowStamp, metric: str, value: float, condition: Condition = CLEAN, **changes: Any) -> Row:
    place = {"benchmark": "glyphs/motion", "split": "test", "probe": "linear_time", "subspace": "whole"}
    rest = {"n": NUM_CLIPS, "protocol_hash": "0123", **PROVENANCE}
    return Row(
        **vars(stamp), corruption=condition[0], severity=condition[1], metric=metric, value=value,
        **{**place, **rest, **changes},
    )  # fmt: skip


def judged(
    stamp: RowStamp, right: Mapping[Condition, Sequence[bool]], profile: str = "core", **changes: Any
) -> tuple[list[Row], list[Predictions]]:
    """One probe on one encoder, right on these clips under each condition, with the summaries that follow."""
    accuracies = {condition: float(np.mean(clips)) for condition, clips in right.items()}
    rows = [row(stamp, "top1", value, condition, **changes) for condition, value in accuracies.items()]
    rows += [row(stamp, name, value, **changes) for name, value in (("majority_rate", MAJORITY), ("ece", 0.1))]
    rows.append(row(stamp, "constant_predictor", 0.0, **changes))
    means = {}
    for name, _ in SMOKE:
        levels = [value for (corruption, _), value in accuracies.items() if corruption == name]
        means[name] = float(np.mean(levels)) if levels else math.nan
    if not any(math.isnan(value) for value in means.values()):
        mean = float(np.mean(list(means.values())))
        clean = accuracies[CLEAN]
        error = math.sqrt(clean * (1 - clean) / NUM_CLIPS)
        margin = clean - MAJORITY if clean - MAJORITY >= 3 * error else math.nan
        summary = {
            "mpc": mean, "mpc_spatial": means["gaussian_noise"], "mpc_temporal": means["frame_freeze"],
            "mpc_codec": means["h264_crf"], "rpc_corrected": (mean - MAJORITY) / margin,
        }  # fmt: skip
        rows += [row(stamp, f"{name}_{profile}", value, (profile, 0), **changes) for name, value in summary.items()]
    labels = np.zeros(NUM_CLIPS, np.int64)
    blocks = [
        Predictions(
            stamp, changes.get("benchmark", "glyphs/motion"), changes.get("probe", "linear_time"), "whole", *condition,
            np.arange(NUM_CLIPS), tuple(map(str, range(NUM_CLIPS))), labels,
            np.where(clips, 0, 1), np.zeros(NUM_CLIPS, np.float32),
        )
        for condition, clips in right.items()
    ]  # fmt: skip
    return rows, blocks


def first(share: float) -> np.ndarray:
    """Right on the first clips."""
    return np.arange(NUM_CLIPS) < round(share * NUM_CLIPS)


def falling(clean: float, lost: float, conditions: Sequence[Condition] = CORE) -> dict[Condition, np.ndarray]:
    """Right on fewer clips at each severity, by ``lost`` a step."""
    return {CLEAN: first(clean)} | {key: first(clean - lost * key[1]) for key in conditions}


def selectivity(
    stamp: RowStamp, index: float, p: float, layout: str = "within_level", profile: str = "core"
) -> list[Row]:
    """Rows of one designed division and of the random ones beside it."""
    common: dict[str, Any] = {"benchmark": "glyphs", "probe": "none"}
    at = (profile, 0)
    values = {"ssi": index, "ssi_p": p, "ssi_null_mean": 0.0, "ssi_null_p95": 0.1}
    rows = [row(stamp, f"{name}_{profile}", value, at, **common, subspace=layout) for name, value in values.items()]
    for half, group, drift in (
        ("app", "spatial", 0.5), ("app", "temporal", 0.1), ("dyn", "spatial", 0.3), ("dyn", "temporal", 0.4),
    ):  # fmt: skip
        null = f"drift_centred_{group}_null"
        found = {f"centred_drift_{group}": drift, f"{null}_low": drift + 0.01, f"{null}_high": drift + 0.02}
        rows += [
            row(stamp, f"{name}_{profile}", value, at, **common, subspace=f"{layout}.{half}")
            for name, value in found.items()
        ]
    return rows
