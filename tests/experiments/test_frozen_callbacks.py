"""Frozen evaluation by callbacks, in real runs: probes while training, all analyses in ``vjepa test``, bad input."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import experiments.evaluation.online
import experiments.evaluation.runs
from experiments.callbacks import FrozenProbe
from experiments.callbacks.frozen import EvaluationCallback
from experiments.checkpoints import read_step
from experiments.cli import BAD_INPUT, RESUMABLE, main
from experiments.evaluation.plan import EvaluationPlan
from experiments.evaluation.ranks import ALONE
from experiments.lightning_cli import resolve_run, resolve_settings
from experiments.load import load_data, load_model
from experiments.overlays import BASE, CONFIGS
from experiments.report import read_scalars
from experiments.results import Row, read_clip_values, read_predictions, read_rows
from experiments.runs import Run, open_run, reopen
from vjepa.storage import atomic_write_text

ROOT = Path(__file__).parents[2]
TASKS = ("appearance", "motion", "order")
SIZES = ("--data.init_args.train_clips=48", "--data.init_args.val_clips=16", "--data.init_args.test_clips=16")
# Two micro-batches a step, and validation before and within training: places where no probe belongs.
STEPS = ("--trainer.max_steps=4", "--trainer.accumulate_grad_batches=2", "--trainer.num_sanity_val_steps=2")
ONLINE = ("--probe.every_n_steps=2", "--probe.online_train=24", "--probe.online_val=16")
FEW = ("--probe.num_train=24", "--probe.num_val=16", "--probe.num_test=12")
ALL_ON = (
    *("--probe.enabled=true", "--probe.probes=[linear_time,knn]", *FEW, "--order.enabled=true"),
    *(f"--{name}.enabled=true" for name in ("robustness", "stability", "subspaces")),
    *(f"--{name}.profile=smoke" for name in ("robustness", "stability", "subspaces")),
    "--subspaces.num_splits=5",
)  # fmt: skip


def words(root: Path, *extra: str, steps: tuple[str, ...] = STEPS) -> list[str]:
    """Options of the tiny run of this file."""
    configs = (BASE, CONFIGS / "study" / "glyphs.yaml", CONFIGS / "objective" / "fwm_hw_ld.yaml")
    return [
        *(word for path in configs for word in ("--config", str(path))),
        *("--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.accelerator=cpu"),
        *("--trainer.log_every_n_steps=3", "--trainer.val_check_interval=4", "--data.init_args.batch_size=4"),
        *(*SIZES, *steps, f"--run.root={root}", *extra),
    ]


def random_states() -> list[Any]:
    return [random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()]


class Watch:
    """Hooks of the evaluation callbacks, observed; the evaluation inside them draws from every global generator."""

    def __init__(self) -> None:
        self.hooks: list[tuple[str, bool]] = []
        self.steps: list[int] = []

    def around(self, hook: Callable[..., None]) -> Callable[..., None]:
        def observed(callback: EvaluationCallback, *args: Any) -> None:
            before = random_states()
            hook(callback, *args)
            self.hooks.append((f"{type(callback).__name__}.{hook.__name__}", random_states() == before))

        return observed

    def drawing(self, evaluation: Callable[..., Any]) -> Callable[..., Any]:
        def draw(trainer: Any, *args: Any, **kwargs: Any) -> Any:
            self.steps.append(trainer.global_step)
            random.random(), np.random.rand(), torch.rand(1)
            return evaluation(trainer, *args, **kwargs)

        return draw

    def on(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(EvaluationCallback, "on_test_end", self.around(EvaluationCallback.on_test_end))
        patch.setattr(FrozenProbe, "on_train_batch_end", self.around(FrozenProbe.on_train_batch_end))
        for module, name in (
            (experiments.evaluation.online, "probe_online"),
            (experiments.evaluation.runs, "evaluate_tested"),
        ):
            patch.setattr(module, name, self.drawing(getattr(module, name)))


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cache for all runs of this file."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("VJEPA_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def plain(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run without any evaluation."""
    root = tmp_path_factory.mktemp("plain")
    assert main(["fit", *words(root)]) == 0
    return open_run(resolve_run(words(root)).folder)


@pytest.fixture(scope="module")
def probed(plain: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Watch]:
    """The same run, probed while it trains."""
    root, watch = tmp_path_factory.mktemp("probed"), Watch()
    with pytest.MonkeyPatch.context() as patch:
        watch.on(patch)
        assert main(["fit", *words(root, *ONLINE)]) == 0
    return open_run(resolve_run(words(root)).folder), watch


@pytest.fixture(scope="module")
def tested(probed: tuple[Run, Watch]) -> tuple[Run, Watch]:
    """A finished run after ``vjepa test`` with everything on."""
    run, watch = probed[0], Watch()
    with pytest.MonkeyPatch.context() as patch:
        watch.on(patch)
        assert main(["test", *words(root_of(run), *ALL_ON)]) == 0
    return run, watch


def root_of(run: Run) -> Path:
    return run.folder.parents[3]


