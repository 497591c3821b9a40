"""Encoders of others through ``vjepa probe`` and ``vjepa robustness``, beside a run and alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.cli import BAD_INPUT, main
from experiments.results import read_predictions, read_rows
from experiments.runs import Run
from tests.experiments.evaluation.external.vjepa2_folder import write_vjepa2
from tests.experiments.frozen.tiny_run import SIZES, copied, files

TIMM = "timm:test_vit:img_size=32"
LIMITS = ("--num-train=24", "--num-val=16", "--num-test=12", "--probes=linear_mean", "--device=cpu")
GLYPHS = "--benchmark=glyphs:" + ",".join(option.rpartition(".")[2] for option in SIZES)


def test_alone_on_a_benchmark_with_controls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "vjepa2-tiny"
    write_vjepa2(folder, seed=3)
    command = ["probe", TIMM, f"hf:{folder}", GLYPHS, f"--out={tmp_path / 'out'}", *LIMITS]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "random init of hf/vjepa2-tiny" in told and "without subspaces and the surprise" in told
    rows = read_rows(tmp_path / "out" / "glyphs" / "results.jsonl")
    assert {(row.variant, row.weights, row.seed, row.reading, row.subspace) for row in rows} == {
        ("pixels", "pixels", 0, "none", "whole"),
        ("timm/test_vit", "init", 0, "none", "whole"),
        ("hf/vjepa2-tiny", "init", 0, "none", "whole"),
        ("hf/vjepa2-tiny", "pretrained", -1, "none", "whole"),
    }
    assert main(command) == 0
    assert "evaluated before" in capsys.readouterr().out, "equal weights, equal evaluation"
    write_vjepa2(folder, seed=4)
    assert main(command) == 0
    again = read_rows(tmp_path / "out" / "glyphs" / "results.jsonl")
    hashes = [{row.config_hash for row in each if row.weights == "pretrained"} for each in (rows, again)]
    assert hashes[0] != hashes[1], "other weights in the same folder"


@pytest.mark.slow
def test_beside_a_run_under_corruption(plain: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = copied(plain, tmp_path / "run", lambda settings: None)
    write_vjepa2(tmp_path / "vjepa2-tiny", seed=3)
    words = (str(run.folder), TIMM, f"hf:{tmp_path / 'vjepa2-tiny'}", f"--out={tmp_path / 'out'}")
    assert main(["robustness", *words, *LIMITS, "--profile=smoke", "--subspaces=within_level.app"]) == 0
    rows = read_rows(tmp_path / "out" / "glyphs" / "results.jsonl")
    asked = {
        variant: {
            (row.benchmark, row.probe, row.corruption, row.severity, row.metric, row.protocol_hash)
            for row in rows
            if row.variant == variant and row.subspace == "whole" and row.weights != "pixels"
        }
        for variant in ("fwm_hw_ld", "timm/test_vit", "hf/vjepa2-tiny")
    }
    assert asked["timm/test_vit"] == asked["hf/vjepa2-tiny"]
    only_ours = {metric for *_, metric, _ in asked["fwm_hw_ld"] - asked["timm/test_vit"]}
    assert "predictor_surprise" in only_ours
    assert all("surprise" in metric for metric in only_ours), "all other answers are comparable"
    assert {row.variant for row in rows if row.subspace == "within_level.app"} == {"fwm_hw_ld", "random_init"}
    blocks = read_predictions(tmp_path / "out" / "glyphs" / "predictions.parquet", {"subspace": ("whole",)})
    questions = {(block.benchmark, block.corruption, block.severity) for block in blocks}
    shown = {(block.stamp, block.benchmark, block.corruption, block.severity): block for block in blocks}
    assert len(questions) > 9 and len(shown) == len(questions) * 6, (
        "run, three controls, timm, hf; each under each condition"
    )
    for one in blocks:
        first = shown[blocks[0].stamp, one.benchmark, one.corruption, one.severity]
        assert np.array_equal(one.index, first.index)
    kept = {row.variant for row in read_rows(run.results)}
    assert not any("/" in variant for variant in kept), "a run keeps its own rows only"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((TIMM,), "name what to show it, --benchmark NAME"),
        ((TIMM, GLYPHS), "--out FOLDER"),
        ((TIMM, TIMM, GLYPHS, "--out={tmp}/out"), "given twice"),
        ((TIMM, GLYPHS, "--out={tmp}/out", "--subspaces=levels"), "looked at as a whole"),
        (("timm:test_vitt", GLYPHS, "--out={tmp}/out"), "did you mean 'test_vit"),
        (("hf:{tmp}/nowhere", GLYPHS, "--out={tmp}/out"), "no config.json there"),
        (("tim:test_vit",), "is no run"),
    ],
)
@pytest.mark.parametrize("verb", ["probe", "robustness"])
def test_bad_command_lines(
    verb: str, options: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, *(option.format(tmp=tmp_path) for option in options)]) == BAD_INPUT
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not files(tmp_path)
