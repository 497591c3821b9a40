"""The layout of Hugging Face's ``VJEPA2Model``: a folder of config.json and model.safetensors.

Its attention keeps query, key and value apart, and its encoder has one norm, after the last block. Its predictor reads
and writes that one level, ours four: it is read under our names, which do not all fit, and is never written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vjepa.errors import UserError
from vjepa.interop.pretrained import Pretrained, State
from vjepa.layout import NUM_LEVELS
from vjepa.nn import Encoder

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
ARCHITECTURE = "VJEPA2Model"
LAST_NORM = f"norms_block.{NUM_LEVELS - 1}."

_FIXED = {"model_type": "vjepa2", "hidden_act": "gelu", "layer_norm_eps": 1e-6, "qkv_bias": True, "in_chans": 3}
"""What our encoder is; a folder of another value is refused."""

_FUSED = ("query", "key", "value")
_BY_PREFIX = {
    "encoder.embeddings.patch_embeddings.": ("encoder", "patch_embed."),
    "encoder.layer.": ("encoder", "blocks."),
    "encoder.layernorm.": ("encoder", LAST_NORM),
    "predictor.embeddings.predictor_embeddings.": ("predictor", "predictor_embed."),
    "predictor.layer.": ("predictor", "predictor_blocks."),
    "predictor.layernorm.": ("predictor", "predictor_norm."),
    "predictor.proj.": ("predictor", "predictor_proj."),
}
_MASK_TOKENS = "predictor.embeddings.mask_tokens"


def from_huggingface(state: State, config: Mapping[str, Any], source: Path) -> Pretrained:
    """Read the layout.

    Args:
        state: of the folder's weight files.
        config: of its config.json.
        source: the folder.

    Raises:
        UserError: the configuration is not that of a V-JEPA 2 that our encoder can be, or its query, key and value do
            not belong together.
    """
    for name, value in _FIXED.items():
        if config.get(name, None if name == "model_type" else value) != value:
            raise UserError(f"{source / CONFIG}: {name} is {config.get(name)!r}, expected {value!r}")
    parts: dict[str, dict[str, Tensor]] = {"encoder": {}}
    apart: dict[tuple[str, str], dict[str, Tensor]] = {}
    surplus = []
    for name, value in state.items():
        if name.removeprefix("vjepa2.") == _MASK_TOKENS:
            tokens = {f"mask_tokens.{number}": token for number, token in enumerate(value)}
            parts.setdefault("predictor", {}).update(tokens)
            continue
        found = _ours(name)
        if found is None:
            surplus.append(name)
            continue
        part, ours = found
        if match := re.fullmatch(r"(.*)\.attn\.(query|key|value)\.(weight|bias)", ours):
            apart.setdefault((part, f"{match[1]}.attn.qkv.{match[3]}"), {})[match[2]] = value
        else:
            parts.setdefault(part, {})[ours] = value
    for (part, ours), three in apart.items():
        shapes = [list(three[name].shape) if name in three else "missing" for name in _FUSED]
        if any(shape != shapes[0] for shape in shapes):
            raise UserError(
                f"{source}: query, key and value of {part}.{ours} are {shapes}, expected three of one shape"
            )
        parts.setdefault(part, {})[ours] = torch.cat([three[name] for name in _FUSED])
    heads = config.get("num_attention_heads", 16)  # the default of the format
    return Pretrained(source, "Hugging Face VJEPA2Model", parts, heads, tuple(surplus))


def to_huggingface(encoder: State) -> dict[str, Tensor]:
    """Write the encoder in the layout.

    Args:
        encoder: state dict of an ``Encoder`` with ``rope`` v2.

    Returns:
        Keys of ``VJEPA2Model``, each a tensor of its own; the three shallower norms have no place there.
    """
    found: dict[str, Tensor] = {}
    for name, value in encoder.items():
        if name.startswith("patch_embed."):
            found["encoder.embeddings.patch_embeddings." + name.removeprefix("patch_embed.")] = value
        elif name.startswith(LAST_NORM):
            found["encoder.layernorm." + name.removeprefix(LAST_NORM)] = value
        elif name.startswith("blocks."):
            theirs = "encoder.layer." + name.removeprefix("blocks.").replace(".attn.", ".attention.")
            pieces = zip(_FUSED, value.chunk(3), strict=True) if ".qkv." in theirs else [("qkv", value)]
            found.update({theirs.replace(".qkv.", f".{piece}."): each for piece, each in pieces})
    return {name: value.detach().cpu().clone() for name, value in found.items()}


def huggingface_config(encoder: Encoder, num_frames: int, size: int) -> dict[str, Any]:
    """Content of config.json.

    Args:
        encoder: with ``rope`` v2.
        num_frames: frames of the clips it saw.
        size: their side in pixels; positions are counted on the grid of this side.

    Raises:
        UserError: the encoder has ``rope`` v2_1, which the format cannot say.
    """
    if encoder.rope != "v2":
        raise UserError(
            "an encoder with model.rope v2_1 has no Hugging Face form: VJEPA2Model lists its rotary frequencies in "
            "another order, does not stretch positions, and has no modality vectors, so the same weights would give "
            "other tokens. Train with model.rope v2, or export --format official or safetensors"
        )
    sizes = encoder.preset
    return _FIXED | {
        "architectures": [ARCHITECTURE],
        "patch_size": encoder.patch,
        "crop_size": size,
        "frames_per_clip": num_frames,
        "tubelet_size": encoder.tubelet,
        "hidden_size": sizes.width,
        "num_hidden_layers": sizes.depth,
        "num_attention_heads": sizes.num_heads,
        "mlp_ratio": sizes.mlp_ratio,
        "pred_hidden_size": sizes.predictor_width,
        "pred_num_attention_heads": sizes.predictor_num_heads,
        "pred_num_hidden_layers": 0,  # no predictor is written
        "pred_num_mask_tokens": 1,
    }


def read_config(folder: Path) -> dict[str, Any]:
    """Content of a folder's config.json.

    Raises:
        UserError: it cannot be read as a JSON object.
    """
    try:
        found = json.loads((folder / CONFIG).read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / CONFIG} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise UserError(f"{folder / CONFIG}: expected an object, got {type(found).__name__}")
    return found


def _ours(name: str) -> tuple[str, str] | None:
    """Part and key of a name; ``vjepa2.`` stands before it in models with a head."""
    name = name.removeprefix("vjepa2.")
    for prefix, (part, ours) in _BY_PREFIX.items():
        if name.startswith(prefix):
            return part, ours + name.removeprefix(prefix).replace(".attention.", ".attn.")
    return None
