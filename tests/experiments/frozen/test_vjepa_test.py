"""All analyses in ``vjepa test`` of a real run, and its bad input."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import experiments.evaluation.online
import experiments.evaluation.runs
from experiments.cli import BAD_INPUT, RESUMABLE, main
from experiments.results import read_clip_values, read_predictions, read_rows
from experiments.runs import Run
from experiments.training.resolve import resolve_run, resolve_settings
from tests.experiments.frozen.tiny_run import (
    ALL_ON,
    Watch,
    copied,
    files,
    root_of,
    run_processes,
    words,
)


@pytest.mark.parametrize("kind", ["probed", "tested"])
def test_hooks_leave_global_random_states_alone(kind: str, request: pytest.FixtureRequest) -> None:
    _, watch = request.getfixturevalue(kind)
    assert watch.steps and all(unchanged for _, unchanged in watch.hooks), watch.hooks
    hooks = [name for name, _ in watch.hooks]
    if kind == "probed":
        assert hooks == ["FrozenProbe.on_train_batch_end"] * 8
    else:
        assert len(hooks) == len(set(hooks)) == 5


def test_everything_on_writes_rows_of_each(tested: tuple[Run, Watch]) -> None:
    run, watch = tested
    assert len(watch.steps) == 1, "one evaluation for all five"
    folder = run.folder / "evaluation" / "glyphs"
    assert {path.name for path in folder.iterdir()} == {
        "results.jsonl", "predictions.parquet", "clips.parquet", "EVALUATED.json"
    }  # fmt: skip
    rows = read_rows(folder / "results.jsonl")
    test = [row for row in rows if row.split == "test"]
    assert {row.step for row in test if row.weights == "teacher"} == {4}
    assert {row.weights for row in test} == {"teacher", "init", "pixels"}
    one_of_each = {"top1", "mpc_smoke", "temporal_gradient_drift_smoke", "os", "ssi_smoke"}
    assert one_of_each <= {row.metric for row in test}
    assert {row.corruption for row in test if row.metric == "top1"} == {
        *("none", "gaussian_noise", "frame_freeze", "h264_crf", "reverse", "static", "local_shuffle")
    }
    assert {row.probe for row in test if row.subspace == "whole" and row.metric == "top1"} == {"linear_time", "knn"}
    assert {"within_level.app", "by_level.dyn"} <= {row.subspace for row in test}
    assert set(rows) <= set(read_rows(run.results))
    assert len(read_predictions(folder / "predictions.parquet")) and len(read_clip_values(folder / "clips.parquet"))


def test_figures_reach_tensorboard(tested: tuple[Run, Watch]) -> None:
    tags: dict[str, set[str]] = {"images": set(), "scalars": set()}
    for path in tested[0].folder.glob("events.out.tfevents.*"):
        events = EventAccumulator(str(path)).Reload().Tags()
        for kind in tags:
            tags[kind] |= set(events[kind])
    assert tags["images"] and any("mpc_smoke" in tag for tag in tags["scalars"]), tags


def test_second_call_reads_back(tested: tuple[Run, Watch], capsys: pytest.CaptureFixture[str]) -> None:
    folder = tested[0].folder / "evaluation"
    before = files(folder), tested[0].results.read_text()
    assert main(["test", *words(root_of(tested[0]), *ALL_ON)]) == 0
    assert "evaluated before" in capsys.readouterr().out
    assert (files(folder), tested[0].results.read_text()) == before


def test_interrupted_test_says_how_to_go_on(
    plain: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(experiments.evaluation.runs, "evaluate_tested", interrupted)
    handler = signal.getsignal(signal.SIGINT)
    try:
        assert main(["test", *words(root_of(plain), "--order.enabled=true")]) == RESUMABLE
    finally:
        signal.signal(signal.SIGINT, handler)
    assert "the same command continues" in capsys.readouterr().err


def test_on_in_one_file_and_off_in_an_overlay(plain: Run, tmp_path: Path) -> None:
    names = ("probe", "robustness", "stability", "order", "subspaces")
    contents = {
        "on": {name: {"enabled": True} for name in names} | {"robustness": {"enabled": True, "profile": "full"}},
        "smaller": {"robustness": {"profile": "smoke"}, "probe": {"num_test": 7}},
        "off": {name: {"enabled": False} for name in names},
    }
    options = {}
    for name, content in contents.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
        options[name] = ("--config", str(tmp_path / f"{name}.yaml"))
    settings = resolve_settings(words(tmp_path, *options["on"], *options["smaller"]))
    assert settings["robustness"] == {"enabled": True, "profile": "smoke"}
    assert settings["probe"]["enabled"] and settings["probe"]["num_test"] == 7
    assert main(["test", *words(root_of(plain), *options["on"], *options["smaller"], *options["off"])]) == 0
    assert not plain.results.exists() and not (plain.folder / "evaluation").exists()


def test_other_benchmark(plain: Run, tmp_path: Path) -> None:
    run = copied(plain, tmp_path / "run", lambda settings: None)
    synth = {"synth": {"pretrain_clips": 8, "train_clips": 8, "val_clips": 8, "test_clips": 8}}
    options = ("--probe.enabled=true", "--probe.probes=[linear_mean]", f"--probe.benchmarks={json.dumps(synth)}")
    checkpoint = f"--ckpt_path={run.last_checkpoint}"
    # Other devices or batches are another configuration: the checkpoint says which run is tested.
    assert (
        main(
            ["test", *words(tmp_path, *options, checkpoint, "--data.init_args.batch_size=8", "--probe.controls=false")]
        )
        == 0
    )
    rows = read_rows(run.results)
    assert rows and {row.benchmark.split("/")[0] for row in rows} == {"synth"}
    assert {(row.data, row.config_hash, row.step) for row in rows} == {("glyphs", run.config_hash, 4)}
    assert (run.folder / "evaluation" / "synth" / "EVALUATED.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--robustness.profile=smokey",), "did you mean 'smoke'"),
        (("--probe.probes=[linear_tim]",), "did you mean 'linear_time'"),
        (("--probe.online_probes=[linear_tim]",), "did you mean 'linear_time'"),
        (("--probe.subspace_probes=[linear_tim]",), "did you mean 'linear_time'"),
        (('--probe.benchmarks={"glyph": {}}',), "did you mean 'glyphs'"),
        (('--probe.benchmarks={"glyphs": {"tests": 3}}', "--probe.enabled=true"), "no option 'tests'"),
        (("--probe.num_test=0",), "num_test is 0"),
        (("--probe.every_n_steps=-1",), "every_n_steps -1"),
        (("--subspaces.num_splits=0",), "num_splits 0"),
        (("--subspaces.name=app",), "subspaces.name"),
        (("--seed_everything=1", "--order.enabled=true", "--ckpt_path={checkpoint}"), "seed_everything"),
        (("--seed_everything=1",), "no such checkpoint"),
    ],
)
def test_bad_input_writes_nothing(
    options: tuple[str, ...], message: str, plain: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(root_of(plain))
    chosen = [option.replace("{checkpoint}", str(plain.last_checkpoint)) for option in options]
    assert main(["test", *words(root_of(plain), *chosen)]) == BAD_INPUT
    said = capsys.readouterr().err.splitlines()
    errors = [line for line in said if line.startswith("error: ")]
    assert len(errors) == 1 and message in errors[0] and said[-1] == errors[0]
    assert files(root_of(plain)) == before


@pytest.mark.parametrize("verb", ["fit", "test"])
@pytest.mark.parametrize("damage", ["truncated", "foreign", "empty"])
def test_torn_checkpoint_is_named(
    verb: str, damage: str, plain: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "last.ckpt"
    data = plain.last_checkpoint.read_bytes()
    path.write_bytes({"truncated": data[: len(data) // 2], "foreign": b"nonsense", "empty": b""}[damage])
    before = files(tmp_path)
    assert main([verb, *words(tmp_path, f"--ckpt_path={path}")]) == BAD_INPUT
    assert f"error: {path} is no checkpoint" in capsys.readouterr().err
    assert files(tmp_path) == before


def test_fewer_test_batches_are_the_same_run(tmp_path: Path) -> None:
    limited = words(tmp_path, "--trainer.limit_test_batches=1", "--trainer.limit_predict_batches=1")
    assert resolve_run(limited) == resolve_run(words(tmp_path))
    assert resolve_run(words(tmp_path, "--trainer.limit_train_batches=1")) != resolve_run(words(tmp_path))


@pytest.mark.slow
@pytest.mark.ddp
@pytest.mark.parametrize("world", [2, 4])
def test_processes_test_as_one(world: int, tested: tuple[Run, Watch], tmp_path: Path) -> None:
    """The same rows to the last digit, and so the same probes; 13 test clips are no multiple of the processes."""
    run = copied(tested[0], tmp_path / "run", lambda settings: None)
    devices = (f"--trainer.devices={world}", "--trainer.strategy=ddp", f"--ckpt_path={run.last_checkpoint}")
    cache = f"--probe.cache={tmp_path / 'features'}"
    run_processes(["-m", "vjepa", "test", *words(tmp_path, *ALL_ON, *devices, cache)])
    for name in ("results.jsonl", "EVALUATED.json"):
        both = [(one.folder / "evaluation" / "glyphs" / name).read_text() for one in (run, tested[0])]
        assert both[0] == both[1], name
