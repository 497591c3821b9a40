"""Clean and corrupted judgement: the same probes, one corrupted batch for all encoders."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from experiments.encoders import PixelEncoder
from experiments.features import Features, extract
from experiments.probes import FittedProbe, evaluate, fit_probe, protocol
from experiments.results import RowStamp
from experiments.robustness import ProbedEncoder, benchmark_names, evaluate_corruptions, judge, summarise
from vjepa.corruptions import corrupt, profile

STAMP = RowStamp("none", "none", "pixels", "as_described", "whole", 0, 0, "pixels", "cafe")
INDICES = torch.arange(0, 60)


@pytest.fixture(scope="module")
def probes(fake_data: Any, pixel_encoder: PixelEncoder) -> tuple[FittedProbe, ...]:
    train, val = (
        extract(pixel_encoder, fake_data.dataset(split), range(160), dtype=torch.float32, progress=False)
        for split in ("train", "val")
    )
    return tuple(fit_probe(protocol("linear_time"), train, val, column, size) for column, size in ((0, 3), (1, 2)))


def test_streamed_judgement_equals_evaluation_of_features(
    fake_data: Any, pixel_encoder: PixelEncoder, probes: tuple[FittedProbe, ...]
) -> None:
    dataset = fake_data.dataset("test")
    encoders = {"pixels": ProbedEncoder(pixel_encoder, STAMP, probes)}
    found = judge(encoders, dataset, INDICES, data_name="fake", batch_size=7, progress=False)
    features = extract(pixel_encoder, dataset, INDICES, dtype=torch.float32, progress=False)
    for probe, benchmark in zip(probes, ("fake/colour", "fake/order"), strict=True):
        rows = {row.metric: row for row in found.rows if row.benchmark == benchmark}
        expected = evaluate(probe, features)
        assert {name: row.value for name, row in rows.items()} == pytest.approx(expected, abs=1e-6)
        assert {row.n for row in rows.values()} == {len(features.of_task(probe.column))}
        assert {(row.corruption, row.severity, row.split) for row in rows.values()} == {("none", 0, "test")}
        block = next(item for item in found.predictions if item.benchmark == benchmark)
        assert block.correct.mean() == pytest.approx(expected["top1"])
        assert -block.log_probs.mean() == pytest.approx(expected["log_loss"], abs=1e-5)
        assert block.video_ids == tuple(f"test/{position}" for position in block.index)


def test_corrupted_clips_are_those_of_the_protocol(
    fake_data: Any, pixel_encoder: PixelEncoder, probes: tuple[FittedProbe, ...]
) -> None:
    dataset = fake_data.dataset("test")
    encoders = {"pixels": ProbedEncoder(pixel_encoder, STAMP, probes)}
    condition = ("gaussian_noise", 3)
    found = judge(encoders, dataset, INDICES, data_name="fake", condition=condition, progress=False)
    clip = dataset.fetch(INDICES)
    damaged = [corrupt(c, *condition, "fake", f"test/{i}") for i, c in enumerate(clip.frames.numpy())]
    tokens = pixel_encoder(torch.from_numpy(np.stack(damaged)))
    expected = evaluate(probes[0], Features(tokens, clip.labels, clip.index))
    row = next(row for row in found.rows if row.benchmark == "fake/colour" and row.metric == "log_loss")
    assert row.value == pytest.approx(expected["log_loss"], abs=1e-5)
    assert (row.corruption, row.severity) == condition


def test_every_encoder_gets_the_same_corrupted_batch_from_one_read(
    fake_data: Any, pixel_encoder: PixelEncoder, probes: tuple[FittedProbe, ...]
) -> None:
    seen: dict[str, list[Tensor]] = {"a": [], "b": []}

    def spy(label: str) -> Any:
        def encoder(frames: Tensor) -> Tensor:
            seen[label].append(frames)
            return pixel_encoder(frames)

        return encoder

    dataset = fake_data.dataset("test")
    encoders = {label: ProbedEncoder(spy(label), STAMP, probes) for label in seen}
    before = dataset.num_fetched
    judge(encoders, dataset, INDICES, data_name="fake", condition=("frame_freeze", 5), progress=False)
    assert dataset.num_fetched - before == len(INDICES)
    assert all(one is other for one, other in zip(seen["a"], seen["b"], strict=True))
    assert not torch.equal(torch.cat(seen["a"]), dataset.frames[INDICES])


def test_a_profile_gives_rows_for_each_condition_and_a_summary_named_after_it(
    fake_data: Any, pixel_encoder: PixelEncoder, probes: tuple[FittedProbe, ...]
) -> None:
    dataset, smoke = fake_data.dataset("test"), profile("smoke")
    encoders = {"pixels": ProbedEncoder(pixel_encoder, STAMP, probes)}
    state = torch.get_rng_state()
    clean = judge(encoders, dataset, INDICES, data_name="fake", progress=False)
    found = evaluate_corruptions(encoders, dataset, INDICES, smoke, clean.rows, data_name="fake", progress=False)
    assert torch.equal(state, torch.get_rng_state())
    rows = [row for row in found.rows if row.benchmark == "fake/order"]
    accuracies = [row.value for row in rows if row.metric == "top1"]
    assert len(accuracies) == 3
    summary = {row.metric: row for row in rows if row.corruption == "smoke"}
    assert set(summary) == {"mpc_smoke", "rpc_smoke"}
    assert summary["mpc_smoke"].value == pytest.approx(np.mean(accuracies))
    top1 = next(row.value for row in clean.rows if row.benchmark == "fake/order" and row.metric == "top1")
    assert summary["rpc_smoke"].value == pytest.approx(np.mean(accuracies) / top1)
    assert {row.protocol_hash for row in rows}.isdisjoint({row.protocol_hash for row in clean.rows})
    assert len(found.predictions) == 3 * 2


def test_an_incomplete_profile_or_a_constant_predictor_gets_no_ratio(
    fake_data: Any, pixel_encoder: PixelEncoder, probes: tuple[FittedProbe, ...]
) -> None:
    dataset, smoke = fake_data.dataset("test"), profile("smoke")
    encoders = {"pixels": ProbedEncoder(pixel_encoder, STAMP, probes[:1])}
    clean = judge(encoders, dataset, INDICES, data_name="fake", progress=False).rows
    noise = judge(encoders, dataset, INDICES, data_name="fake", condition=smoke.conditions[0], progress=False).rows
    assert summarise([*clean, *noise], smoke) == []
    one = dataclasses.replace(smoke, corruptions=("gaussian_noise",))
    assert [row.metric for row in summarise([*clean, *noise], one)] == ["mpc_smoke", "rpc_smoke"]
    constant = [dataclasses.replace(row, value=1.0) if row.metric == "constant_predictor" else row for row in clean]
    ratio = summarise([*constant, *noise], one)[1]
    assert math.isnan(ratio.value)


def test_one_task_needs_no_suffix() -> None:
    assert benchmark_names("ssv2", ["action"]) == ("ssv2",)
    assert benchmark_names("glyphs", ["motion", "order"]) == ("glyphs/motion", "glyphs/order")
