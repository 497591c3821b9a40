"""Pictures of real runs: read back from the event files, drawn by one process, and unseen by the training."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import IMAGES, EventAccumulator, ImageEvent

import experiments.callbacks.pictures as pictures
from data_modules.decode.frames import BrokenVideo
from experiments.boards.charts import chart_layout
from experiments.callbacks import Pictures
from experiments.cli import BAD_INPUT, main
from experiments.overlays import BASE, CONFIGS
from experiments.report import read_scalars
from experiments.runs import Run, open_run
from experiments.training.resolve import resolve_run
from vjepa.errors import UserError

ROOT = Path(__file__).parents[3]
OFF = ("--pictures.enabled=false",)
OFTEN = ("--pictures.every_n_steps=2", "--pictures.num_clips=3")
KINDS = ("features", "masks", "motion")
NAMES = [*(f"pictures/{kind}/clip_{clip}" for kind in KINDS for clip in range(3)), "pictures/similarity"]


def words(root: Path, *extra: str) -> list[str]:
    """Options of a tiny run whose masks follow motion and whose latent is divided; two micro-batches a step."""
    configs = (BASE, CONFIGS / "study" / "glyphs.yaml", CONFIGS / "objective" / "motion_guided.yaml")
    return [
        *(word for path in configs for word in ("--config", str(path))),
        *("--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.accelerator=cpu"),
        *("--trainer.log_every_n_steps=1", "--trainer.val_check_interval=5", "--trainer.num_sanity_val_steps=2"),
        *("--trainer.max_steps=5", "--trainer.accumulate_grad_batches=2", "--data.init_args.batch_size=4"),
        *("--data.init_args.train_clips=48", "--data.init_args.val_clips=16", "--data.init_args.test_clips=16"),
        *("--model.layout=factorized", f"--run.root={root}", *extra),
    ]


def fitted_run(root: Path, *extra: str) -> Run:
    assert main(["fit", *words(root, *extra)]) == 0
    return open_run(resolve_run(words(root, *extra)).folder)


def images(run: Run) -> dict[str, list[ImageEvent]]:
    found: dict[str, list[ImageEvent]] = {}
    for path in sorted(run.folder.glob("events.out.tfevents.*")):
        events = EventAccumulator(str(path), size_guidance={IMAGES: 0}).Reload()
        for tag in events.Tags()["images"]:
            found.setdefault(tag, []).extend(events.Images(tag))
    return found


def random_states() -> list[Any]:
    return [random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cache for all runs of this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VJEPA_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run without pictures."""
    return fitted_run(tmp_path_factory.mktemp("plain"), *OFF)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[bool]]:
    """The same run with pictures while it trains, by code that draws from every generator; were they kept?"""
    kept, real, log = [], pictures.picture_summaries, Pictures._log

    def drawing(*args: Any) -> Any:
        random.random(), np.random.rand(), torch.rand(1)
        return real(*args)

    def watched(*args: Any) -> None:
        before = random_states()
        log(*args)
        kept.append(random_states() == before)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "picture_summaries", drawing)
        patch.setattr(Pictures, "_log", watched)
        return fitted_run(tmp_path_factory.mktemp("drawn"), *OFTEN), kept


def test_drawn_every_n_steps_and_at_the_end(drawn: tuple[Run, list[bool]]) -> None:
    found = images(drawn[0])
    assert sorted(found) == NAMES
    assert all([event.step for event in events] == [2, 4, 5] for events in found.values())


def test_event_files_hold_animations_and_pictures(drawn: tuple[Run, list[bool]]) -> None:
    for tag, events in images(drawn[0]).items():
        sizes = {(event.width, event.height) for event in events}
        for event in events:
            image = Image.open(BytesIO(event.encoded_image_string))
            assert image.size == (event.width, event.height)
            # Eight frames; the pictures have four time steps of the clip and of whole, z_app and z_dyn.
            moves = "masks" in tag or "motion" in tag
            assert (image.format, getattr(image, "n_frames", 1)) == (("GIF", 8) if moves else ("PNG", 1))
        # The clip, two masks and the motion map; 32 pixels become 160, and 96 in the smaller panels.
        expected = {
            "masks": (10 + 4 * 170, 247),
            "motion": (10 + 2 * 170, 215),
            "features": (124 + 4 * 102, 6 + 4 * 102),
        }
        assert sizes == {expected[kind] for kind in KINDS if kind in tag} or tag == "pictures/similarity"


