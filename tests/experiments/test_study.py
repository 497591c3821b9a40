"""The whole job at its smallest size: demo, second run, report again."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest

from experiments.cli import main
from experiments.evaluation.evaluate import DONE, PREDICTIONS, RESULTS
from experiments.results import read_predictions, read_rows
from experiments.study import load_study, plan_cells
from experiments.study_evaluation import evaluation_folder

SMALL = ["--steps", "4", "--train-clips", "64", "--test-clips", "96", "--probes", "linear_time,linear_mean"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished demo of four steps."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VJEPA_CACHE", str(folder / "cache"))
        assert main(["demo", "--out", str(folder / "out"), *SMALL]) == 0
    return folder


def test_every_encoder_is_judged_on_every_question(demo: Path) -> None:
    rows = read_rows(demo / "out" / "evaluation" / "seed0" / RESULTS)
    top1 = [row for row in rows if row.metric == "top1" and row.split == "test"]
    clean = {(row.variant, row.weights, row.benchmark, row.probe) for row in top1 if row.corruption == "none"}
    encoders = {("baseline", "pixels"), ("random_init", "init"), ("baseline", "teacher"), ("fwm_hw_ld", "teacher")}
    benchmarks = {"glyphs/appearance", "glyphs/motion", "glyphs/order"}
    probes = {"linear_time", "linear_mean"}
    assert clean == {(*e, b, p) for e in encoders for b in benchmarks for p in probes}
    damaged = {(row.corruption, row.severity) for row in top1 if row.corruption not in ("none", "smoke")}
    assert damaged == {("gaussian_noise", 3), ("frame_freeze", 3), ("h264_crf", 3)}
    assert all(0 <= row.value <= 1 and row.n > 0 and row.git_revision and row.protocol_hash for row in top1)


def test_predictions_are_paired_over_encoders(demo: Path) -> None:
    blocks = read_predictions(demo / "out" / "evaluation" / "seed0" / PREDICTIONS)
    by_question: dict[tuple[str, str, str], set[tuple[str, ...]]] = {}
    for block in blocks:
        by_question.setdefault((block.benchmark, block.probe, block.corruption), set()).add(block.video_ids)
    assert all(len(clips) == 1 for clips in by_question.values())


def test_report_is_one_file_with_plots_and_claims_nothing(demo: Path) -> None:
    html = (demo / "out" / "report.html").read_text()
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    assert len(pictures) >= 2 and all(base64.b64decode(p).startswith(b"\x89PNG") for p in pictures)
    assert not re.search(r'(src|href)="https?:', html)
    markdown = (demo / "out" / "report.md").read_text()
    assert "One pretraining seed" in markdown and "no interval" in markdown
    assert "tensorboard --logdir" in markdown


def test_second_run_reuses_everything(
    demo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VJEPA_CACHE", str(demo / "cache"))
    study = load_study(demo / "out")
    kept = [cell.run.last_checkpoint for cell in plan_cells(study)]
    kept.append(evaluation_folder(study, 0) / RESULTS)
    before = [path.stat().st_mtime_ns for path in kept]
    assert main(["demo", "--out", str(demo / "out"), *SMALL]) == 0
    told = capsys.readouterr().out
    assert told.count("finished before") == 2 and "evaluated before" in told
    assert [path.stat().st_mtime_ns for path in kept] == before


def test_lost_evaluation_is_made_again_and_equal(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VJEPA_CACHE", str(demo / "cache"))
    folder = evaluation_folder(load_study(demo / "out"), 0)
    before = (folder / RESULTS).read_text()
    (folder / DONE).unlink()
    (folder / RESULTS).write_text("half a li")
    assert main(["demo", "--out", str(demo / "out"), *SMALL]) == 0
    assert (folder / RESULTS).read_text() == before


def test_report_can_be_written_again(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VJEPA_CACHE", str(demo / "cache"))
    (demo / "out" / "report.html").unlink()
    assert main(["report", str(demo / "out")]) == 0
    assert (demo / "out" / "report.html").is_file()


@pytest.mark.slow
def test_study_with_two_seeds_in_parallel_has_intervals(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VJEPA_CACHE", str(demo / "cache"))
    study = load_study(demo / "out")
    configs = [word for path in study.configs[1:] for word in ("--config", path)]
    options = ["--variants", "baseline", "--seeds", "0,1", "--jobs", "2", "--corruptions", "none"]
    options += ["--probes", "linear_time", "--out", str(tmp_path / "two"), *configs, *study.extra]
    assert main(["study", *options]) == 0
    markdown = (tmp_path / "two" / "report.md").read_text()
    assert "its random init" in markdown and "n=1" not in markdown
    done = [json.loads(path.read_text()) for path in (tmp_path / "two").rglob("runs/**/DONE.json")]
    assert len(done) == 2 and all(mark["step"] == 4 for mark in done)
    # Pixels are judged once, with the first seed; the second seed alone is judged anew, with them.
    assert "| pixels |" in markdown
    alone = [*options[:3], "1", *options[4:]]
    assert main(["study", *alone]) == 0
    assert "| pixels |" in (tmp_path / "two" / "report.md").read_text()


def test_released_self_target_run_equals_the_random_initialisation(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a teacher the released code evaluates initial weights: the row is told apart from the control."""
    monkeypatch.setenv("VJEPA_CACHE", str(demo / "cache"))
    monkeypatch.setattr("experiments.study._train_in_sight", lambda cell: main(["fit", *cell.options]))
    study = load_study(demo / "out")
    configs = [word for path in study.configs[1:] for word in ("--config", path)]
    options = ["--variants", "kinematic", "--readings", "as_released,as_described", "--seeds", "0"]
    options += ["--corruptions", "none", "--probes", "linear_time", "--out", str(tmp_path / "out"), *configs]
    assert main(["study", *options, *study.extra]) == 0
    rows = read_rows(evaluation_folder(load_study(tmp_path / "out"), 0) / RESULTS)
    top1: dict[tuple[str, str, str, int], dict[str, float]] = {}
    for row in rows:
        if row.metric == "top1" and row.split == "test":
            top1.setdefault((row.variant, row.reading, row.weights, row.step), {})[row.benchmark] = row.value
    control = top1["random_init", "none", "init", 0]
    assert top1["kinematic", "as_released", "init", 4] == control
    assert top1["kinematic", "as_described", "online", 4] != control
    markdown = (tmp_path / "out" / "report.md").read_text()
    compared = "| *kinematic (as\\_released, initial weights) minus its random init* | *motion* |"
    assert f"{compared} *linear (time)* | *+0.0* |" in markdown
    assert "| kinematic, as released (initial weights) | init |" in markdown
    assert "kinematic, as released (initial weights): no number of this row depends on training" in markdown
    assert "| kinematic, as described | online |" in markdown and "| random init | init |" in markdown


