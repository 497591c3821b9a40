"""Probes while a real run trains: they change nothing of it, and go on where it was interrupted."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import experiments.evaluation.online
import experiments.evaluation.runs
from experiments.checkpoints import read_step
from experiments.cli import RESUMABLE, main
from experiments.evaluation.plan import EvaluationPlan
from experiments.evaluation.ranks import ALONE
from experiments.load import load_data, load_model
from experiments.report import read_scalars
from experiments.runs import Run, open_run
from experiments.training.resolve import resolve_run
from tests.experiments.frozen.tiny_run import (
    ONLINE,
    TASKS,
    Watch,
    copied,
    online_rows,
    run_processes,
    words,
)
from vjepa.latents import Clip
from vjepa.module import VideoJEPA


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


def test_the_best_step_of_a_probe_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = ("--probe.keep_best=glyphs/motion/linear_time", "--checkpoint.every_n_train_steps=2")
    arguments = words(tmp_path, *ONLINE, *kept, "--trainer.max_steps=8")
    assert main(["fit", *arguments]) == 0
    run = resolve_run(arguments)
    values = {row.step: row.value for row in online_rows(run) if row.benchmark == "glyphs/motion"}
    best = max(values, key=lambda step: (values[step], -step))
    assert list(values) == [2, 4, 6, 8] and read_step(run.best_checkpoint) == best
    assert read_step(run.last_checkpoint) == 8 and read_step(run.previous_checkpoint) == 6
    state = torch.load(run.last_checkpoint, weights_only=True)["callbacks"]["FrozenProbe"]
    assert state == {"best": values[best]}
    capsys.readouterr()
    assert main(["fit", *words(tmp_path / "other", *ONLINE, "--probe.keep_best=glyphs/motions/linear_time")]) == 2
    assert "did you mean 'glyphs/motion/linear_time'?" in capsys.readouterr().err
    assert not list((tmp_path / "other").rglob("config.yaml"))


def test_a_probe_that_is_due_is_done_before_a_request_to_stop_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = VideoJEPA.training_step

    def asked(model: VideoJEPA, batch: Clip, batch_idx: int) -> torch.Tensor:
        if model.global_step == 1:  # on the way to the second step, after which a probe is due
            os.kill(os.getpid(), signal.SIGUSR1)
        return step(model, batch, batch_idx)

    monkeypatch.setattr(VideoJEPA, "training_step", asked)
    handler = signal.getsignal(signal.SIGINT)
    try:
        assert main(["fit", *words(tmp_path, *ONLINE)]) == RESUMABLE
    finally:
        signal.signal(signal.SIGINT, handler)
    run = resolve_run(words(tmp_path, *ONLINE))
    assert read_step(run.last_checkpoint) == 2 and [row.step for row in online_rows(run)] == [2] * 3


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
