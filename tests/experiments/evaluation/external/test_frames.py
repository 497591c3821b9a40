"""Image models of timm: tokens equal to timm's own, frame by frame, and strict loading of weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import timm
import torch
from torch import Tensor

from experiments.evaluation.external import external_subjects, open_external
from vjepa.errors import UserError

TINY = "test_vit"
SIZE = 160


def frames(num_clips: int, num_frames: int, size: int = SIZE) -> Tensor:
    generator = torch.Generator().manual_seed(size)
    return torch.randint(256, (num_clips, num_frames, size, size, 3), generator=generator, dtype=torch.uint8)


def normalised(images: Tensor) -> Tensor:
    return (images.permute(0, 3, 1, 2) / 255.0 - 0.5) / 0.5


def saved(path: Path, name: str = TINY, **options: Any) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = timm.create_model(name, **options).eval()
    torch.save(model.state_dict(), path)
    return model


@pytest.fixture(autouse=True)
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is downloaded, and nothing that was downloaded before is found."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.mark.parametrize(
    ("name", "word"),
    [
        (TINY, TINY),
        ("vit_wee_patch16_reg1_gap_256", "vit_wee_patch16_reg1_gap_256:img_size=32"),
    ],
)
def test_tokens_are_the_model_s_own_without_class_and_register_tokens(name: str, word: str) -> None:
    external = open_external(f"timm:{word}")
    model: Any = external.encoder.model
    size = 32 if ":" in word else SIZE
    clips = frames(2, 3, size)
    with torch.no_grad():
        each = [model.forward_features(normalised(clips[:, step]))[:, model.num_prefix_tokens :] for step in range(3)]
    found = external.encoder(clips)
    assert model.num_prefix_tokens and external.name == f"timm/{name}"
    assert found.shape == (2, 3, (size // 16) ** 2, model.num_features)
    torch.testing.assert_close(found, torch.stack(each, dim=1), atol=1e-5, rtol=1e-5)


def test_a_convolutional_map_is_read_cell_by_cell() -> None:
    encoder = open_external("timm:test_resnet").encoder
    clips = frames(1, 2)
    with torch.no_grad():
        maps = encoder.model.forward_features(normalised(clips[0]))  # type: ignore[operator, union-attr]
    torch.testing.assert_close(encoder(clips)[0], maps.flatten(2).transpose(1, 2))


def test_small_frames_are_resized_and_a_time_step_knows_its_frame_alone() -> None:
    encoder = open_external(f"timm:{TINY}").encoder
    clips = frames(1, 4, 32)
    found = encoder(clips)
    assert found.shape[:3] == (1, 4, 100)
    torch.testing.assert_close(encoder(clips.flip(1)), found.flip(1), atol=1e-5, rtol=1e-5)
    even = torch.full((1, 1, 32, 32, 3), 90, dtype=torch.uint8)
    torch.testing.assert_close(encoder(even), encoder(torch.full((1, 1, SIZE, SIZE, 3), 90, dtype=torch.uint8)))


@pytest.mark.parametrize("num_classes", [1000, 7, 0])
def test_a_checkpoint_is_loaded_whatever_reads_its_tokens(num_classes: int, tmp_path: Path) -> None:
    path = tmp_path / "mine.pth"
    model: Any = saved(path, num_classes=num_classes)
    external = open_external(f"timm:{TINY}:checkpoint={path}")
    clips = frames(1, 2)
    with torch.no_grad():
        expected = model.forward_features(normalised(clips[0]))[:, 1:]
    torch.testing.assert_close(external.encoder(clips)[0], expected, atol=1e-5, rtol=1e-5)
    assert external.name == f"timm/{TINY}/mine" and not external.is_untrained


def test_position_embeddings_of_a_checkpoint_fit_another_size(tmp_path: Path) -> None:
    model: Any = saved(tmp_path / "mine.pth")
    found: Any = open_external(f"timm:{TINY}:checkpoint={tmp_path / 'mine.pth'},img_size=64").encoder
    assert found(frames(1, 1, 32)).shape == (1, 1, 16, model.num_features)
    assert torch.equal(found.model.cls_token, model.cls_token)
    assert found.model.pos_embed.shape[1] == 17


def test_timm_s_own_weights_carry_their_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its table of weights points to a file here instead of one in a network."""
    model: Any = saved(tmp_path / "published.pth")
    config = replace(timm.models.get_pretrained_cfg(TINY), file=str(tmp_path / "published.pth"))
    monkeypatch.setitem(timm.models._registry._model_pretrained_cfgs, TINY, config)
    external = open_external(f"timm:{TINY}:pretrained=true")
    assert external.name == f"timm/{TINY}.{config.tag}" and external.architecture == f"timm/{TINY}"
    assert torch.equal(external.encoder.model.cls_token, model.cls_token)  # type: ignore[union-attr]


