"""List files as a data module: mixtures, splits, and the same batches for any number of workers and processes."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import jsonargparse
import pytest
import torch
import yaml

from data_modules import ListSource, VideoListDataModule
from data_modules.base import ClipDataModule
from data_modules.mixing.mixture_order import MixtureStepSampler
from data_modules.mixing.order import StepSampler, WeightedStepSampler
from experiments.overlays import BASE, CONFIGS
from experiments.training.resolve import resolve_settings
from tests.data_modules.damaged import read_broken
from tests.data_modules.encoded import moving_frames, write_video
from vjepa.errors import UserError
from vjepa.latents import Clip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sources: 20 MP4 videos, 10 WebM videos, 8 images, with lists; tests do not change them."""
    root = tmp_path_factory.mktemp("root")
    lines: dict[str, list[str]] = {}
    for name, count, suffix in (("ucf", 20, "mp4"), ("ssv2", 10, "webm"), ("images", 8, "jpg")):
        (root / name).mkdir()
        for number in range(count):
            path = root / name / f"{number}.{suffix}"
            if suffix == "jpg":
                cv2.imwrite(str(path), moving_frames(1, 40, 60, seed=number)[0])
            else:
                codec = "libx264" if suffix == "mp4" else "libvpx-vp9"
                write_video(path, moving_frames(20 + number, 48, 64, seed=number), codec, rate=12 + number)
            lines.setdefault(name, []).append(f"{name}/{path.name} {number % 2}\n")
    for name, entries in lines.items():
        (root / f"{name}.csv").write_text("".join(entries))
    (root / "ucf_test.csv").write_text("ssv2/0.webm 1\nssv2/1.webm 0\nssv2/2.webm 1\n")
    return root


MIXTURE = [ListSource("ucf.csv", 0.2), ListSource("ssv2.csv", 0.6), ListSource("images.csv", 0.2)]


def make(root: Path, lists: list[ListSource] | None = None, **options: Any) -> VideoListDataModule:
    defaults = {"batch_size": 4, "num_workers": 0, "num_frames": 4, "size": 16, "frame_step": 2, "val_ratio": 0.2}
    return VideoListDataModule(lists or [ListSource("ucf.csv")], root=str(root), **defaults | options)


def batches(data: VideoListDataModule, count: int) -> list[Clip]:
    return list(islice(data.train_dataloader(), count))


def test_one_list_is_read_in_a_new_order_each_epoch(root: Path) -> None:
    data = make(root)
    data.setup("fit")
    train, val = data.dataset("train"), data.dataset("val")
    assert len(train) == 16 and len(val) == 4
    assert sorted(val.labels[:, 0].tolist()) == [0, 0, 1, 1]
    assert not set(train.video_ids) & set(val.video_ids)
    assert [task.name for task in data.tasks] == ["label"] and data.tasks[0].classes == ("0", "1")
    seen = batches(data, 8)
    sampler = StepSampler(16, 4, seed=0)
    assert [clip.index.tolist() for clip in seen] == [sampler.batch(number) for number in range(8)]
    assert all(clip.frames.shape == (4, 4, 16, 16, 3) for clip in seen)
    assert torch.equal(seen[1].frames, train.fetch_training(sampler.batch(1), sampler.draws(1)).frames)
    repeated = {index: clip.frames[row] for clip in seen[4:] for row, index in enumerate(clip.index.tolist())}
    assert not torch.equal(repeated[int(seen[0].index[0])], seen[0].frames[0]), "the next epoch has other views"


def test_a_mixture_draws_by_weight(root: Path) -> None:
    data = make(root, MIXTURE)
    sizes = [16, 8, 6]
    assert len(data.dataset("train")) == sum(sizes) and len(data.dataset("val")) == 4 + 2 + 2
    sampler = WeightedStepSampler(sizes, [0.2, 0.6, 0.2], 4, seed=0)
    seen = batches(data, 6)
    assert [clip.index.tolist() for clip in seen] == [sampler.batch(number) for number in range(6)]
    assert all(clip.frames.shape == (4, 4, 16, 16, 3) for clip in seen)
    images = [clip.frames[row] for clip in seen for row, index in enumerate(clip.index.tolist()) if index >= 24]
    assert images and all((image == image[:1]).all() for image in images)
    assert data.tasks == () and seen[0].labels.shape == (4, 0), "labels without a task are not used in a mixture"


def test_images_may_have_batches_of_their_own(root: Path) -> None:
    data = make(root, MIXTURE, image_mode="single")
    shapes = {(clip.frames.shape[1], bool((clip.index >= 24).all())) for clip in batches(data, 20)}
    assert shapes == {(4, False), (1, True)}
    (root / "both.csv").write_text("".join(f"ucf/{k}.mp4 0\n" for k in range(5)) + "images/0.jpg 0\nimages/1.jpg 0\n")
    with pytest.raises(UserError, match=r"both\.csv: lists images and videos"):
        make(root, [ListSource("both.csv")], image_mode="single").prepare_data()