def test_clips_are_of_validation_and_the_same_at_every_step(drawn: tuple[Run, list[bool]]) -> None:
    for tag, events in images(drawn[0]).items():
        if "features" in tag:
            rows = [np.asarray(Image.open(BytesIO(event.encoded_image_string)))[:102] for event in events]
            assert all((row == rows[0]).all() for row in rows)


def test_training_does_not_notice(plain: Run, drawn: tuple[Run, list[bool]]) -> None:
    run, kept = drawn
    assert kept and all(kept)
    assert images(plain) == {}
    assert run.config_hash == plain.config_hash and run.folder.name == plain.folder.name
    states = [torch.load(one.last_checkpoint, weights_only=True) for one in (plain, run)]
    for key in ("state_dict", "optimizer_states"):
        torch.testing.assert_close(states[0][key], states[1][key], rtol=0, atol=0)
    tags = ["train/loss", "val/objective/prediction", "collapse/rankme", "gradients/encoder"]
    before, after = (read_scalars(one.folder, tags) for one in (plain, run))
    assert before == after and set(before) == set(tags)


def test_charts_of_terms_and_collapse_are_of_scalars_that_a_run_logs(plain: Run) -> None:
    (path,) = plain.folder.glob("events.out.tfevents.*")
    logged = EventAccumulator(str(path)).Reload().Tags()["scalars"]
    layout = chart_layout(["prediction", "context"], [])
    assert set(layout) == {"terms", "collapse"}
    for page in layout.values():
        for title, (_, patterns) in page.items():
            assert any(re.match(pattern, tag) for pattern in patterns for tag in logged), title


def test_default_is_the_end_of_training_with_two_clips() -> None:
    callback = Pictures()
    assert (callback.enabled, callback.every_n_steps, callback.num_clips) == (True, 0, 2)


@pytest.mark.parametrize("changes", [{"is_global_zero": False}, {"loggers": []}], ids=["another rank", "no logger"])
def test_nothing_is_drawn_by_others(changes: dict[str, Any], tmp_path: Path) -> None:
    logger = pictures.TensorBoardLogger(str(tmp_path))
    trainer = SimpleNamespace(**{"is_global_zero": True, "loggers": [logger], "global_step": 5, **changes})
    Pictures().on_train_end(trainer, None)
    assert not list(tmp_path.rglob("events*"))


class Torn:
    """A data set in which some clips cannot be read."""

    def __init__(self, num_clips: int, whole: set[int]) -> None:
        self.num_clips, self.whole = num_clips, whole

    def __len__(self) -> int:
        return self.num_clips

    def read(self, indices: torch.Tensor) -> torch.Tensor:
        (index,) = indices.tolist()
        if index not in self.whole:
            raise BrokenVideo(f"{index}.mp4", "cut short")
        return torch.full((1, 2, 4, 4, 3), index, dtype=torch.uint8)


@pytest.mark.parametrize(("whole", "expected"), [({1, 4, 5}, [1, 4]), ({5}, [5]), (set(), [])])
def test_broken_clips_are_passed_over(whole: set[int], expected: list[int]) -> None:
    frames = pictures.some_clips(Torn(6, whole), 2)  # type: ignore[arg-type]
    assert [int(clip.flatten()[0]) for clip in frames] == expected


@pytest.mark.parametrize(
    ("option", "message"), [("every_n_steps=-1", "every_n_steps -1"), ("num_clips=0", "num_clips 0")]
)
def test_bad_numbers(option: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, _, value = option.partition("=")
    with pytest.raises(UserError, match=message):
        Pictures(**{name: int(value)})
    assert main(["fit", *words(tmp_path, f"--pictures.{option}")]) == BAD_INPUT
    assert message in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.ddp
def test_one_of_two_processes_draws(tmp_path: Path) -> None:
    options = words(tmp_path, *OFTEN, "--trainer.devices=2", "--trainer.strategy=ddp")
    done = subprocess.run(
        [sys.executable, "-m", "vjepa", "fit", *options],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = images(open_run(resolve_run(options).folder))
    assert sorted(found) == NAMES and all([event.step for event in events] == [2, 4, 5] for events in found.values())