def test_rows_say_honestly_what_is_known(tmp_path: Path) -> None:
    saved(tmp_path / "mine.pth")
    control, loaded = external_subjects(open_external(f"timm:{TINY}:checkpoint={tmp_path / 'mine.pth'}"), "cpu", True)
    assert vars(loaded.stamp) == {
        "data": "unknown", "regime": "unknown", "variant": "timm/test_vit/mine", "reading": "none", "layout": "whole",
        "seed": -1, "step": 0, "weights": "pretrained", "config_hash": loaded.digest,
    }  # fmt: skip
    assert (control.stamp.variant, control.stamp.weights, control.stamp.seed) == ("timm/test_vit", "init", 0)
    (alone,) = external_subjects(open_external(f"timm:{TINY}"), "cpu", True)
    assert (alone.stamp, alone.digest) == (control.stamp, control.digest), "it is its own control"
    (other,) = external_subjects(open_external(f"timm:{TINY}:img_size=64"), "cpu", False)
    assert len({loaded.digest, alone.digest, other.digest}) == 3
    assert [view.name for view in loaded.views] == ["whole"] and loaded.surprise is None


def test_fresh_weights_leave_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    first, second = (open_external(f"timm:{TINY}").encoder.state_dict() for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def _other_model(path: Path) -> None:
    saved(path, "test_resnet")


def _other_width(path: Path) -> None:
    saved(path, "test_vit3")


def _code(path: Path) -> None:
    torch.save({"model": print}, path)


def _torn(path: Path) -> None:
    saved(path)
    path.write_bytes(path.read_bytes()[:2000])


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "absent": (lambda path: None, "there is no checkpoint"),
    "another architecture": (_other_model, "is of another model, it lacks"),
    "another width": (_other_width, "holds no weights of this model .*size mismatch"),
    "code": (_code, "holds no weights of this model .*weights_only"),
    "torn": (_torn, "holds no weights of this model"),
}


@pytest.mark.parametrize("case", FILES)
def test_bad_checkpoints_are_refused(case: str, tmp_path: Path) -> None:
    make, message = FILES[case]
    make(tmp_path / "mine.pth")
    with pytest.raises(UserError, match=message) as error:
        open_external(f"timm:{TINY}:checkpoint={tmp_path / 'mine.pth'}")
    assert str(tmp_path / "mine.pth") in str(error.value)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("test_vitt", "no model 'test_vitt' .did you mean 'test_vit"),
        ("", "no model ''"),
        ("test_vit.nowhere", "Invalid pretrained tag"),
        ("test_vit:size=3", "did you mean 'img_size'"),
        ("test_vit:img_size=big", "img_size is 'big'; expected int"),
        ("test_vit:img_size=0", "img_size is 0"),
        ("test_vit:pretrained", "KEY=VALUE"),
        ("test_vit:pretrained=true,checkpoint=a.pth", "not both"),
        ("test_resnet:img_size=32", "leave img_size out"),
        ("hiera_tiny_224", "no feature map"),
    ],
)
def test_bad_names_are_refused(word: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        open_external(f"timm:{word}")


def test_weights_that_cannot_be_had_are_said() -> None:
    with pytest.raises(UserError, match=r"cannot be made .*without a network give\s+checkpoint=FILE"):
        open_external(f"timm:{TINY}:pretrained=true")