def test_the_image_mode_of_the_model_is_that_of_the_data(root: Path, tmp_path: Path) -> None:
    config = {"class_path": "data_modules.VideoListDataModule", "init_args": {"lists": [{"path": "ucf.csv"}]}}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump({"data": config}))
    files = (BASE, CONFIGS / "objective" / "images_single.yaml", tmp_path / "data.yaml")
    settings = resolve_settings([word for file in files for word in ("--config", str(file))])
    assert settings["data"]["init_args"]["image_mode"] == "single"


def test_named_tasks_of_a_mixture_keep_their_classes_apart(root: Path) -> None:
    data = make(root, [ListSource("ucf.csv", task="action"), ListSource("images.csv", task="object")])
    assert [task.name for task in data.tasks] == ["action", "object"]
    labels = data.dataset("train").labels
    assert (labels[:16, 1] == -1).all() and (labels[16:, 0] == -1).all()
    assert set(labels[:16, 0].tolist()) == set(labels[16:, 1].tolist()) == {0, 1}


def test_own_validation_and_test_lists(root: Path) -> None:
    data = make(root, val=[ListSource("images.csv")], test=[ListSource("ucf_test.csv")])
    data.setup()
    assert [len(data.dataset(split)) for split in ("train", "val", "test")] == [20, 8, 3]
    shown = list(data.val_dataloader())
    assert [clip.index.tolist() for clip in shown] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert shown[0].frames.shape == (4, 1, 16, 16, 3), "images alone have one frame"
    assert [clip.labels[:, 0].tolist() for clip in data.test_dataloader()] == [[1, 0, 1]]


def test_the_manifest_names_files_labels_and_splits(root: Path) -> None:
    hashes = [
        make(root).manifest_hash,
        make(root, val_ratio=0.3).manifest_hash,
        make(root, split_seed=1).manifest_hash,
        make(root, MIXTURE).manifest_hash,
        make(root, test=[ListSource("ucf_test.csv")]).manifest_hash,
    ]
    assert len(set(hashes)) == len(hashes)
    assert make(root, seed=5, size=32).manifest_hash == hashes[0]


@pytest.mark.parametrize(
    ("reading", "rule", "expected"),
    [("as_described", None, "nearest"), ("as_released", None, "integer_step"), ("as_released", "nearest", "nearest")],
)
def test_the_reading_decides_the_rule_for_rates(root: Path, reading: Any, rule: Any, expected: str) -> None:
    data = make(root, frame_step=None, fps=6.0, fps_rule=rule, reading=reading)
    assert data.sampling.fps_rule == expected
    assert make(root, reading=reading).sampling.fps_rule is None


def test_a_list_may_be_unlabelled(root: Path) -> None:
    (root / "bare.csv").write_text("".join(f"ucf/{number}.mp4 -1\n" for number in range(8)))
    data = make(root, [ListSource("bare.csv")])
    assert data.tasks == () and data.dataset("train").labels.shape == (6, 0)


CONFIG = """
class_path: data_modules.VideoListDataModule
init_args:
  lists:
    - {path: ucf.csv, weight: 0.2}
    - {path: ssv2.csv, weight: 0.8, task: gesture}
  val:
    - {path: images.csv}
  name: mixed
  fps: 4
  scale: [0.5, 1.0]
  num_workers: 0
"""