@pytest.mark.slow
def test_swept_weights_stand_in_the_report_beside_the_baseline(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VJEPA_CACHE", str(demo / "cache"))
    monkeypatch.setattr("experiments.study._train_in_sight", lambda cell: main(["fit", *cell.options]))
    study = load_study(demo / "out")
    configs = [word for path in study.configs[1:] for word in ("--config", path)]
    options = ["--variants", "baseline,ld", "--set", "ld:objectives.latent_dynamics.weight=0.3,3", "--seeds", "0"]
    options += ["--corruptions", "none", "--probes", "linear_time", "--out", str(tmp_path / "out"), *configs]
    assert main(["study", *options, *study.extra]) == 0
    markdown = (tmp_path / "out" / "report.md").read_text()
    for weight in ("0.3", "3"):
        assert f"| ld latent\\_dynamics.weight={weight} | teacher |" in markdown
        assert f"ld latent\\_dynamics.weight={weight} minus baseline" in markdown
    # The same command finds everything; a report alone repeats the sweep.
    (tmp_path / "out" / "report.md").unlink()
    assert main(["report", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "report.md").read_text() == markdown


def test_failing_cell_is_named_and_the_others_are_kept(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VJEPA_CACHE", str(demo / "cache"))
    study = load_study(demo / "out")
    configs = [word for path in study.configs[1:] for word in ("--config", path)]
    options = ["--variants", "baseline,ld", "--seeds", "0", "--out", str(tmp_path / "out"), *configs, *study.extra]
    # A fault that would be found before any training, were it looked for.
    options += ["--set", "ld:objectives.latent_dynamics.hidden=0"]
    monkeypatch.setattr("experiments.study.check_cells", lambda cells: None)
    assert main(["study", *options]) == 2
    told = capsys.readouterr()
    assert "ld@latent_dynamics.hidden=0 as_described seed 0" in told.err
