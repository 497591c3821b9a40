"""The layout slot: which channels are appearance and which are dynamics."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from vjepa.errors import UserError
from vjepa.layout import Layout

WIDTH = 4
LEVELS = torch.arange(4 * WIDTH)  # channel c of level l is 4 l + c


@pytest.mark.parametrize(
    ("kind", "ratio", "appearance"),
    [
        ("by_level", 0.5, [0, 1, 2, 3, 4, 5, 6, 7]),
        ("by_level", 0.3, [0, 1, 2, 3]),
        ("within_level", 0.5, [0, 1, 4, 5, 8, 9, 12, 13]),
        ("within_level", 0.3, [0, 4, 8, 12]),
        ("within_level", 0.75, [0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14]),
    ],
)
def test_split(kind: Any, ratio: float, appearance: list[int]) -> None:
    layout = Layout(kind, WIDTH, ratio)
    app, dyn = layout.split(LEVELS.expand(2, 3, -1))
    assert app[1, 2].tolist() == appearance
    assert dyn[1, 2].tolist() == [channel for channel in range(16) if channel not in appearance]
    assert (layout.app_width, layout.dyn_width) == (app.shape[-1], dyn.shape[-1])
    assert layout.is_factorized


@pytest.mark.parametrize(
    ("kind", "ratio", "appearance"),
    [("by_level", 0.5, []), ("by_level", 0.75, []), ("by_level", 0.9, [12, 13]), ("within_level", 0.5, [12, 13])],
)
def test_the_last_level_is_split_as_its_place_in_the_concatenation(
    kind: Any, ratio: float, appearance: list[int]
) -> None:
    layout = Layout(kind, WIDTH, ratio)
    app, dyn = layout.split_last(LEVELS[-WIDTH:])
    assert app.tolist() == appearance
    assert torch.equal(torch.cat((app, dyn)), LEVELS[-WIDTH:])
    assert set(app.tolist()) <= set(layout.split(LEVELS)[0].tolist())
    assert set(dyn.tolist()) <= set(layout.split(LEVELS)[1].tolist())


@pytest.mark.parametrize("method", ["split", "split_last"])
def test_whole_has_no_subspaces(method: str) -> None:
    layout = Layout("whole", WIDTH)
    assert not layout.is_factorized
    with pytest.raises(ValueError, match="layout whole"):
        getattr(layout, method)(LEVELS)


@pytest.mark.parametrize(
    ("kind", "ratio"), [("by_level", 0.0), ("by_level", 1.0), ("within_level", 0.1), ("within_level", 1.0)]
)
def test_an_empty_subspace_is_refused(kind: Any, ratio: float) -> None:
    with pytest.raises(UserError, match=rf"app_ratio {ratio} with layout {kind}.*empty"):
        Layout(kind, WIDTH, ratio)


def test_whole_ignores_the_ratio() -> None:
    Layout("whole", WIDTH, 0.0)