def files(root: Path) -> dict[Path, int]:
    """Every file with the time it was written."""
    return {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}


def online_rows(run: Run) -> list[Row]:
    return [row for row in read_rows(run.results) if row.split == "val" and row.weights == "teacher" and row.step]


def reseed(settings: dict[str, Any]) -> None:
    settings["seed_everything"] = settings["model"]["seed"] = 1


def copied(run: Run, folder: Path, change: Callable[[dict[str, Any]], None]) -> Run:
    """A finished run of a changed configuration with the same weights."""
    shutil.copytree(run.checkpoints, folder / "checkpoints")
    settings = yaml.safe_load(run.config.read_text())
    change(settings)
    atomic_write_text(folder / "config.yaml", yaml.safe_dump(settings))
    copy = reopen(folder)
    copy.mark_done(step=4)
    return copy


def test_online_probe_keeps_rows_and_scalars(probed: tuple[Run, Watch]) -> None:
    run, watch = probed
    assert watch.steps == [2, 4]
    rows = [row for row in online_rows(run) if row.probe == "linear_time"]
    rows = [row for row in rows if row.protocol_hash == rows[0].protocol_hash]
    assert [(row.step, row.benchmark) for row in rows] == [(s, f"glyphs/{task}") for s in (2, 4) for task in TASKS]
    assert {(row.metric, row.subspace, row.corruption) for row in rows} == {("top1", "whole", "none")}
    tags = {f"probe/glyphs/{task}/linear_time/top1": f"glyphs/{task}" for task in TASKS}
    scalars = read_scalars(run.folder, list(tags))
    for tag, benchmark in tags.items():
        assert scalars[tag].steps == (2, 4)
        assert scalars[tag].values == pytest.approx([row.value for row in rows if row.benchmark == benchmark])
    assert not (run.folder / "online").exists()


def test_online_probe_changes_nothing_of_the_training(plain: Run, probed: tuple[Run, Watch]) -> None:
    states = [torch.load(run.last_checkpoint, weights_only=True) for run in (plain, probed[0])]
    torch.testing.assert_close(states[0]["state_dict"], states[1]["state_dict"], rtol=0, atol=0)
    torch.testing.assert_close(states[0]["optimizer_states"], states[1]["optimizer_states"], rtol=0, atol=0)
    tags = ["train/loss", "val/objective/prediction", "optimizer/lr"]
    before, after = (read_scalars(run.folder, tags) for run in (plain, probed[0]))
    assert before == after and set(before) == set(tags)