def test_it_is_made_from_yaml_without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATA_ROOT", raising=False)
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(ClipDataModule, "data")
    data = parser.instantiate(parser.parse_object({"data": yaml.safe_load(CONFIG)})).data
    assert isinstance(data, VideoListDataModule) and data.name == "mixed"
    assert data.sources["train"] == (ListSource("ucf.csv", 0.2), ListSource("ssv2.csv", 0.8, "gesture"))
    assert data.augmentation.scale == (0.5, 1.0) and data.sampling.fps == 4
    with pytest.raises(UserError, match="DATA_ROOT is not set"):
        data.prepare_data()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lists": []}, "lists is empty"),
        ({"lists": [ListSource("a.csv", -1.0)]}, "weight of a.csv is -1.0"),
        ({"lists": [ListSource("a.csv", 0.0)]}, "weights of all training lists are 0"),
        ({"val_ratio": 1.0}, "val_ratio is 1.0"),
        ({"fps": 4.0}, "set exactly one"),
        ({"reading": "as_printed"}, "unknown reading 'as_printed'"),
        ({"scale": (0.0, 1.0)}, "scale is"),
        ({"size": 0}, "size is 0"),
        ({"split_seed": -1}, "split_seed is -1"),
        ({"image_mode": "alone"}, "unknown videos image_mode 'alone'"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_bad_options_are_named_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        VideoListDataModule(**{"lists": [ListSource("a.csv")], "frame_step": 1} | options)


def test_what_is_missing_is_named_before_training(root: Path) -> None:
    with pytest.raises(UserError, match=r"none\.csv: no such list file"):
        make(root, [ListSource("none.csv")]).prepare_data()
    with pytest.raises(UserError, match="there is no test split"):
        make(root).dataset("test")
    with pytest.raises(UserError, match=r"ssv2/0\.webm is listed in train and in test"):
        make(root, MIXTURE[1:2], val=[ListSource("images.csv")], test=[ListSource("ucf_test.csv")]).prepare_data()
    (root / "gone.csv").write_text("".join(f"gone/{number}.mp4 0\n" for number in range(10)))
    with pytest.raises(UserError, match=r"gone\.csv: 8 of 8 train files .*gone/.*, \.\.\.\); .*DATA_ROOT"):
        make(root, [ListSource("gone.csv")]).dataset("train")
    with pytest.raises(UserError, match="8 of 8 train files"):
        make(root, [*MIXTURE, ListSource("gone.csv")]).dataset("train")
    (root / "some_gone.csv").write_text("ucf/0.mp4 0\ngone/1.mp4 1\n")
    with pytest.raises(UserError, match=r"1 of 2 val files are not in .*gone/1\.mp4"):
        make(root, [ListSource("ssv2.csv")], val=[ListSource("some_gone.csv")]).dataset("val")
    data = make(root, [ListSource("ssv2.csv")], val=[ListSource("some_gone.csv")], max_broken_ratio=0.5)
    assert [clip.index.tolist() for clip in data.val_dataloader()] == [[0]]
    assert data.dataset("val").broken.is_left_out("gone/1.mp4")
    (root / "classes.csv").write_text("ucf/0.mp4 0\nucf/1.mp4 3\n")
    with pytest.raises(UserError, match=r"classes\.csv, line 2: label 3; expected 0 to 2"):
        make(root, [ListSource("classes.csv", num_classes=3)]).prepare_data()
    (root / "one.csv").write_text("ucf/0.mp4 0\n")
    with pytest.raises(UserError, match=r"one\.csv: 1 file cannot be shared with validation; set val"):
        make(root, [ListSource("one.csv")]).prepare_data()


def test_links_must_not_lead_out(root: Path, tmp_path: Path) -> None:
    inside, outside = tmp_path / "root", tmp_path / "elsewhere"
    (inside / "videos").mkdir(parents=True)
    outside.mkdir()
    for folder, name in ((inside / "videos", "0.mp4"), (outside, "1.mp4"), (outside, "2.mp4"), (outside, "3.mp4")):
        (folder / name).write_bytes((root / "ucf" / name).read_bytes())
    (inside / "videos" / "again.mp4").symlink_to(inside / "videos" / "0.mp4")
    (inside / "videos" / "1.mp4").symlink_to(outside / "1.mp4")
    (inside / "linked").symlink_to(outside)
    for name, lines, fails in (
        ("inside", "videos/0.mp4 0\nvideos/again.mp4 0\n", False),
        ("file", "videos/0.mp4 0\nvideos/1.mp4 0\n", True),
        ("folder", "videos/0.mp4 0\nlinked/2.mp4 0\nlinked/3.mp4 0\n", True),
    ):
        (inside / f"{name}.csv").write_text(lines)
        options = {}
        if fails:
            with pytest.raises(UserError, match=r"files that links lead out of .*; set allow_links"):
                make(inside, [ListSource(f"{name}.csv")], val_ratio=0.5).setup("fit")
            options = {"allow_links": True}
        make(inside, [ListSource(f"{name}.csv")], val_ratio=0.5, **options).setup("fit")


@pytest.mark.parametrize("entry", ["../secret.mp4", "/etc/passwd", "a/../../b.mp4", ""])
def test_lists_must_not_lead_out(root: Path, entry: str) -> None:
    (root / "out.csv").write_text(f'ucf/0.mp4 0\n"{entry}" 1\n')
    with pytest.raises(UserError, match=r"out\.csv, line 2: .* is not a path inside the data root"):
        make(root, [ListSource("out.csv")]).prepare_data()


def test_a_mixture_may_use_up_its_lists(root: Path) -> None:
    data = make(root, MIXTURE, replacement=False)
    data.setup("fit")
    seen = [index for clip in batches(data, 10) for index in clip.index.tolist()]
    sampler = MixtureStepSampler([16, 8, 6], [0.2, 0.6, 0.2], 4, seed=0)
    assert seen == [index for number in range(10) for index in sampler.batch(number)]
    ssv2 = [index for index in seen if 16 <= index < 24]
    assert len(ssv2) > 16 and set(ssv2[:8]) == set(ssv2[8:16]) == set(range(16, 24))


@pytest.fixture
def damaged(root: Path, tmp_path: Path) -> Path:
    """A root of its own, with an empty video in every list."""
    for source in root.rglob("*"):
        target = tmp_path / source.relative_to(root)
        if source.is_dir():
            target.mkdir()
        else:
            target.write_bytes(source.read_bytes())
    for number in range(4):
        (tmp_path / "ucf" / f"{number}.mp4").write_bytes(b"")
    return tmp_path


def test_broken_training_files_are_listed(damaged: Path) -> None:
    data = make(damaged, val=[ListSource("images.csv")], max_broken_ratio=0.5)
    data.broken_path = damaged / "broken.csv"
    seen = {index for clip in batches(data, 5) for index in clip.index.tolist()}
    assert not seen & {0, 1, 2, 3}
    assert set(read_broken(damaged / "broken.csv")) == {f"ucf/{number}.mp4" for number in range(4)}
    with pytest.raises(UserError, match=r"broken files were met 11 times in .* max_broken_ratio 0\.01, listed in "):
        data = make(damaged, val=[ListSource("images.csv")])
        data.broken_path = damaged / "broken.csv"
        batches(data, 100)


@pytest.mark.slow
def test_workers_change_nothing_and_their_errors_arrive_whole(damaged: Path) -> None:
    """Also after a broken file, whose replacement must be the same in every process."""
    alone, shared = (make(damaged, val=[ListSource("ucf_test.csv")], num_workers=workers) for workers in (0, 2))
    (damaged / "ssv2" / "1.webm").write_text("text")
    for number, data in enumerate((alone, shared)):
        data.broken_path = damaged / f"broken{number}.csv"
    for one, two in zip(batches(alone, 7), batches(shared, 7), strict=True):
        assert torch.equal(one.index, two.index) and torch.equal(one.frames, two.frames)
    for one, two in zip(alone.val_dataloader(), shared.val_dataloader(), strict=True):
        assert one.index.tolist() == two.index.tolist() == [0, 2]
        assert torch.equal(one.frames, two.frames)
    listed = [read_broken(data.broken_path) for data in (alone, shared)]
    assert listed[0] == listed[1] and set(listed[0]) == {"ssv2/1.webm", *(f"ucf/{number}.mp4" for number in range(4))}
    for number in range(20):
        (damaged / "ucf" / f"{number}.mp4").write_bytes(b"")
    with pytest.raises(UserError, match="the file is empty; the files that could replace it") as stopped:
        batches(shared, 1)
    assert "Traceback" not in str(stopped.value)


SCRIPT = """
import json, sys
from pathlib import Path
import lightning.pytorch as pl
import torch
from data_modules import ListSource, VideoListDataModule


class Recorder(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.trained, self.validated = [], []

    def training_step(self, clip, _):
        self.trained.append([clip.index.tolist(), int(clip.frames.sum())])
        return self.weight * clip.frames.float().mean()

    def validation_step(self, clip, _):
        self.validated += clip.index.tolist()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-6)

    def on_fit_end(self):
        seen = {"trained": self.trained, "validated": self.validated}
        Path(sys.argv[2], f"rank{self.global_rank}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    lists = [ListSource("ucf.csv", 0.3), ListSource("ssv2.csv", 0.7)]
    data = VideoListDataModule(
        lists, batch_size=2, num_workers=0, root=sys.argv[1], num_frames=4, size=16, frame_step=2, val_ratio=0.2
    )
    trainer = pl.Trainer(
        accelerator="cpu", devices=2, strategy="ddp", max_steps=4, max_epochs=-1, val_check_interval=4,
        num_sanity_val_steps=0, logger=False, enable_checkpointing=False, enable_progress_bar=False,
    )
    trainer.fit(Recorder(), data)
"""


@pytest.mark.slow
@pytest.mark.ddp
def test_two_processes_share_the_batches_of_one(root: Path, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    project = Path(__file__).parents[2]
    environment = {"PATH": "", "PYTHONPATH": str(project), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(root), str(tmp_path)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=180, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seen = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in range(2)]
    one = make(root, [ListSource("ucf.csv", 0.3), ListSource("ssv2.csv", 0.7)], batch_size=4)
    for clip, left, right in zip(batches(one, 4), seen[0]["trained"], seen[1]["trained"], strict=True):
        assert clip.index.tolist() == left[0] + right[0]
        assert int(clip.frames.sum()) == left[1] + right[1], "the same views, whichever process draws them"
    assert sorted(seen[0]["validated"] + seen[1]["validated"]) == list(range(len(one.dataset("val"))))
