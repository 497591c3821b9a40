"""Benchmarks run at toy size and print what can be parsed; nothing here judges a duration."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.bench.masks import MASKERS
from experiments.bench.objectives import BASE_TERMS, Case, all_cases, choose, make_model
from experiments.bench.operations import FlopCounter, OperatorCounter
from experiments.bench.scaling import work_of
from experiments.bench.stepper import PHASES, Stepper
from experiments.bench.timing import interleaved, summarise, table
from experiments.cli import main
from experiments.overlays import BASE
from vjepa.module import VideoJEPA
from vjepa.objectives import REGISTRY
from vjepa.targets import TargetOptions

CPU = torch.device("cpu")
TOY = ["--device", "cpu", "--preset", "tiny", "--batch", "2", "--frames", "4", "--size", "32", "--patch", "8"]
KEYS = {
    "bench", "case", "reference", "median_ms", "low_ms", "high_ms", "processor_ms", "ratio", "repeats", "settings",
    "figures", "machine",
}  # fmt: skip


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[dict[str, dict[str, Any]], str]:
    """Cases by name, as parsed from JSON lines, and everything else that was printed."""
    assert main(["bench", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    cases = [json.loads(line) for line in lines if line.startswith("{")]
    return {case["case"]: case for case in cases}, "\n".join(line for line in lines if not line.startswith("{"))


def assert_sound(cases: dict[str, dict[str, Any]], repeats: int) -> None:
    for name, case in cases.items():
        assert case.keys() == KEYS
        assert 0 < case["low_ms"] <= case["median_ms"] <= case["high_ms"], name
        assert case["reference"] in cases and case["ratio"] > 0
        assert case["repeats"] == repeats
        assert case["machine"]["torch"] == torch.__version__.split("+")[0] and "cores" in case["machine"]["hardware"]
        assert case["settings"]["threads"] >= 1


def test_masks(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ("--batch", "2", "--grid", "2", "6", "6", "--repeats", "3", "--warmup", "1")
    cases, text = run(capsys, "masks", *sizes)
    assert set(cases) == {*MASKERS, "motion map, area", "motion map, point"}
    assert_sound(cases, 3)
    assert cases["guided"]["settings"] == {"batch": 2, "grid": [2, 6, 6], "masks": 2, "device": "cpu", "threads": 1}
    assert [line.split("  ")[0] for line in text.splitlines() if line][1:] == list(cases)


def test_objectives_cover_every_term(capsys: pytest.CaptureFixture[str]) -> None:
    cases, text = run(capsys, "objectives", *TOY, "--repeats", "1", "--warmup", "0")
    assert set(REGISTRY) - set(BASE_TERMS) | {"baseline", "target self", "masker motion", "fwm_hw_ld"} == set(cases)
    assert_sound(cases, 1)
    assert cases["kinematic"]["reference"] == "target self" and cases["delta"]["reference"] == "baseline"
    assert cases["baseline"]["ratio"] == 1.0
    assert "preset tiny, batch 2, 4 frames of 32 pixels, float32" in text


def test_train_measures_whole_steps(capsys: pytest.CaptureFixture[str]) -> None:
    cases, text = run(capsys, "train", *TOY, "--variants", "baseline,ld", "--repeats", "2", "--threads", "1")
    assert list(cases) == ["baseline", "ld"]
    assert_sound(cases, 2)
    assert cases["ld"]["reference"] == "baseline"
    for case in cases.values():
        found = case["figures"]
        assert found["clips_per_second"] == pytest.approx(2e3 / case["median_ms"], rel=1e-3)
        assert sum(found[f"share_{phase}"] for phase in PHASES) == pytest.approx(1, abs=1e-3)
        work = found["gflop_per_clip"] * found["clips_per_second"]
        assert found["share_of_limit"] == pytest.approx(work / found["limit_gflop_per_second"], rel=0.02, abs=1e-3)
        assert found["first_steps_seconds"] > 0 and "graphs_compiled_later" not in found
    for more in ("gflop_per_clip", "operators_per_step"):
        assert cases["ld"]["figures"][more] > cases["baseline"]["figures"][more] > 0
    assert "GFLOP/clip" in text and "limit: " in text


@pytest.mark.slow
def test_train_tells_how_long_compilation_took_and_that_it_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    torch._dynamo.reset()
    cases, text = run(capsys, "train", *TOY, "--compile", "--repeats", "4", "--warmup", "4", "--threads", "1")
    found = cases["baseline"]["figures"]
    assert found["first_steps_seconds"] > 10 * cases["baseline"]["median_ms"] / 1e3
    assert found["graphs_compiled_later"] == 0 and "operators_per_step" not in found
    assert cases["baseline"]["settings"]["compile"] is True
    assert "compiled later" in text


def test_operators_that_write_are_counted_and_views_are_not() -> None:
    with OperatorCounter() as counter:
        x = torch.ones(4, 6)
        x.view(2, 2, 6)[0].T.add_(1.0)
        x.sum()
    assert counter.count == 3


def test_operations_are_those_of_the_matrix_products() -> None:
    # One block of width 96 on 2 x 2 x 2 tokens, by hand, beside what the counter finds in an encoder of four.
    model = make_model(Case(), options())
    frames = torch.zeros(1, 4, 16, 16, 3, dtype=torch.uint8)
    tokens, width, depth, patch = 8, 96, 4, 2 * 8 * 8 * 3
    products = tokens * (2 * patch * width + depth * 2 * 12 * width**2)
    attention = depth * 4 * tokens**2 * width
    with FlopCounter() as counter, torch.no_grad():
        model.encoder.levels(model.pixels(frames))
    assert counter.get_total_flops() == products + attention


def test_loader_and_training_tell_who_waits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VJEPA_CACHE", str(tmp_path / "cache"))
    small = tmp_path / "small.yaml"
    small.write_text("data:\n  init_args: {train_clips: 12, val_clips: 4, test_clips: 4, size: 16, num_frames: 4}\n")
    words = ["--config", str(BASE), "--config", str(small), "--batch", "4", "--threads", "1", "--device", "cpu"]
    cases, text = run(capsys, "loader+train", *words, "--batches", "4", "--warmup", "1")
    assert list(cases) == ["loader", "train", "loader+train"]
    assert_sound(cases, 4)
    waiting = {name: case["figures"]["share_waiting_for_loader"] for name, case in cases.items()}
    assert waiting["train"] < 0.01 < waiting["loader"] and waiting["loader"] > 0.9
    assert cases["train"]["settings"]["data"] == "glyphs" and cases["train"]["settings"]["batch"] == 4
    assert "is the slower side" in text


def test_scaling_follows_its_formula(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--preset", "tiny", "--frames", "4", "--size", "32", "--patch", "8", "--batch", "8"]
    cases, text = run(capsys, "scaling", *sizes, "--clips-per-second", "100", "--node", "2", "--between", "0.001")
    assert len(cases) == 7 + 4  # strong scaling ends at one clip a GPU
    work = work_of("tiny", 4, 32, 8)
    one = cases["weak, 1 GPUs"]
    assert one["median_ms"] == pytest.approx(80) and one["figures"]["efficiency"] == pytest.approx(1)
    assert cases["weak, 2 GPUs"]["median_ms"] == pytest.approx(80 + 0.03, rel=1e-4)  # all but the messages is hidden
    exchange = 2 * 7 / 8 * work.gradient_bytes / 1e6  # seconds at 0.001 GB/s
    assert cases["weak, 8 GPUs"]["median_ms"] == pytest.approx(80 + 1e3 * exchange - 40 + 0.21, rel=1e-4)
    assert cases["strong, 8 GPUs"]["figures"]["clips_per_gpu"] == 1
    assert work.gradient_bytes == 4 * sum(
        p.numel() for p in make_model(Case(), options()).parameters() if p.requires_grad
    )
    assert "simulated from 100 clips/s" in text


def test_scaling_counts_what_a_real_step_does() -> None:
    model = VideoJEPA(preset="tiny", patch_size=8)
    frames = torch.zeros(2, 4, 32, 32, 3, dtype=torch.uint8)
    with FlopCounter() as counter:
        for step in range(16):
            model.loss(model.latents(frames, step=step)).total.backward()
    # Attention without values is counted as plain products, of which its backward pass on a CPU makes one more.
    assert work_of("tiny", 4, 32, 8).flop_per_clip == pytest.approx(counter.get_total_flops() / 32, rel=0.01)


def test_extraction(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VJEPA_CACHE", str(tmp_path))
    sizes = ["--device", "cpu", "--frames", "4", "--size", "16", "--patch", "4", "--clips", "4", "--batch", "2"]
    cases, text = run(capsys, "extraction", *sizes, "--repeats", "2", "--warmup", "0")
    assert list(cases) == ["encoder alone", "read, encode, keep"]
    assert_sound(cases, 2)
    assert re.search(r"share of the plain forward speed: [\d.]+", text)


def test_robustness_shares(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VJEPA_CACHE", str(tmp_path))
    sizes = ["--device", "cpu", "--frames", "4", "--size", "16", "--patch", "4", "--clips", "4", "--chunk", "2"]
    cases, text = run(capsys, "robustness", *sizes, "--profile", "smoke", "--repeats", "2", "--warmup", "0")
    assert list(cases) == ["decode", "decode, damage videos", "damage clips", "encoder", "all, read ahead"]
    assert_sound(cases, 2)
    assert "tiny on glyphs, 4 frames of 16 pixels, profile smoke: 4 conditions x 4 clips, cpu" in text
    shares = {
        words[0]: int(words[3].rstrip("%"))
        for words in map(str.split, text.splitlines())
        if words[-1:] and "%" in words[-1]
    }
    assert list(shares) == ["decode", "corruption", "encoder"] and 98 <= sum(shares.values()) <= 102
    assert re.search(r"together: [\d.]+ ms a chunk, [\d.]+ clips/s, [\d.]+ s in all", text)
    assert "waits for" in text


def test_defaults_suit_the_device_and_are_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    sizes = ["--frames", "4", "--size", "32", "--only", "delta", "--repeats", "1", "--warmup", "0"]
    cases, text = run(capsys, "objectives", *sizes)
    assert list(cases) == ["baseline", "delta"]
    assert "cpu (no CUDA here): preset small, batch 2, 4 frames of 32 pixels, float32" in text
    assert main(["bench", "objectives", "--device", "cuda"]) == 2
    assert "there is no CUDA here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["objectives", *TOY, "--only", "deltas"], "did you mean 'delta'?"),
        (["objectives", *TOY, "--repeats", "0"], "--repeats 0"),
        (["objectives", *TOY, "--batch", "0"], "--batch 0"),
        (["train", *TOY, "--variants", "fmw"], "did you mean 'fwm'?"),
        (["train", *TOY, "--variants", ","], "--variants: expected at least one"),
        (["loader+train", "--batches", "0"], "--batches 0"),
        (["loader+train", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (["masks", "--batch", "0"], "--batch 0"),
        (["masks", "--repeats", "0"], "--repeats 0"),
        (["robustness", "--clips", "0"], "--clips 0"),
        (["robustness", "--profile", "cor"], "did you mean 'core'?"),
        (["robustness", "--run", "nowhere"], "nowhere is no run"),
    ],
)
def test_bad_input_is_named(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_chosen_case_brings_what_it_is_compared_with() -> None:
    assert list(choose(all_cases(), "kinematic")) == ["baseline", "target self", "kinematic"]


def test_rounds_are_interleaved_and_start_with_another_case_each() -> None:
    calls: list[tuple[str, int]] = []
    cases = {name: lambda number, name=name: calls.append((name, number)) for name in "abc"}
    durations = interleaved(cases, repeats=2, warmup=1, device=CPU)
    assert calls == [(name, number) for number, order in enumerate(("abc", "bca", "cab")) for name in order]
    assert [len(rounds) for rounds in durations.values()] == [2, 2, 2]


def test_ratio_is_the_median_over_rounds() -> None:
    durations = {"slow": [(0.002, 0.001), (0.006, 0.001), (0.009, 0.001)], "base": [(0.001, 0), (0.002, 0), (0.009, 0)]}
    slow, base = summarise("toy", durations, {"slow": "base", "base": "base"}, {})
    assert (slow.median_ms, slow.low_ms, slow.high_ms) == pytest.approx((6.0, 4.0, 7.5))
    assert slow.ratio == 2.0 and base.ratio == 1.0
    assert slow.processor_ms == pytest.approx(1.0)
    assert "+100.0 %" in table([slow, base])


def options() -> Any:
    return type("Options", (), {"preset": "tiny", "patch": 8})()


@pytest.mark.parametrize("kind", ["ema", "self"])
def test_a_step_trains_what_is_shared_and_what_is_not(kind: Any) -> None:
    frames = torch.randint(0, 256, (2, 4, 32, 32, 3), dtype=torch.uint8)
    baseline = Stepper(make_model(Case(), options()), frames, "float32")
    case = Case((REGISTRY["latent_dynamics"](),), {"target": TargetOptions(kind)})
    stepper = Stepper(make_model(case, options()), frames, "float32", baseline)
    assert stepper.model.encoder is baseline.model.encoder
    assert stepper.model.target.teacher is (baseline.model.target.teacher if kind == "ema" else None)
    watched = {
        "encoder": stepper.model.encoder.blocks[0].attn.qkv.weight,
        "predictor": stepper.model.predictor.predictor_proj.weight,
        "head": stepper.model.objectives["latent_dynamics"].dynamics_head[0].weight,
    }
    if stepper.model.target.teacher is not None:
        watched["teacher"] = stepper.model.target.teacher.blocks[0].attn.qkv.weight
    for own in (baseline, stepper):
        before = {name: weight.detach().clone() for name, weight in watched.items()}
        own(0)
        moved = {name for name, weight in watched.items() if not torch.equal(weight, before[name])}
        assert moved == set(watched) - ({"head"} if own is baseline else set())
    assert all(parameter.grad is None for parameter in stepper.model.parameters())