def test_interrupted_run_ends_with_the_same_rows(
    probed: tuple[Run, Watch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the midst of the second probe; the run goes on from before it."""
    arguments = ["fit", *words(tmp_path, *ONLINE, "--checkpoint.every_n_train_steps=1")]
    real = experiments.evaluation.online.probe_online

    def interrupted(trainer: Any, *args: Any) -> dict[str, float]:
        if trainer.global_step == 4:
            raise KeyboardInterrupt
        return real(trainer, *args)

    handler = signal.getsignal(signal.SIGINT)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(experiments.evaluation.online, "probe_online", interrupted)
            assert main(arguments) == RESUMABLE
    finally:
        signal.signal(signal.SIGINT, handler)  # Lightning ignores further signals from here on
    run = resolve_run(arguments[1:])
    assert read_step(run.last_checkpoint) == 3
    assert [row.step for row in online_rows(run)] == [2] * 3
    watch = Watch()
    with monkeypatch.context() as patch:
        watch.on(patch)
        assert main(arguments) == 0
    assert watch.steps == [4]
    protocol = online_rows(run)[0].protocol_hash
    assert online_rows(run) == [row for row in online_rows(probed[0]) if row.protocol_hash == protocol]


def test_task_without_labels_does_not_end_a_training(plain: Run, tmp_path: Path) -> None:
    """As in a mixture with a part that has none."""
    run = copied(plain, tmp_path / "run", lambda settings: None)
    data = load_data(run)
    dataset = data.dataset("train")
    dataset.labels = dataset.labels.clone()
    dataset.labels[:, TASKS.index("order")] = -1
    trainer = SimpleNamespace(datamodule=data, default_root_dir=str(run.folder), global_step=4)
    values = experiments.evaluation.online.probe_online(
        trainer, load_model(run), EvaluationPlan(("linear_mean",), num_train=24, num_val=16), ALONE
    )
    assert set(values) == {f"probe/glyphs/{task}/linear_mean/top1" for task in ("appearance", "motion")}
    assert len(online_rows(run)) == 2


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


@pytest.mark.parametrize("verb", ["probe", "robustness"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("{tmp}/nothing",), "is no run"),
        (("{unfinished}",), "is not finished"),
        (("{run}", "{other}"), "--out"),
        (("{run}", "{run}", "--out={tmp}/out"), "given twice"),
        (("{run}", "{longer}", "--out={tmp}/out"), "clips of one shape"),
        (("{run}", "--benchmark=glyphs:tests=3"), "no option 'tests'"),
        (("{run}", "--benchmark=glyph"), "did you mean 'glyphs'"),
        (("{run}", "--benchmark=glyphs:tests"), "KEY=VALUE"),
        (("{run}", "--probes=linear_tim"), "did you mean 'linear_time'"),
        (("{run}", "--probes="), "at least one probe"),
        (("{run}", "--subspaces=within_level.ap", "--probes=linear_mean"), "did you mean 'within_level.app'"),
        (("{run}", "--num-test=0"), "num_test is 0"),
        (("{run}", "--device=abacus"), "device 'abacus'"),
    ],
)
def test_bad_command_lines(
    verb: str, options: tuple[str, ...], message: str, some_runs: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(some_runs["tmp"])
    assert main([verb, *(option.format(**some_runs) for option in options)]) == BAD_INPUT
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert files(some_runs["tmp"]) == before


@pytest.fixture(scope="module")
def some_runs(plain: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of runs by what is to be said of them."""
    folder = tmp_path_factory.mktemp("runs")
    made = {
        "run": copied(plain, folder / "run", lambda settings: None),
        "other": copied(plain, folder / "other", reseed),
        "longer": copied(
            plain, folder / "longer", lambda settings: settings["data"]["init_args"].update(num_frames=16)
        ),
        "unfinished": copied(plain, folder / "unfinished", lambda settings: None),
    }
    made["unfinished"].done_mark.unlink()
    return {name: run.folder for name, run in made.items()} | {"tmp": folder}


def test_two_runs_side_by_side(some_runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Controls of each seed, pixels once; rows in both runs."""
    folders = [shutil.copytree(some_runs[name], tmp_path / name) for name in ("run", "other")]
    limits = ("--num-train=24", "--num-val=16", "--num-test=12", "--probes=linear_mean", "--device=cpu")
    assert main(["probe", *map(str, folders), f"--out={tmp_path / 'out'}", *limits]) == 0
    assert "results:" in capsys.readouterr().out
    rows = read_rows(tmp_path / "out" / "glyphs" / "results.jsonl")
    found = {(row.variant, row.seed, row.weights) for row in rows}
    assert found == {
        *(("fwm_hw_ld", seed, "teacher") for seed in (0, 1)),
        *(("random_init", seed, "init") for seed in (0, 1)),
        ("fwm_hw_ld", 0, "pixels"),
    }
    for folder, seed in zip(folders, (0, 1), strict=True):
        assert {row.seed for row in read_rows(folder / "results.jsonl")} == {seed}


@pytest.mark.slow
@pytest.mark.ddp
def test_two_processes_probe_as_one(tmp_path: Path) -> None:
    script = tmp_path / "noting.py"
    script.write_text(
        "import json, sys, pathlib\n"
        "from experiments.callbacks import FrozenProbe\n"
        "from experiments.cli import main\n"
        "def note(self, trainer, module):\n"
        "    values = {name: float(v) for name, v in trainer.callback_metrics.items() if name.startswith('probe/')}\n"
        f"    path = pathlib.Path({str(tmp_path)!r}) / f'rank{{trainer.global_rank}}.json'\n"
        "    path.write_text(json.dumps(values))\n"
        "FrozenProbe.on_train_end = note\n"
        "if __name__ == '__main__':\n"
        "    sys.exit(main(sys.argv[1:]))\n"
    )
    devices = (
        "--trainer.devices=2",
        "--trainer.strategy=ddp",
        "--trainer.max_steps=2",
        "--probe.online_probes=[linear_time,knn]",
    )
    options = words(tmp_path / "runs", *ONLINE, *devices)
    run_processes([str(script), "fit", *options])
    first, second = (json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1))
    assert first == second and len(first) == 2 * len(TASKS)
    run = open_run(resolve_run(options).folder)
    rows = online_rows(run)
    assert {f"probe/{row.benchmark}/{row.probe}/top1": row.value for row in rows} == first
    alone = copied(run, tmp_path / "alone", lambda settings: None)
    trainer = SimpleNamespace(datamodule=load_data(alone), default_root_dir=str(alone.folder), global_step=2)
    plan = EvaluationPlan(("linear_time", "knn"), num_train=24, num_val=16)
    values = experiments.evaluation.online.probe_online(trainer, load_model(alone), plan, ALONE)
    assert values == first and online_rows(alone) == rows
    assert not (run.folder / "online").exists()


@pytest.mark.slow
@pytest.mark.ddp
def test_two_processes_test_as_one(tested: tuple[Run, Watch], tmp_path: Path) -> None:
    run = copied(tested[0], tmp_path / "run", lambda settings: None)
    devices = ("--trainer.devices=2", "--trainer.strategy=ddp", f"--ckpt_path={run.last_checkpoint}")
    cache = f"--probe.cache={tmp_path / 'features'}"
    run_processes(["-m", "vjepa", "test", *words(tmp_path, *ALL_ON, *devices, cache)])
    for name in ("results.jsonl", "EVALUATED.json"):
        both = [(one.folder / "evaluation" / "glyphs" / name).read_text() for one in (run, tested[0])]
        assert both[0] == both[1], name


def run_processes(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
