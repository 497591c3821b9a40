"""The frozen dataclasses that everything speaks: a clip becomes tokens, tokens become latents.

Shapes used throughout the project:
    B batch, F frames, T time steps (tubelets), H, W token grid, N = T*H*W tokens,
    K kept tokens of a mask, M masks a clip, E encoder width, L levels, D = L*E concatenated width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor

from vjepa.grid import Grid, gather_tokens
from vjepa.layout import Layout
from vjepa.pairs import Pairs, temporal_pairs

__all__ = ["Clip", "Grid", "Latents", "Masks"]


class _Movable:
    """Gives a dataclass of tensors ``to``, ``pin_memory`` and ``detach``, field by field."""

    def _map(self, function: Callable[[Tensor], Tensor]) -> Self:
        changes: dict[str, Any] = {}
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                changes[field.name] = function(value)
            elif isinstance(value, _Movable):
                changes[field.name] = value._map(function)
            elif isinstance(value, tuple) and value and isinstance(value[0], Tensor):
                changes[field.name] = tuple(function(item) for item in value)
        return replace(self, **changes)  # type: ignore[type-var]

    def to(self, device: torch.device | str) -> Self:
        """Return a copy whose tensors live on ``device``; nothing waits for what a GPU still computes."""
        # From a device, and to one of Apple's, values could be read before they are there.
        non_blocking = torch.device(device).type not in ("cpu", "mps")
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """Return a copy in page-locked memory (called by the DataLoader)."""
        return self._map(lambda tensor: tensor.pin_memory())

    def detach(self) -> Self:
        """Return a copy cut from the graph."""
        return self._map(lambda tensor: tensor.detach())


@dataclass(frozen=True)
class Clip(_Movable):
    """A batch of decoded clips, as a DataModule yields it.

    Args:
        frames: (B, F, H_px, W_px, 3) uint8, RGB, 0-255. F = 1 is an image.
        index: (B,) int64, position of each clip in its data set; stable, so it can name a clip.
        labels: (B, Q) int64, one column per task of the data set; -1 where the task does not apply.
    """

    frames: Tensor
    index: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return self.frames.shape[0]


@dataclass(frozen=True)
class Masks(_Movable):
    """Token indices of every mask of a step; M masks a clip.

    Args:
        context: M tensors (B, K_m) int64, ascending along K: what the online encoder sees.
        target: M tensors (B, K'_m) int64, ascending: what the predictor must predict.
    """

    context: tuple[Tensor, ...]
    target: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.context)


@dataclass(frozen=True)
class Latents(_Movable):
    """Everything a term may read in one training step.

    Args:
        pixels: (B, 3, F, H_px, W_px) normalised clip.
        grid: token grid.
        layout: division of the channels.
        masks: token indices of the M masks.
        targets: (B, N, D) target latents, normalised per level; carries a gradient only where the target slot does.
        context: M tensors (B, K_m, D), online encoder on the context.
        predicted: M tensors (B, K'_m, D), predictor on the targets.
        predicted_context: M tensors (B, K_m, D), predictor on the context.
        step: optimizer steps done before this one.
        total_steps: of the whole run.
        exponent: p of the error |x|^p / p.
    """

    pixels: Tensor
    grid: Grid
    layout: Layout
    masks: Masks
    targets: Tensor
    context: tuple[Tensor, ...]
    predicted: tuple[Tensor, ...]
    predicted_context: tuple[Tensor, ...]
    step: int = 0
    total_steps: int = 1
    exponent: float = 1.0

    @cached_property
    def pairs(self) -> tuple[Pairs, ...]:
        """For each mask, the context tokens whose successor in time is context too."""
        return tuple(temporal_pairs(indices, self.grid) for indices in self.masks.context)

    def target_tokens(self, mask: int) -> Tensor:
        """Targets at the tokens that mask ``mask`` predicts: (B, K', D)."""
        return gather_tokens(self.targets, self.masks.target[mask])

    def error(self, prediction: Tensor, target: Tensor) -> Tensor:
        """|prediction - target|^p / p in float32 or wider, element by element."""
        difference = prediction - target.float()  # a bf16 prediction is widened as it is read, without a copy
        del target  # as wide as the difference, and often gathered for this alone
        error = difference.abs()
        return error if self.exponent == 1.0 else error.pow(self.exponent) / self.exponent
