"""V-JEPA 2 models of transformers: tokens equal to the library's own, and folders that are not whole."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from experiments.evaluation.external import external_subjects, open_external
from tests.experiments.evaluation.external.vjepa2_folder import PATCH, SIZE, TUBELET, WIDTH, write_vjepa2
from vjepa.errors import UserError
from vjepa.pixels import to_pixels

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_vjepa2(tmp_path / "mine", seed=3)
    return tmp_path / "mine"


def frames(num_clips: int, num_frames: int, size: int = SIZE) -> Tensor:
    generator = torch.Generator().manual_seed(size)
    return torch.randint(256, (num_clips, num_frames, size, size, 3), generator=generator, dtype=torch.uint8)


def tokens_of(model: Any, clips: Tensor) -> Tensor:
    """What transformers itself gives, (B, N, E)."""
    with torch.no_grad():
        pixels = to_pixels(clips).transpose(1, 2)
        return model(pixel_values_videos=pixels, skip_predictor=True).last_hidden_state


@pytest.mark.parametrize("num_frames", [8, 4])
def test_tokens_are_those_of_transformers(num_frames: int, tmp_path: Path) -> None:
    model = write_vjepa2(tmp_path / "mine")
    external = open_external(f"hf:{tmp_path / 'mine'}")
    clips = frames(20, num_frames)  # more than are encoded at a time
    found = external.encoder(clips)
    assert found.shape == (20, num_frames // TUBELET, (SIZE // PATCH) ** 2, WIDTH) and found.dtype == torch.float32
    torch.testing.assert_close(found.flatten(1, 2), tokens_of(model, clips), atol=1e-5, rtol=1e-5)
    assert external.name == "hf/mine"


def test_frames_of_another_size_are_resized_to_the_grid_that_the_model_knows(folder: Path) -> None:
    encoder = open_external(f"hf:{folder}").encoder
    assert encoder(frames(1, 4, 64)).shape == (1, 2, (SIZE // PATCH) ** 2, WIDTH)
    even = torch.full((1, 4, 64, 64, 3), 90, dtype=torch.uint8)
    torch.testing.assert_close(encoder(even), encoder(even[:, :, :SIZE, :SIZE]))


def test_one_frame_is_shown_for_a_tubelet(folder: Path) -> None:
    encoder = open_external(f"hf:{folder}").encoder
    image = frames(2, 1)
    torch.testing.assert_close(encoder(image), encoder(image.expand(-1, TUBELET, -1, -1, -1)))


def test_frames_that_do_not_divide_are_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="clips of 7 frames do not divide into tubelets of 2"):
        open_external(f"hf:{folder}").encoder(frames(1, 7))


def test_the_preprocessor_of_the_folder_decides_mean_and_deviation(folder: Path) -> None:
    plain = open_external(f"hf:{folder}")
    record = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}
    (folder / "video_preprocessor_config.json").write_text(json.dumps(record))
    other = open_external(f"hf:{folder}")
    clips = frames(1, 4)
    pixels = ((clips / 255.0 - 0.5) / 0.25).permute(0, 1, 4, 2, 3)
    with torch.no_grad():
        expected = other.encoder.model(  # type: ignore[operator]
            pixel_values_videos=pixels, skip_predictor=True
        ).last_hidden_state
    torch.testing.assert_close(other.encoder(clips).flatten(1, 2), expected, atol=1e-5, rtol=1e-5)
    digests = {external_subjects(each, "cpu", False)[0].digest for each in (plain, other)}
    assert len(digests) == 2, "other numbers of the same weights"


def test_half_precision_is_read_as_full(tmp_path: Path) -> None:
    model = write_vjepa2(tmp_path / "mine")
    model.half().save_pretrained(tmp_path / "half")
    external = open_external(f"hf:{tmp_path / 'half'}")
    assert {parameter.dtype for parameter in external.encoder.parameters()} == {torch.float32}
    clips = frames(1, 4)
    torch.testing.assert_close(external.encoder(clips).flatten(1, 2), tokens_of(model.float(), clips))


def test_the_encoder_of_a_fine_tuned_classifier_is_read(tmp_path: Path) -> None:
    write_vjepa2(tmp_path / "mine")
    from transformers import VJEPA2Config, VJEPA2ForVideoClassification

    model = VJEPA2ForVideoClassification(VJEPA2Config.from_pretrained(tmp_path / "mine")).eval()
    model.save_pretrained(tmp_path / "classifier")
    clips = frames(1, 4)
    found = open_external(f"hf:{tmp_path / 'classifier'}").encoder(clips)
    torch.testing.assert_close(found.flatten(1, 2), tokens_of(model.vjepa2, clips), atol=1e-5, rtol=1e-5)


def test_control_has_fresh_weights_of_the_same_architecture(folder: Path) -> None:
    subjects = external_subjects(open_external(f"hf:{folder}"), "cpu", True)
    assert [subject.stamp.weights for subject in subjects] == ["init", "pretrained"]
    first, second = (subject.encoder(frames(1, 4)) for subject in subjects)
    assert first.shape == second.shape and not torch.allclose(first, second)


def _without(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        state = load_file(folder / WEIGHTS)
        del state[name]
        save_file(state, folder / WEIGHTS, {"format": "pt"})

    return change


def _another_kind(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "videomae"}
    (folder / "config.json").write_text(json.dumps(config))


def _another_width(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text()) | {"hidden_size": 96}
    (folder / "config.json").write_text(json.dumps(config))


def _pickle_only(folder: Path) -> None:
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (lambda folder: folder.rename(folder.with_name("elsewhere")), "no config.json there"),
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "no config.json there"),
    "another kind of model": (_another_kind, "model_type is 'videomae'; expected 'vjepa2'"),
    "another width": (_another_width, "holds no whole VJEPA2Model"),
    "a missing weight": (_without("encoder.layer.1.mlp.fc1.weight"), "1 weights of the encoder are missing"),
    "a torn file": (lambda folder: (folder / WEIGHTS).write_bytes(b"torn"), "holds no whole VJEPA2Model"),
    "code for weights": (_pickle_only, "holds no whole VJEPA2Model"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_folders_are_refused(case: str, folder: Path) -> None:
    change, message = BAD[case]
    change(folder)
    with pytest.raises(UserError, match=message) as error:
        open_external(f"hf:{folder}")
    assert f"hf:{folder}" in str(error.value)


def test_the_predictor_is_no_part_of_the_encoder(folder: Path) -> None:
    digests = set()
    for change in (lambda folder: None, _without("predictor.layer.0.mlp.fc1.weight"), lambda folder: None):
        change(folder)
        digests.add(external_subjects(open_external(f"hf:{folder}"), "cpu", False)[0].digest)
    assert len(digests) == 1, "transformers fills what is missing with fresh weights"


def test_without_transformers_the_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r"pip install 'vjepa-ablation\[hf\]'"):
        open_external(f"hf:{folder}")
