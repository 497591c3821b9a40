"""Small models with random weights, no two of them equal, and files of them in every layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from vjepa.interop import huggingface_config, to_huggingface, to_official
from vjepa.nn import Encoder, Predictor, Rope, preset

TINY = preset("tiny")
State = dict[str, Tensor]


def shaken(module: nn.Module, seed: int) -> nn.Module:
    """Every parameter drawn anew: biases and norms too, which start alike in all models."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data.copy_(0.1 * torch.randn(parameter.shape, generator=generator) + (parameter.data == 1.0))
    return module.requires_grad_(False).eval()


def encoder(rope: Rope = "v2_1", seed: int = 0) -> Encoder:
    made = shaken(Encoder(TINY, 8, 2, rope), seed)
    assert isinstance(made, Encoder)
    return made


def predictor(rope: Rope = "v2_1", seed: int = 9, num_mask_tokens: int = 2) -> Predictor:
    made = shaken(Predictor(TINY, 8, num_mask_tokens, rope), seed)
    assert isinstance(made, Predictor)
    return made


def write_official(path: Path, rope: Rope = "v2_1", **further: Any) -> tuple[Encoder, Encoder, Predictor]:
    """A file of online encoder, moving average and predictor; ``further`` adds or replaces entries."""
    online, teacher, narrow = encoder(rope, 1), encoder(rope, 2), predictor(rope)
    torch.save(to_official(online.state_dict(), teacher.state_dict(), narrow.state_dict()) | further, path)
    return online, teacher, narrow


def write_huggingface(folder: Path, source: Encoder, **config: Any) -> Path:
    """A folder as vjepa export writes it, for clips of 8 frames of 32 px."""
    folder.mkdir(exist_ok=True)
    save_file(to_huggingface(source.state_dict()), folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(huggingface_config(source, 8, 32) | config))
    return folder


def pixels(batch: int = 2, frames: int = 8, side: int = 32) -> Tensor:
    """Noise, (batch, 3, frames, side, side)."""
    return torch.randn(batch, 3, frames, side, side, generator=torch.Generator().manual_seed(0))


def equal(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[key], theirs[key]) for key in mine)
