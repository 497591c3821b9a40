"""Parts of a representation: what a probe or a measure of stability reads of an encoder's channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from vjepa.layout import NUM_LEVELS, Layout
from vjepa.metrics import app_channels, random_splits

WHOLE = "whole"
"""All that the study's evaluation reads: the last level."""
LEVELS = "levels"
"""All levels side by side, which training divides into z_app and z_dyn."""


@dataclass(frozen=True)
class View:
    """Channels of a representation, under the name of their subspace.

    Args:
        name: as in the column ``subspace`` of results.
        channels: a range, or (k,) int64 positions.
    """

    name: str
    channels: slice | Tensor

    def select(self, features: Tensor) -> Tensor:
        """(..., C) -> (..., k); a range is a view of the memory."""
        if isinstance(self.channels, slice):
            return features[..., self.channels]
        channels = self.channels.to(features.device, non_blocking=True)  # no wait for what a GPU still computes
        return features.index_select(-1, channels)


ALL = View(WHOLE, slice(None))
"""Everything, for an encoder that returns one level or pixels."""


def division(name: str, app: Tensor) -> tuple[View, View]:
    """Both halves of a division, ``<name>.app`` and ``<name>.dyn``.

    Args:
        name: of the division.
        app: (C,) bool, channels of z_app.
    """
    return View(f"{name}.app", app.nonzero()[:, 0]), View(f"{name}.dyn", (~app).nonzero()[:, 0])


def level_views(width: int, app_ratio: float = 0.5, num_random: int = 0) -> tuple[View, ...]:
    """Views of all levels side by side: the last level, all, both layouts, and random divisions as their control.

    A model that was not factorized is divided by the very same channels: the control of the division itself.

    Args:
        width: E, channels of one level.
        app_ratio: share of z_app.
        num_random: random divisions of the same widths, named ``random<k>``.

    Returns:
        ``whole``, ``levels``, ``within_level.app``, ``.dyn``, ``by_level.app``, ``.dyn``, ``random0.app``, ...
    """
    total = NUM_LEVELS * width
    views = [View(WHOLE, slice(total - width, total)), View(LEVELS, slice(0, total))]
    app_width = 0
    for kind in ("within_level", "by_level"):
        app = app_channels(Layout(kind, width, app_ratio))  # type: ignore[arg-type]
        app_width = int(app.sum())
        views += division(kind, app)
    if num_random:
        for number, app in enumerate(random_splits(total, app_width, num_random)):
            views += division(f"random{number}", app)
    return tuple(views)


def named(views: Sequence[View], name: str) -> View:
    """The view of that name.

    Raises:
        KeyError: there is none.
    """
    for view in views:
        if view.name == name:
            return view
    raise KeyError(name)
