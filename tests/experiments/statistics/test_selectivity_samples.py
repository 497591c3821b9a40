"""The selectivity index as a mean over clips."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from experiments.statistics.accuracy import condition_weights
from experiments.statistics.selectivity import divisions_of, linearised_index
from experiments.statistics.types import VariantKey
from vjepa.metrics import centred_drift

CONDITIONS = (("gaussian_noise", 1), ("gaussian_noise", 3), ("fog", 3), ("frame_freeze", 3), ("h264_crf", 3))
APP = np.arange(8) < 4


def drifts_of(rng: np.random.Generator, num_clips: int) -> dict[tuple[str, tuple[str, int]], np.ndarray]:
    """Drifts of both halves of Gaussian features; the centre is estimated from these clips."""
    clean = rng.normal(size=(num_clips, 8)) * rng.uniform(0.3, 2, size=(num_clips, 1)) + 1
    found = {}
    for condition in CONDITIONS:
        strength = rng.uniform(0.2, 1.5, size=(num_clips, 1))  # some clips suffer more
        seen = clean + strength * rng.normal(size=clean.shape) * np.where(APP, 0.8, 0.4)
        for half, chosen in (("app", APP), ("dyn", ~APP)):
            pair = [torch.from_numpy(features[:, chosen]) for features in (clean, seen)]
            found[half, condition] = centred_drift(*pair).numpy()
    return found


def index_of(drifts: dict[tuple[str, tuple[str, int]], np.ndarray]) -> float:
    """By the definition: severities are averaged first, the codec has no part."""
    mean = {place: float(values.mean()) for place, values in drifts.items()}
    spatial, temporal = {}, {}
    for half in ("app", "dyn"):
        noise = (mean[half, ("gaussian_noise", 1)] + mean[half, ("gaussian_noise", 3)]) / 2
        spatial[half] = (noise + mean[half, ("fog", 3)]) / 2
        temporal[half] = mean[half, ("frame_freeze", 3)]
    return math.log(temporal["dyn"] * spatial["app"] / (temporal["app"] * spatial["dyn"]))


def test_the_mean_is_the_index() -> None:
    drifts = drifts_of(np.random.default_rng(0), 200)
    found = linearised_index(drifts, CONDITIONS)
    assert found is not None and found.shape == (200,)
    assert found.mean() == pytest.approx(index_of(drifts), abs=1e-12)


def test_the_spread_is_that_of_the_index_over_clips() -> None:
    """Although the centre of the features is estimated anew from each sample of clips."""
    rng = np.random.default_rng(0)
    indices, errors = [], []
    for _ in range(300):
        values = linearised_index(drifts_of(rng, 200), CONDITIONS)
        assert values is not None
        indices.append(values.mean())
        errors.append(values.std(ddof=1) / math.sqrt(200))
    assert np.mean(errors) == pytest.approx(np.std(indices), rel=0.13)


def test_no_index_without_both_groups_or_without_drift() -> None:
    drifts = drifts_of(np.random.default_rng(0), 20)
    assert linearised_index(drifts, [one for one in CONDITIONS if one[0] != "frame_freeze"]) is None
    assert (
        linearised_index({place: v for place, v in drifts.items() if place != ("app", ("fog", 3))}, CONDITIONS) is None
    )
    for value in (0.0, math.nan):
        still = {place: np.full_like(v, value) if place[0] == "app" else v for place, v in drifts.items()}
        assert linearised_index(still, CONDITIONS) is None


def test_severities_are_averaged_before_corruptions() -> None:
    weights = condition_weights(CONDITIONS[:3])
    assert weights == {("gaussian_noise", 1): 0.25, ("gaussian_noise", 3): 0.25, ("fog", 3): 0.5}


def test_the_division_is_that_of_the_reading() -> None:
    assert divisions_of(VariantKey("baseline", "as_described")) == ("within_level",)
    assert divisions_of(VariantKey("fwm", "as_released")) == ("by_level",)
    assert divisions_of(VariantKey("random_init", "none")) == ("within_level", "by_level")
