"""The layout of official files and of the study's checkpoints: names are mapped one to one, and nothing is lost."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import Golden
from tests.vjepa.interop.made import encoder, equal, pixels, predictor, write_official
from vjepa.errors import UserError
from vjepa.interop import load_parts, read_pretrained, to_official
from vjepa.interop.official import from_official
from vjepa.nn import Encoder, Predictor, Preset, Rope

# The key layout of spec a.6, written out once by hand for an encoder of four blocks and a predictor of two.
BLOCK = [
    f"{name}.{kind}"
    for name in ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
    for kind in ("weight", "bias")
]
PATCHES = [
    "patch_embed.proj.weight",
    "patch_embed.proj.bias",
    "patch_embed_img.proj.weight",
    "patch_embed_img.proj.bias",
]
ENCODER = {
    *("img_mod_embed", "video_mod_embed"), *PATCHES,
    *(f"blocks.{number}.{name}" for number in range(4) for name in BLOCK),
    *(f"norms_block.{number}.{kind}" for number in range(4) for kind in ("weight", "bias")),
}  # fmt: skip
PREDICTOR = {
    *("img_mod_embed", "video_mod_embed", "mask_tokens.0", "mask_tokens.1"),
    *(f"predictor_embed.{number}.{kind}" for number in (0, 2) for kind in ("weight", "bias")),
    *(f"predictor_blocks.{number}.{name}" for number in range(2) for name in BLOCK),
    *(f"{name}.{kind}" for name in ("predictor_norm", "predictor_proj", "predictor_proj_context")
      for kind in ("weight", "bias")),
}  # fmt: skip


def test_keys_are_those_of_official_files() -> None:
    layout = to_official(encoder().state_dict(), encoder().state_dict(), predictor().state_dict())
    assert layout.keys() == {"encoder", "target_encoder", "predictor"}
    for part, expected in (("encoder", ENCODER), ("target_encoder", ENCODER), ("predictor", PREDICTOR)):
        assert layout[part].keys() == {f"module.backbone.{name}" for name in expected}


def test_v2_has_the_norm_of_v_jepa_2() -> None:
    source = encoder("v2")
    written = to_official(source.state_dict(), None, predictor("v2").state_dict())
    assert written.keys() == {"encoder", "predictor"}
    found = {name.removeprefix("module.backbone.") for name in written["encoder"]}
    assert found == {name for name in ENCODER if "mod_embed" not in name and "embed_img" not in name} - {
        "norms_block.3.weight", "norms_block.3.bias",
    } | {"norm.weight", "norm.bias"}  # fmt: skip
    assert torch.equal(written["encoder"]["module.backbone.norm.weight"], source.norms_block[3].weight)


@pytest.mark.parametrize("rope", ["v2_1", "v2"])
def test_round_trip_is_exact(tmp_path: Path, rope: Rope) -> None:
    sources = write_official(tmp_path / "official.pt", rope)
    found = read_pretrained(tmp_path / "official.pt")
    assert (found.rope, found.preset, found.patch_and_tubelet) == (rope, "tiny", (8, 2))
    assert found.layout == f"official V-JEPA {'2.1' if rope == 'v2_1' else '2'} layout"
    for part, source, other in zip(
        ("encoder", "teacher", "predictor"), sources, (encoder(rope), encoder(rope), predictor(rope, 5)), strict=True
    ):
        assert not equal(source, other)
        assert load_parts(found, {part: other}) == []
        assert equal(source, other)


def test_checkpoint_of_the_study(tmp_path: Path) -> None:
    """Its training state is passed over, and its six mask tokens need a predictor of six."""
    tensors = {"layer.weight": torch.zeros(2)}
    six = predictor(num_mask_tokens=6)
    state = {f"module.backbone.{name}": value for name, value in six.state_dict().items()}
    online, teacher, _ = write_official(
        tmp_path / "latest.pth.tar",
        predictor=state, opt={"state": {}, "param_groups": []}, scaler={}, hamiltonian_net=tensors, action_head=tensors,
        dyn_head=tensors, epoch=3, loss=0.5, batch_size=8, world_size=4, lr=6e-4,
    )  # fmt: skip
    found = read_pretrained(tmp_path / "latest.pth.tar")
    assert found.surplus == ()
    fresh = encoder(seed=3), encoder(seed=4), predictor(num_mask_tokens=6, seed=5)
    load_parts(found, dict(zip(("encoder", "teacher", "predictor"), fresh, strict=True)))
    assert [equal(*pair) for pair in zip(fresh, (online, teacher, six), strict=True)] == [True] * 3
    with pytest.raises(UserError, match=r"predictor\.mask_tokens\.5 is unknown"):
        load_parts(found, {"predictor": predictor()})


@pytest.mark.parametrize("prefix", ["", "module.", "backbone.", "module.backbone."])
@pytest.mark.parametrize("name", ["target_encoder", "ema_encoder"])
def test_other_wrappers_and_names(prefix: str, name: str) -> None:
    source = encoder()
    state = {prefix + key: value for key, value in source.state_dict().items()}
    found = from_official({name: state}, Path("some.pt"))
    assert found.parts.keys() == {"encoder"}, "what is alone is the encoder"
    load_parts(found, {"encoder": (other := encoder(seed=1))})
    assert equal(source, other)


def test_file_of_v_jepa_2_lacks_the_shallow_norms() -> None:
    """As official V-JEPA 2 files are: one norm, a predictor of one level, perhaps a table of positions."""
    source = encoder("v2")
    state = {f"module.backbone.{name}": value for name, value in source.state_dict().items() if "norms_" not in name}
    state |= {f"module.backbone.norm.{name}": value for name, value in source.norms_block[3].state_dict().items()}
    found = from_official(
        {"target_encoder": state | {"module.backbone.pos_embed": torch.zeros(1, 64, 96)}}, Path("l.pt")
    )
    other = encoder("v2", 1)
    kept = [level.weight.clone() for level in other.norms_block]
    with pytest.raises(UserError) as error:
        load_parts(found, {"encoder": other})
    lines = [line for line in str(error.value).splitlines() if line.startswith("  ")]
    assert len(lines) == 7 and "  encoder.pos_embed is unknown" in lines
    assert {line.split()[0] for line in lines if line.endswith("missing")} == {
        f"encoder.norms_block.{number}.{kind}" for number in range(3) for kind in ("weight", "bias")
    }
    assert "allow: encoder.norms_block.0.*, encoder.norms_block.1.*" in str(error.value)
    assert all(torch.equal(level.weight, weight) for level, weight in zip(other.norms_block, kept, strict=True))
    load_parts(found, {"encoder": other}, ["encoder.norms_block.[012].*", "encoder.pos_embed"])
    assert torch.equal(other.norms_block[3].weight, source.norms_block[3].weight)
    assert torch.equal(other.norms_block[0].weight, kept[0])
    assert torch.equal(source(pixels()), other(pixels()))


@pytest.mark.parametrize(
    ("loaded", "message"),
    [
        ({"encoder": {"blocks": 3}}, "encoder.blocks is int, expected a tensor"),
        ({"encoder": {}, "predictor": 4}, "predictor is int, expected a state dict"),
        ({"encoder": {"a": torch.zeros(1), "module.a": torch.zeros(1)}}, "two keys for a, one of them module.a"),
    ],
)
def test_what_is_no_state_dict(loaded: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        from_official(loaded, Path("some.pt"))


def test_unknown_entry_is_refused_unless_named() -> None:
    found = from_official({"encoder": encoder().state_dict(), "decoder": {}}, Path("some.pt"))
    with pytest.raises(UserError, match="decoder is no part of a checkpoint"):
        load_parts(found, {"encoder": encoder()})
    load_parts(found, {"encoder": encoder()}, ["decoder"])


def test_the_study_loads_under_its_own_names_and_gives_its_own_tokens(golden: Golden) -> None:
    """``tiny_state`` holds the names that the study's code has, without the prefix of its processes."""
    state = golden("tiny_state")
    loaded: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in state.items():
        part, _, name = key.partition("/")
        loaded.setdefault(part, {})[f"module.{name}"] = value
    found = from_official(loaded, Path("latest.pth.tar"))
    studied = Encoder(Preset(64, 12, 2, 32, 8, 4), 16, 2).eval()
    narrow = Predictor(studied.preset, 16, 2)
    assert found.rope == "v2_1" and load_parts(found, {"encoder": studied, "predictor": narrow}) == []
    case = golden("tiny_forward")
    torch.testing.assert_close(studied(case["clip"]), case["eval_video"], atol=1e-4, rtol=0)
