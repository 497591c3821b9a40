"""Action prediction: colours of tiles, the head's input, and the loss by hand and against a loop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.vjepa.objectives.samples import Pair, build, mean_by_loop, one_place, sample
from vjepa.errors import UserError
from vjepa.grid import Grid
from vjepa.objectives.action import ActionPrediction, tile_colours


def constant_head(term: ActionPrediction, *colours: float) -> ActionPrediction:
    with torch.no_grad():
        for parameter in term.action_head.parameters():
            parameter.zero_()
        term.action_head[-1].bias.copy_(torch.tensor(colours))
    return term


@pytest.mark.parametrize(("error", "loss"), [("l1", (1 + 2 + 3 + 1 + 0 + 3) / 6), ("mse", (1 + 4 + 9 + 1 + 0 + 9) / 6)])
def test_error_of_a_constant_prediction(error: Any, loss: float) -> None:
    # Frame means of red 0, 2, 4, green 0, 4, 6, blue 0, 0, 0 change by (2, 4, 0) and (2, 2, 0).
    colours = torch.tensor([[0.0, 2.0, 4.0], [0.0, 4.0, 6.0], [0.0, 0.0, 0.0]])
    around = torch.tensor([-5.0, 5.0])  # two frames a time step, whose mean is the colour
    pixels = (colours[:, :, None] + around).flatten(1)[None, :, :, None, None].expand(1, 3, 6, 4, 4)
    latents = replace(one_place([(0.0, 0.0, 0.0)]), pixels=pixels)
    term = constant_head(build(ActionPrediction(hidden=5, error=error), "whole"), 1.0, 2.0, 3.0)
    assert term(latents).loss.item() == pytest.approx(loss)


def test_a_tile_is_the_tubelet_and_patch_of_its_token() -> None:
    grid = Grid(2, 3, 4)
    pixels = sample(grid, batch=2).pixels
    colours = tile_colours(pixels, grid)
    assert colours.shape == (2, 24, 3)
    for token in range(grid.num_tokens):
        time, (row, column) = token // 12, divmod(token % 12, 4)
        tile = pixels[:, :, 2 * time:, 4 * row:, 4 * column:][:, :, :2, :4, :4]  # fmt: skip
        torch.testing.assert_close(colours[:, token], tile.mean(dim=(2, 3, 4)))


@pytest.mark.parametrize("error", ["l1", "mse"])
@pytest.mark.parametrize("kind", ["whole", "by_level", "within_level"])
def test_equals_a_loop(kind: Any, error: Any) -> None:
    latents = sample(Grid(3, 2, 5), kind=kind)
    term = build(ActionPrediction(hidden=5, error=error), kind)
    colours = tile_colours(latents.pixels, latents.grid).double()

    def missed(tokens: Tensor, targets: Tensor, pair: Pair) -> Tensor:
        token = tokens[pair.place] if kind == "whole" else latents.layout.split(tokens[pair.place])[1]
        change = colours[pair.sample, pair.next] - colours[pair.sample, pair.now]
        difference = term.action_head(token.float()).double() - change
        return (difference.abs() if error == "l1" else difference.square()).mean()

    assert term(latents).loss.item() == pytest.approx(mean_by_loop(latents, missed), rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "inputs", "width"),
    [("whole", None, 24), ("within_level", None, 12), ("by_level", "dynamics", 12), ("by_level", "whole", 24)],
)
def test_the_head_sees_dynamics_where_the_layout_is_factorized(kind: Any, inputs: Any, width: int) -> None:
    term = build(ActionPrediction(hidden=5, inputs=inputs), kind)
    assert [tuple(p.shape) for p in term.action_head.parameters()] == [(5, width), (5,), (3, 5), (3,)]


def test_appearance_is_not_read_by_a_dynamics_head() -> None:
    latents = sample(kind="by_level")
    build(ActionPrediction(hidden=5), "by_level")(latents).loss.backward()
    for tokens in latents.context:
        assert tokens.grad is not None
        assert tokens.grad[..., :12].abs().sum() == 0
        assert tokens.grad[..., 12:].abs().sum() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 0}, "hidden 0: expected at least 1"),
        ({"error": "l2"}, "error 'l2': expected one of l1, mse"),
        ({"inputs": "dynamic"}, r"inputs 'dynamic' \(did you mean 'dynamics'\?\)"),
        ({"inputs": "dynamics"}, "needs layout by_level or within_level, but model.layout is whole"),
    ],
    ids=str,
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=rf"objectives\.action.*{message}"):
        build(ActionPrediction(**options), "whole")
