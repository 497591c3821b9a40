"""The whole frozen evaluation on a data set whose answers are known."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from experiments.encoders import PixelEncoder
from experiments.evaluate import PREDICTIONS, RESULTS, evaluate_encoders
from experiments.results import RowStamp, read_predictions, read_rows
from vjepa.errors import UserError

STAMP = RowStamp("none", "none", "pixels", "as_described", "whole", 0, 0, "pixels", "cafe")


def test_rows_and_predictions_of_two_encoders(fake_data: Any, pixel_encoder: PixelEncoder, tmp_path: Path) -> None:
    encoders = {
        "pixels": (pixel_encoder, STAMP),
        "coarse": (PixelEncoder(patch=16, tubelet=2), dataclasses.replace(STAMP, variant="coarse")),
    }
    said: list[str] = []
    found = evaluate_encoders(
        encoders,
        fake_data,
        ("linear_time", "linear_mean"),
        "smoke",
        num_train=200,
        num_val=100,
        num_test=120,
        out_dir=tmp_path,
        progress=False,
        say=said.append,
    )
    assert read_rows(tmp_path / RESULTS) == list(found.rows)
    assert len(read_predictions(tmp_path / PREDICTIONS)) == 2 * 2 * 3 * 4
    accuracy = {
        (row.variant, row.benchmark, row.probe): row.value
        for row in found.rows
        if row.metric == "top1" and row.split == "test" and row.corruption == "none"
    }
    assert accuracy["pixels", "fake/order", "linear_time"] > 0.9 > 0.7 > accuracy["pixels", "fake/order", "linear_mean"]
    assert accuracy["coarse", "fake/colour", "linear_mean"] > 0.9
    assert {row.n for row in found.rows if row.benchmark == "fake/colour" and row.split == "test"} == {120}
    assert {row.metric for row in found.rows if row.split == "val"} == {"top1"}
    assert {row.metric for row in found.rows if row.corruption == "smoke"} == {"mpc_smoke", "rpc_smoke"}
    assert any("[2/2] coarse" in line for line in said)
    assert any("smoke" in line for line in said)


def test_clean_clips_only_write_nothing_without_a_folder(
    fake_data: Any, pixel_encoder: PixelEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = evaluate_encoders(
        {"pixels": (pixel_encoder, STAMP)},
        fake_data,
        ("linear_mean",),
        None,
        num_train=60,
        num_val=60,
        num_test=40,
        progress=False,
        say=lambda line: None,
    )
    assert {row.corruption for row in found.rows} == {"none"}
    assert list(tmp_path.iterdir()) == []


def test_wrong_names_are_refused_before_any_work(fake_data: Any, pixel_encoder: PixelEncoder) -> None:
    fetched = fake_data.dataset("train").num_fetched
    encoders = {"pixels": (pixel_encoder, STAMP)}
    with pytest.raises(UserError, match=r"unknown probe 'linear'"):
        evaluate_encoders(encoders, fake_data, ("linear",), "smoke")
    with pytest.raises(UserError, match=r"unknown corruption profile 'core2'"):
        evaluate_encoders(encoders, fake_data, ("linear_time",), "core2")
    with pytest.raises(UserError, match=r"nothing to evaluate"):
        evaluate_encoders({}, fake_data)
    assert fake_data.dataset("train").num_fetched == fetched
