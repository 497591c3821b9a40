"""Memory of a step, counted from shapes, against what a real step keeps."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from experiments.bench.memory import STEPS, step_bytes
from experiments.bench.operations import StorageCounter
from experiments.bench.train import variant_model
from experiments.cli import main
from vjepa.nn import linear

SIZES: dict[str, Any] = {"preset": "tiny", "batch": 4, "frames": 8, "size": 64, "patch": 8, "compile": False}


def options(**changes: Any) -> argparse.Namespace:
    return argparse.Namespace(**{**SIZES, "precision": "float32", "reading": "as_described", **changes})


def test_storages_count_once_and_until_they_die() -> None:
    counter = StorageCounter("cpu")
    with counter:
        one = torch.empty(10, 10)
        view, other = one[2:].T, torch.empty(5)
        assert counter.live == 420
        del one, other
        assert counter.live == 400 and view.shape == (10, 8)
        del view
    assert counter.live == 0 and counter.peak == 420


@pytest.mark.parametrize("variant", ["baseline", "hw_ld", "sigreg"])
def test_the_count_is_that_of_a_real_step(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "_ONEDNN", False)  # a GPU's affine maps are torch's own
    model = variant_model(variant, options()).train()
    frames = torch.zeros(4, 8, 64, 64, 3, dtype=torch.uint8)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    kept, peak = step_bytes(variant, options())
    assert kept == frames.nbytes + sum(4 * p.numel() for p in model.parameters()) + sum(8 * p.numel() for p in trained)
    counter = StorageCounter("cpu")
    counter.add([*model.parameters(), frames])
    between = counter.live
    with counter:
        for step in range(STEPS):
            model.loss(model.latents(frames, step=step))
    assert peak - kept == pytest.approx(counter.peak - between, rel=0.03)


def test_activations_grow_with_the_batch_and_bf16_keeps_fewer() -> None:
    cases = (options(batch=8), options(batch=16), options(batch=16, precision="bf16"))
    one, two, short = (peak - kept for kept, peak in (step_bytes("baseline", case) for case in cases))
    assert one < two < 2.1 * one  # a larger batch trims its masks more
    assert 0.5 < short / two < 0.9


def test_nothing_is_left_changed() -> None:
    attention = F.scaled_dot_product_attention
    step_bytes("motion_guided", options(precision="bf16"))
    assert F.scaled_dot_product_attention is attention and not torch.is_autocast_enabled("cuda")
    model = variant_model("baseline", options())
    assert model.loss(model.latents(torch.zeros(2, 8, 64, 64, 3, dtype=torch.uint8), step=0)).total.isfinite()


def test_the_command_prints_every_variant(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--preset", "tiny", "--batch", "2", "--frames", "4", "--size", "32", "--patch", "8"]
    assert main(["bench", "memory", *words, "--variants", "baseline,ld"]) == 0
    lines = capsys.readouterr().out.splitlines()
    baseline, ld = (json.loads(line) for line in lines if line.startswith("{"))
    assert ld["case"] == "ld" and ld["reference"] == "baseline" and ld["ratio"] > 1 == baseline["ratio"]
    assert ld["figures"]["memory_gib"] > ld["figures"]["kept_gib"] > 0 and ld["settings"]["counted"]
    assert lines[-1].startswith("counted, not measured")


@pytest.mark.parametrize(("words", "message"), [(["--batch", "0"], "--batch 0"), (["--variants", "fmw"], "'fwm'?")])
def test_bad_input_is_named(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "memory", *words]) == 2
    assert message in capsys.readouterr().err
