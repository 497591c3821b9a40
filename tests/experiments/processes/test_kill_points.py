"""kill -9 at twenty points of a training and its evaluation: what comes out equals what an undisturbed one gives."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from experiments.checkpoints import read_step
from experiments.cli import main
from experiments.overlays import BASE, CONFIGS
from experiments.runs import Run, reopen
from experiments.training.resolve import resolve_run
from vjepa.errors import UserError

STEPS, CHECKPOINT_EVERY, PROBE_EVERY = 60, 5, 10
FIT_POINTS, TEST_POINTS = 12, 8
CLIPS = ("--data.init_args.train_clips=64", "--data.init_args.val_clips=16", "--data.init_args.test_clips=160")
PROBED = (f"--probe.every_n_steps={PROBE_EVERY}", "--probe.online_train=24", "--probe.online_val=16")
FEW = ("--probe.probes=[linear_time,knn]", "--probe.num_train=48", "--probe.num_val=16", "--probe.num_test=160")
ANALYSES = ("robustness", "stability", "subspaces")
ALL_ON = (
    *("--probe.enabled=true", "--order.enabled=true", "--subspaces.num_splits=5", *FEW),
    *(f"--{name}.{option}" for name in ANALYSES for option in ("enabled=true", "profile=smoke")),
)

pytestmark = [pytest.mark.slow]


def words(root: Path) -> list[str]:
    configs = (BASE, CONFIGS / "study" / "glyphs.yaml", CONFIGS / "objective" / "fwm_hw_ld.yaml")
    return [
        *(word for path in configs for word in ("--config", str(path))),
        *("--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.accelerator=cpu"),
        *("--trainer.log_every_n_steps=1", "--trainer.val_check_interval=15", "--data.init_args.batch_size=4"),
        *(f"--run.root={root}", f"--trainer.max_steps={STEPS}", *CLIPS),
        *(f"--checkpoint.every_n_train_steps={CHECKPOINT_EVERY}", "--pictures.enabled=false", *PROBED),
    ]


def begin(verb: str, root: Path) -> BaseProcess:
    """A command in a process of its own, forked so that twenty of them do not import everything twenty times."""
    options = ALL_ON if verb == "test" else ()
    process = multiprocessing.get_context("fork").Process(target=_run, args=([verb, *words(root), *options],))
    process.start()
    return process


def _run(arguments: Sequence[str]) -> None:
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    os._exit(main(arguments))


def finish(verb: str, root: Path) -> None:
    process = begin(verb, root)
    process.join(600)
    assert process.exitcode == 0


def kill_when(condition: Callable[[], bool], delay: float, process: BaseProcess) -> None:
    """kill -9 a while after something holds, unless the process is faster."""
    while not condition() and process.is_alive():
        time.sleep(0.0005)
    time.sleep(delay)
    assert process.is_alive(), "ended before it could be killed: nothing was shown"
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def step_of(run: Run) -> int:
    try:
        return read_step(run.last_checkpoint)
    except UserError:
        return 0


def being_written(path: Path) -> Callable[[], bool]:
    """Whether a file is being written, or has just been: its part is there for milliseconds only."""

    def written() -> int:
        return path.stat().st_mtime_ns if path.exists() else 0

    before = written()
    return lambda: any(path.parent.glob(f".{path.name}.*.part")) or written() != before


def kill_training(root: Path) -> dict[str, int]:
    """Kill a training at points that are drawn; the number of each kind."""
    run, drawn = resolve_run(words(root)), np.random.default_rng(0)
    places = sorted(drawn.integers(0, STEPS - 2 * PROBE_EVERY, FIT_POINTS).tolist())
    kinds: Iterator[str] = cycle(("step", "checkpoint", "probe"))
    count = dict.fromkeys(("step", "checkpoint", "probe"), 0)
    for place in places:
        process, kind = begin("fit", root), next(kinds)
        conditions = {
            "step": run.environment.exists,
            "checkpoint": being_written(run.last_checkpoint),
            "probe": being_written(run.results),
        }
        wait = float(drawn.uniform(0, 0.3)) if kind == "step" else 0.0
        kill_when(lambda place=place, now=conditions[kind]: step_of(run) >= place and now(), wait, process)
        assert not run.done_mark.exists()
        count[kind] += 1
    return count


def kill_evaluation(root: Path) -> None:
    """Kill an evaluation at times that are drawn, with more and more of its files there."""
    run, drawn = resolve_run(words(root)), np.random.default_rng(1)
    found = 0
    for _ in range(TEST_POINTS):
        process = begin("test", root)
        wanted = found + int(drawn.integers(0, 2))
        kill_when(lambda wanted=wanted: len(written(run)) >= wanted, float(drawn.uniform(0, 0.5)), process)
        found = len(written(run))
    assert found > 0


def written(run: Run) -> list[Path]:
    return [path for path in (run.folder / "evaluation").rglob("*") if path.is_file()]


def plain(value: Any, root: Path) -> Any:
    """What a checkpoint holds, comparable between two folders; NaN equals NaN."""
    if isinstance(value, torch.Tensor):
        return ("tensor", str(value.dtype), tuple(value.shape), value.cpu().numpy().tobytes())
    if isinstance(value, Mapping):
        return {str(key): plain(one, root) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one, root) for one in value]
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    return value.replace(str(root), "") if isinstance(value, str) else value


def differences(one: Any, other: Any, place: str = "") -> list[str]:
    """Where two checkpoints differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [found for key in one for found in differences(one[key], other[key], f"{place}/{key}")]
    return [] if one == other else [place]


