"""What a path holds: every known format is found, anything else is one message, and no code in a file is run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.vjepa.interop.made import encoder, equal, predictor, write_huggingface, write_official
from tests.vjepa.runs import model_of
from vjepa.errors import UserError
from vjepa.interop import load_parts, read_pretrained


class Harmful:
    """What a pickle can do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('the code in the file was run')",))


def test_checkpoint_of_ours(tmp_path: Path) -> None:
    model = model_of()
    torch.save({"state_dict": model.state_dict(), "global_step": 3}, tmp_path / "last.ckpt")
    found = read_pretrained(tmp_path / "last.ckpt")
    assert found.layout == "checkpoint of vjepa fit" and found.parts.keys() == {"encoder", "teacher", "predictor"}
    load_parts(found, {"encoder": (one := encoder()), "predictor": (two := predictor())})
    assert equal(one, model.encoder) and equal(two, model.predictor)


def test_exported_encoder(tmp_path: Path) -> None:
    source = encoder()
    save_file(source.state_dict(), tmp_path / "encoder.safetensors", {"record": "{}"})
    load_parts(read_pretrained(tmp_path / "encoder.safetensors"), {"encoder": (other := encoder(seed=1))})
    assert equal(source, other)


def harmful(path: Path) -> Path:
    write_official(path, loss=Harmful())
    return path


def torn(path: Path) -> Path:
    write_official(path)
    path.write_bytes(path.read_bytes()[:5000])
    return path


def plain(loaded: Any) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        torch.save(loaded, path)
        return path

    return write


def unnamed(path: Path) -> Path:
    path = path.with_suffix(".safetensors")
    save_file({"a": torch.zeros(1)}, path)
    return path


def torn_folder(path: Path) -> Path:
    folder = write_huggingface(path, encoder("v2"))
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:3000])
    return folder


def no_json(path: Path) -> Path:
    (write_huggingface(path, encoder("v2")) / "config.json").write_text("{")
    return path


def empty_folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (harmful, r"holds more than tensors and plain values \(.*exec\).*refused"),
        (torn, "is torn, or no file of torch.save"),
        (plain({"weights": 1}), "holds the entries weights: expected an official V-JEPA 2"),
        (plain([1]), "holds list: expected"),
        (plain({"state_dict": {"head.weight": torch.zeros(1)}}), "a checkpoint without an encoder"),
        (unnamed, "does not say what it is"),
        (torn_folder, "not a whole safetensors file"),
        (no_json, r"config\.json cannot be read as JSON"),
        (empty_folder, r"holds no config\.json"),
        (lambda path: path, "no such file or folder"),
    ],
)
def test_bad_path_is_told_in_one_message(tmp_path: Path, write: Callable[[Path], Path], message: str) -> None:
    path = write(tmp_path / "given")
    with pytest.raises(UserError, match=message) as error:
        read_pretrained(path)
    assert str(path) in str(error.value)


def test_every_key_that_differs_is_listed_and_nothing_is_loaded(tmp_path: Path) -> None:
    write_official(tmp_path / "official.pt")
    loaded = torch.load(tmp_path / "official.pt", weights_only=True)
    state = loaded["encoder"]
    state["module.backbone.blocks.0.attn.qkv.weight"] = torch.zeros(7, 7)
    del state["module.backbone.blocks.1.mlp.fc1.bias"]
    state["module.backbone.cls_token"] = torch.zeros(1)
    torch.save(loaded, tmp_path / "official.pt")
    other = encoder(seed=5)
    with pytest.raises(UserError, match="3 keys differ") as error:
        load_parts(read_pretrained(tmp_path / "official.pt"), {"encoder": other})
    for line in (
        "encoder.blocks.1.mlp.fc1.bias is missing",
        "encoder.cls_token is unknown",
        "encoder.blocks.0.attn.qkv.weight is [7, 7] instead of [288, 96]",
    ):
        assert f"  {line}\n" in str(error.value)
    assert equal(other, encoder(seed=5))
    allow = ["encoder.cls_token", "encoder.blocks.1.mlp.fc1.bias", "encoder.blocks.0.attn.*"]
    assert len(load_parts(read_pretrained(tmp_path / "official.pt"), {"encoder": other}, allow)) == 3
    assert torch.equal(other.blocks[0].attn.qkv.weight, encoder(seed=5).blocks[0].attn.qkv.weight)
    assert torch.equal(other.blocks[0].attn.proj.weight, encoder(seed=1).blocks[0].attn.proj.weight)


def test_long_lists_are_cut(tmp_path: Path) -> None:
    write_official(tmp_path / "official.pt")
    found = read_pretrained(tmp_path / "official.pt")
    with pytest.raises(UserError, match=r"and \d+ more\n"):
        load_parts(found, {"encoder": model_of(preset="glyphs").encoder})


def test_the_other_rotary_positions_are_refused_even_if_allowed(tmp_path: Path) -> None:
    write_official(tmp_path / "official.pt", "v2")
    with pytest.raises(UserError, match=r"rotary positions v2, the model has v2_1: set model\.rope to v2"):
        load_parts(read_pretrained(tmp_path / "official.pt"), {"encoder": encoder()}, ["*"])


def test_no_preset_of_these_sizes(tmp_path: Path) -> None:
    narrow = {"patch_embed.proj.weight": torch.zeros(97, 3, 2, 8, 8), "blocks.3.norm1.weight": torch.zeros(97)}
    torch.save({"encoder": narrow}, tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"no preset has an encoder of width 97, depth 4; expected one of tiny 96 x 4"):
        _ = read_pretrained(tmp_path / "other.pt").preset
    torch.save({"encoder": {"blocks.3.norm1.weight": torch.zeros(97)}}, tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"patch_embed\.proj\.weight is missing"):
        _ = read_pretrained(tmp_path / "other.pt").patch_and_tubelet
