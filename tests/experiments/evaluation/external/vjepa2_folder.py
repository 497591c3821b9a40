"""A tiny ``VJEPA2Model`` with random weights, as transformers saves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

SIZE, PATCH, TUBELET, WIDTH = 32, 8, 2, 48


def write_vjepa2(folder: Path, seed: int = 0) -> Any:
    """Save a model; it is returned as it was saved. Skips the test where transformers is not installed."""
    transformers = pytest.importorskip("transformers")
    config = transformers.VJEPA2Config(
        patch_size=PATCH, crop_size=SIZE, frames_per_clip=8, tubelet_size=TUBELET,
        hidden_size=WIDTH, num_attention_heads=2, num_hidden_layers=2,
        pred_hidden_size=24, pred_num_attention_heads=2, pred_num_hidden_layers=1,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.VJEPA2Model(config).eval()
    model.save_pretrained(folder)
    return model
