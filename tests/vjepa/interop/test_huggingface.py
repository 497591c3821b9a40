"""The layout of VJEPA2Model: written by us it loads in transformers, and the other way round, with the same tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.vjepa.interop.made import encoder, equal, pixels, shaken, write_huggingface
from vjepa.errors import UserError
from vjepa.interop import huggingface_config, load_parts, read_pretrained, to_huggingface
from vjepa.nn import Encoder, Preset

SHALLOW = ("encoder.norms_block.[012].*",)


def transformers() -> Any:
    return pytest.importorskip("transformers", reason="transformers is not installed: pip install 'vjepa-ablation[hf]'")


def tokens(model: Any, clip: torch.Tensor) -> torch.Tensor:
    """Of a VJEPA2Model, for our (B, 3, F, H, W)."""
    with torch.no_grad():
        found: torch.Tensor = model(pixel_values_videos=clip.transpose(1, 2), skip_predictor=True).last_hidden_state
    return found


def test_transformers_gives_the_tokens_of_what_we_write(tmp_path: Path) -> None:
    source, clip = encoder("v2"), pixels()
    folder = write_huggingface(tmp_path / "ours", source)
    model, said = transformers().VJEPA2Model.from_pretrained(folder, output_loading_info=True)
    assert not said["unexpected_keys"] and not said["mismatched_keys"]
    assert all(name.startswith("predictor.") for name in said["missing_keys"]), "all of the encoder is there"
    torch.testing.assert_close(tokens(model.eval(), clip), source(clip), rtol=0, atol=1e-5)
    assert source(clip).std() > 0.1


def test_we_give_the_tokens_of_what_transformers_writes(tmp_path: Path) -> None:
    config = transformers().VJEPA2Config(
        patch_size=8, crop_size=32, frames_per_clip=8, hidden_size=96, num_attention_heads=3, num_hidden_layers=4,
        pred_hidden_size=48, pred_num_attention_heads=3, pred_num_hidden_layers=2, pred_num_mask_tokens=2,
    )  # fmt: skip
    model = shaken(transformers().VJEPA2Model(config), 3)
    model.save_pretrained(tmp_path)
    found, ours, clip = read_pretrained(tmp_path), encoder("v2"), pixels()
    assert (found.preset, found.rope, found.surplus) == ("tiny", "v2", ())
    kept = load_parts(found, {"encoder": ours}, SHALLOW)
    assert {one.text for one in kept} == {"missing"} and len(kept) == 6
    torch.testing.assert_close(ours(clip), tokens(model, clip), rtol=0, atol=1e-5)
    assert {name.split(".")[0] for name in found.parts["predictor"]} == {
        "mask_tokens", "predictor_embed", "predictor_blocks", "predictor_norm", "predictor_proj",
    }  # fmt: skip


@pytest.mark.parametrize(("width", "num_heads"), [(128, 2), (160, 2), (48, 2)])
def test_heads_of_other_widths_turn_alike(width: int, num_heads: int) -> None:
    """64 and 80 channels a head, as from base to gigantic, leave other numbers of channels still."""
    source = shaken(Encoder(Preset(width, 4, num_heads, 48, 2, 3, 2.5), 8, 2, "v2"), 0)
    config = huggingface_config(source, 8, 32)
    model = transformers().VJEPA2Model(transformers().VJEPA2Config(**config)).eval()
    said = model.load_state_dict(to_huggingface(source.state_dict()), strict=False)
    assert not said.unexpected_keys and all(name.startswith("predictor.") for name in said.missing_keys)
    torch.testing.assert_close(tokens(model, pixels()), source(pixels()), rtol=0, atol=1e-5)


def test_round_trip_is_exact_but_for_the_shallow_norms(tmp_path: Path) -> None:
    source, other = encoder("v2"), encoder("v2", 1)
    load_parts(read_pretrained(write_huggingface(tmp_path, source)), {"encoder": other}, SHALLOW)
    assert not equal(source, other)
    for level in range(3):
        other.norms_block[level] = source.norms_block[level]
    assert equal(source, other)


def test_several_weight_files_are_one_model(tmp_path: Path) -> None:
    folder = write_huggingface(tmp_path, source := encoder("v2"))
    whole = load_file(folder / "model.safetensors")
    names = list(whole)
    halves = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, own in halves.items():
        save_file({name: whole[name] for name in own}, folder / file)
    (folder / "model.safetensors").unlink()
    index = {name: file for file, own in halves.items() for name in own}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    load_parts(read_pretrained(folder), {"encoder": (other := encoder("v2", 1))}, SHALLOW)
    assert torch.equal(source(pixels(1, 4, 16)), other(pixels(1, 4, 16)))


def test_v2_1_is_refused_with_the_reason() -> None:
    with pytest.raises(UserError, match=r"model\.rope v2_1 has no Hugging Face form.*another order"):
        huggingface_config(encoder("v2_1"), 8, 32)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "vit"}, "model_type is 'vit', expected 'vjepa2'"),
        ({"hidden_act": "silu"}, "hidden_act is 'silu'"),
        ({"qkv_bias": False}, "qkv_bias is False"),
    ],
)
def test_other_models_are_refused(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    folder = write_huggingface(tmp_path, encoder("v2"), **config)
    with pytest.raises(UserError, match=message):
        read_pretrained(folder)


def test_other_heads_are_refused(tmp_path: Path) -> None:
    found = read_pretrained(write_huggingface(tmp_path, encoder("v2"), num_attention_heads=6))
    with pytest.raises(UserError, match="has 6 attention heads, the model 3"):
        load_parts(found, {"encoder": encoder("v2")}, SHALLOW)
    with pytest.raises(UserError, match="no preset has an encoder of width 96, depth 4, 6 heads"):
        _ = found.preset


def damaged(folder: Path, **changes: torch.Tensor | None) -> Path:
    state = load_file(folder / "model.safetensors")
    for name, value in changes.items():
        key = f"encoder.layer.1.attention.{name}.weight"
        state.pop(key)
        state |= {} if value is None else {key: value}
    save_file(state, folder / "model.safetensors")
    return folder


def test_query_without_key_is_refused(tmp_path: Path) -> None:
    folder = damaged(write_huggingface(tmp_path, encoder("v2")), key=None)
    with pytest.raises(
        UserError, match=r"query, key and value of encoder\.blocks\.1\.attn\.qkv\.weight are .*'missing'"
    ):
        read_pretrained(folder)


def test_foreign_key_is_listed(tmp_path: Path) -> None:
    """As the model with a classifier has, which puts its own prefix before the rest."""
    state = {f"vjepa2.{name}": value for name, value in to_huggingface(encoder("v2").state_dict()).items()}
    state["pooler.query_tokens"] = torch.zeros(1)
    save_file(state, write_huggingface(tmp_path, encoder("v2")) / "model.safetensors")
    with pytest.raises(UserError, match=r"pooler\.query_tokens is no part"):
        load_parts(read_pretrained(tmp_path), {"encoder": encoder("v2")}, SHALLOW)
    load_parts(read_pretrained(tmp_path), {"encoder": encoder("v2")}, [*SHALLOW, "pooler.*"])
