"""What pictures show of the latent: the level that evaluation reads, and both halves of the division."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from experiments.pictures.similarity import Halves
from vjepa.layout import Layout


def latent_parts(levels: Tensor, layout: Layout) -> dict[str, Tensor]:
    """Parts by title: the last level, and z_app and z_dyn where the latent is divided.

    Args:
        levels: (..., D), side by side.
        layout: of the model.
    """
    parts = {"features": levels[..., -layout.width :]}
    if layout.is_factorized:
        parts["z_app"], parts["z_dyn"] = layout.split(levels)
    return parts


def latent_halves(levels: Tensor, layout: Layout, title: str) -> Halves:
    """Spatially pooled z_app and z_dyn of a clip; without a division both halves of each level, as its control.

    Args:
        levels: (T, S, D), side by side.
        layout: of the model.
        title: of the clip or its encoder.
    """
    division = layout if layout.is_factorized else replace(layout, kind="within_level", app_ratio=0.5)
    app, dyn = (half.cpu().numpy() for half in division.split(levels.float().mean(dim=1)))
    return Halves(title, app, dyn, not layout.is_factorized)
