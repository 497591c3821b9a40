"""Weights of others in our encoder, where a run stands on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from experiments.cli import main
from experiments.evaluation.external import external_subjects, is_external, open_external
from experiments.results import read_rows
from tests.experiments.finished_runs import made_run
from tests.vjepa.interop.made import encoder, write_huggingface, write_official
from vjepa.errors import UserError
from vjepa.nn import Encoder, initial_encoder
from vjepa.pixels import to_pixels


@pytest.fixture(scope="module")
def frames() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (2, 8, 32, 32, 3), generator=generator, dtype=torch.uint8)


def same(word: str, source: Encoder, frames: Tensor) -> bool:
    found: Tensor = open_external(word).encoder(frames)
    return found.shape == (2, 4, 16, 96) and torch.equal(found.flatten(1, 2), source(to_pixels(frames)))


def test_official_file_gives_the_moving_average_unless_said(tmp_path: Path, frames: Tensor) -> None:
    online, teacher, _ = write_official(tmp_path / "latest.pth.tar")
    word = str(tmp_path / "latest.pth.tar")
    assert is_external(word) and is_external(f"weights:{word}")
    assert same(word, teacher, frames) and same(f"weights:{word}", teacher, frames)
    assert same(f"weights:{word}:part=encoder", online, frames)
    assert open_external(word).name == "weights/latest.pth.tar"
    assert open_external(f"weights:{word}:part=encoder").name == "weights/latest.pth.tar:encoder"


def test_folder_of_hugging_face_needs_no_shallow_norms(tmp_path: Path, frames: Tensor) -> None:
    folder = write_huggingface(tmp_path / "hf", source := encoder("v2"))
    assert same(str(folder), source, frames)
    with pytest.raises(UserError, match="holds no moving average"):
        open_external(f"weights:{folder}:part=teacher")


def test_folder_of_a_run_is_a_run(tmp_path: Path) -> None:
    run, _ = made_run(tmp_path / "run")
    assert not is_external(str(run.folder)) and not is_external(str(tmp_path / "nothing"))


def test_control_is_the_same_architecture_untrained(tmp_path: Path, frames: Tensor) -> None:
    write_official(tmp_path / "v2.pt", "v2")
    control, subject = external_subjects(open_external(str(tmp_path / "v2.pt")), "cpu", controls=True)
    assert (control.stamp.weights, subject.stamp.weights) == ("init", "pretrained")
    assert control.stamp.variant == "weights/tiny-v2" and subject.stamp.variant == "weights/v2.pt"
    assert control.digest != subject.digest
    expected = initial_encoder("tiny", 8, 2, "v2", seed=0)(to_pixels(frames))
    assert torch.equal(control.encoder(frames).flatten(1, 2), expected)


def test_a_key_too_many_is_refused_unless_named(tmp_path: Path, frames: Tensor) -> None:
    _, teacher, _ = write_official(tmp_path / "file.pt", "v2")
    loaded = torch.load(tmp_path / "file.pt", weights_only=True)
    loaded["target_encoder"] |= {"module.backbone.pos_embed": torch.zeros(1), "module.backbone.cls": torch.zeros(1)}
    torch.save(loaded, tmp_path / "file.pt")
    with pytest.raises(UserError, match=r"2 keys differ:\n  encoder\.pos_embed is unknown\n  encoder\.cls is unknown"):
        open_external(str(tmp_path / "file.pt"))
    assert same(f"weights:{tmp_path / 'file.pt'}:allow=encoder.pos_embed+encoder.cls", teacher, frames)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("parts=teacher", "did you mean 'part'"),
        ("part=predictor", "part of weights 'predictor'"),
        ("part", "KEY=VALUE"),
    ],
)
def test_bad_options(tmp_path: Path, options: str, message: str) -> None:
    write_official(tmp_path / "file.pt")
    with pytest.raises(UserError, match=message):
        open_external(f"weights:{tmp_path / 'file.pt'}:{options}")


def test_clips_that_do_not_divide_are_refused(tmp_path: Path) -> None:
    write_official(tmp_path / "file.pt")
    with pytest.raises(UserError, match=r"clip of 7 frames, 32x32 px.*--benchmark"):
        open_external(str(tmp_path / "file.pt")).encoder(torch.zeros(1, 7, 32, 32, 3, dtype=torch.uint8))


def test_probed_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VJEPA_CACHE", str(tmp_path / "cache"))
    write_official(tmp_path / "official.pt")
    few = "glyphs:train_clips=48,val_clips=16,test_clips=16,num_frames=8,size=32"
    where = (f"--cache={tmp_path / 'features'}", f"--out={tmp_path / 'out'}", "--device=cpu")
    assert main(["probe", str(tmp_path / "official.pt"), "--probes=linear_mean", f"--benchmark={few}", *where]) == 0
    rows = read_rows(tmp_path / "out" / "glyphs" / "results.jsonl")
    told = {(row.variant, row.weights) for row in rows if row.metric == "top1"}
    assert {("weights/official.pt", "pretrained"), ("weights/tiny-v2_1", "init")} < told