def every_value(run: Run) -> dict[tuple[str, int], set[float]]:
    """All that was ever logged under a tag and a step, by any process of the run."""
    from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

    found: dict[tuple[str, int], set[float]] = {}
    for file in run.folder.rglob("events.out.tfevents.*"):
        events = EventAccumulator(str(file), size_guidance={SCALARS: 0}).Reload()
        for tag in events.Tags()[SCALARS]:
            if not tag.startswith(("throughput/", "epoch")):
                for event in events.Scalars(tag):
                    found.setdefault((tag, event.step), set()).add(event.value)
    return found


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Folders of an undisturbed run and of one that was killed at every point, both finished and evaluated."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VJEPA_CACHE", str(tmp_path_factory.mktemp("cache")))
        sound, killed = tmp_path_factory.mktemp("sound"), tmp_path_factory.mktemp("killed")
        finish("fit", sound)
        assert kill_training(killed) == {"step": 4, "checkpoint": 4, "probe": 4}
        finish("fit", killed)
        finish("test", sound)
        kill_evaluation(killed)
        finish("test", killed)
        yield sound, killed


def test_checkpoints_are_equal_to_the_last_bit(roots: tuple[Path, Path]) -> None:
    """Weights of encoder, teacher, predictor and heads, moments, schedules, loops, every stateful callback."""
    runs = [resolve_run(words(root)) for root in roots]
    sound, killed = (
        plain(torch.load(run.last_checkpoint, weights_only=True), root) for run, root in zip(runs, roots, strict=True)
    )
    assert {"state_dict", "optimizer_states", "loops", "callbacks", "global_step"} <= sound.keys()
    assert len(sound["callbacks"]) >= 2
    # How far the last validation came is zero in a process that has not validated yet; nothing reads it.
    validation = "/loops/fit_loop/epoch_loop.val_loop.batch_progress/current/"
    assert [place for place in differences(sound, killed) if not place.startswith(validation)] == []
    assert all(step_of(run) == STEPS and reopen(run.folder).is_done for run in runs)
    assert not [part for part in roots[1].rglob("*.part") if part.parent != runs[1].folder]


def test_every_step_has_one_loss(roots: tuple[Path, Path]) -> None:
    """So every step saw the same clips under the same masks, however often it was taken."""
    sound, killed = (every_value(resolve_run(words(root))) for root in roots)
    assert {("train/loss", step) for step in range(STEPS)} <= sound.keys()
    assert sound.keys() == killed.keys()
    assert [key for key in sound if sound[key] != killed[key]] == []


def test_results_are_the_same_rows(roots: tuple[Path, Path]) -> None:
    """Online probes, probes on test clips, robustness; and what each clip was taken for."""
    runs = [resolve_run(words(root)) for root in roots]
    sound, killed = (sorted(run.results.read_text().splitlines()) for run in runs)
    assert len(sound) > 3 * STEPS // PROBE_EVERY and sound == killed
    tables = [sorted(path for path in run.folder.rglob("*.parquet")) for run in runs]
    assert tables[0] and [path.name for path in tables[0]] == [path.name for path in tables[1]]
    for one, other in zip(*tables, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
