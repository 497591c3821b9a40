"""Divisions of a representation into two sets of channels: the designed one and its null controls.

d channels. A division is the (d,) bool of the channels in z_app; the others are z_dyn.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vjepa.layout import NUM_LEVELS, Layout
from vjepa.metrics.moments import CHUNK, cross_gram, mean_feature


def app_channels(layout: Layout, *, last_level: bool = False) -> Tensor:
    """Channels of z_app under a layout, for the features of any model of that width, factorized or not.

    Args:
        layout: ``by_level`` or ``within_level``.
        last_level: of the last level alone (E,) instead of all concatenated levels (L*E,).

    Returns:
        (d,) bool.

    Raises:
        ValueError: the layout is whole, or leaves a subspace of the last level empty, as ``by_level`` does.
    """
    width = layout.width if last_level else NUM_LEVELS * layout.width
    position = torch.arange(width)
    app, dyn = layout.split_last(position) if last_level else layout.split(position)
    if not len(app) or not len(dyn):
        empty = "z_app" if not len(app) else "z_dyn"
        raise ValueError(
            f"layout {layout.kind} with app_ratio {layout.app_ratio} leaves {empty} of the last level empty: "
            "use the concatenated levels, or layout within_level"
        )
    return torch.zeros(width, dtype=torch.bool).index_fill_(0, app, True)


def random_splits(width: int, app_width: int, num_splits: int = 100, seed: int = 0) -> Tensor:
    """Draw divisions at random, with z_app as wide as the designed one.

    Args:
        width: d.
        app_width: channels of z_app, in [1, d - 1].
        num_splits: S.
        seed: of an own generator; the global one is left alone.

    Returns:
        (S, d) bool on the CPU, ``app_width`` true in each row.

    Raises:
        ValueError: a subspace would be empty.
    """
    if not 1 <= app_width < width:
        raise ValueError(f"app_width must be in [1, {width - 1}] for {width} channels, got {app_width}")
    order = torch.rand(num_splits, width, generator=torch.Generator().manual_seed(seed)).argsort(1)
    return torch.zeros(num_splits, width, dtype=torch.bool).scatter_(1, order[:, :app_width], True)


@torch.no_grad()
def pca_basis(features: Tensor, chunk: int = CHUNK) -> tuple[Tensor, Tensor]:
    """Mean and principal directions of clean features: the control that divides by variance.

    Rotate clean and corrupted features by ``(z - mean) @ basis``; ``leading_channels`` then divides them.

    Args:
        features: (n, d), n >= 2.
        chunk: clips at a time.

    Returns:
        (d,) and (d, d), columns by falling variance.
    """
    mean = mean_feature(features, chunk)
    return mean, torch.linalg.eigh(cross_gram(features, features, mean, mean, chunk)).eigenvectors.flip(1)


def leading_channels(width: int, app_width: int) -> Tensor:
    """The first ``app_width`` of ``width`` channels, (width,) bool."""
    return torch.arange(width) < app_width


def swap_channels(features: Tensor, donor: Tensor, channels: Tensor) -> Tensor:
    """Features with some channels taken from another version of the same clips.

    Corrupted features with the clean z_dyn (``channels = ~app``) show how much of the damage sits in z_dyn; the clean
    ones with the corrupted z_dyn show whether it alone does the damage.

    Args:
        features, donor: (..., d) of one shape.
        channels: (d,) bool, those of ``donor``.

    Returns:
        (..., d), of the dtype of ``features``.

    Raises:
        ValueError: shapes do not fit.
    """
    if features.shape != donor.shape or channels.shape != features.shape[-1:] or channels.dtype != torch.bool:
        found = f"{tuple(features.shape)}, {tuple(donor.shape)} and {channels.dtype} {tuple(channels.shape)}"
        raise ValueError(f"expected two equal (..., d) and bool (d,), got {found}")
    return torch.where(channels.to(features.device), donor.to(features.dtype), features)
