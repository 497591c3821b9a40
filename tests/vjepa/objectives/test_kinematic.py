"""Kinematic smoothness, by hand and against loops."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.vjepa.objectives.samples import WIDTH, build, layout, sample, without_pairs
from vjepa.errors import UserError
from vjepa.grid import Grid
from vjepa.latents import Latents, Masks
from vjepa.objectives import ModelFacts
from vjepa.objectives.kinematic import KinematicSmoothness

FORMS = ("l1", "huber", "acceleration")


def term_of(kind: Any = "whole", **options: Any) -> KinematicSmoothness:
    return build(KinematicSmoothness(**options), kind)


def path(*heights: float, context: tuple[int, ...] | None = None) -> Latents:
    """One patch whose targets and tokens are the same in every channel, given by time step."""
    targets = torch.tensor(heights)[None, :, None].expand(1, -1, 4 * WIDTH)
    indices = torch.tensor([range(len(heights)) if context is None else context])
    latents = sample(Grid(len(heights), 1, 1), 1, masks=Masks((indices,), (indices,)))
    return replace(latents, targets=targets, context=(targets[:, indices[0]],))


@pytest.mark.parametrize("tokens", ["targets", "context"])
@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("l1", (0.05 + 3.0 + 1.0) / 3),
        # Quadratic up to 0.1, then 0.1 * (|x| - 0.05).
        ("huber", (0.5 * 0.05**2 + 0.1 * (3.0 - 0.05) + 0.1 * (1.0 - 0.05)) / 3),
        ("acceleration", (2.95 + 4.0) / 2),
    ],
)
def test_forms_by_hand(tokens: Any, form: Any, expected: float) -> None:
    latents = path(1.0, 1.05, 4.05, 3.05)
    assert term_of(tokens=tokens, form=form)(latents).loss.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("form", "expected"), [("l1", (1 + 5 + 7) / 3), ("acceleration", 4.0)])
def test_context_counts_only_steps_that_stay_in_it(form: Any, expected: float) -> None:
    # Steps 0, 1, 2 and then 4, 5 are visible: pairs (0,1), (1,2), (4,5), and one triple.
    latents = path(0.0, 1.0, 6.0, 100.0, 0.0, 7.0, context=(0, 1, 2, 4, 5))
    assert term_of(tokens="context", form=form)(latents).loss.item() == pytest.approx(expected)


@pytest.mark.parametrize("form", FORMS)
def test_context_equals_a_loop(form: Any) -> None:
    latents, cost = sample(kind="whole"), lambda x: x.abs().mean()
    if form == "huber":
        cost = lambda x: torch.where(x.abs() <= 0.1, x.square() / 2, 0.1 * (x.abs() - 0.05)).mean()  # noqa: E731
    means, stride = [], latents.grid.frame_tokens
    for indices, tokens in zip(latents.masks.context, latents.context, strict=True):
        found: list[Tensor] = []
        for row, values in zip(indices.tolist(), tokens, strict=True):
            at = dict(zip(row, values, strict=True))
            for now in row:
                later, last = at.get(now + stride), at.get(now + 2 * stride)
                if form == "acceleration" and later is not None and last is not None:
                    found.append(cost(last - 2 * later + at[now]))
                elif form != "acceleration" and later is not None:
                    found.append(cost(later - at[now]))
        means.append(torch.stack(found).mean())
    expected = torch.stack(means).mean()
    torch.testing.assert_close(term_of(tokens="context", form=form)(latents).loss, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("tokens", ["targets", "context"])
@pytest.mark.parametrize(("form", "steps"), [("l1", 1), ("huber", 1), ("acceleration", 1), ("acceleration", 2)])
def test_too_few_steps_are_zero_and_still_in_the_graph(tokens: Any, form: Any, steps: int) -> None:
    latents = sample(Grid(steps, 3, 3), learned_targets=True)
    loss = term_of(tokens=tokens, form=form)(latents).loss
    assert loss.item() == 0.0
    loss.backward()
    leaf = latents.targets if tokens == "targets" else latents.context[0]
    assert leaf.grad is not None and leaf.grad.abs().sum() == 0


def test_no_context_triple_is_zero() -> None:
    assert term_of(tokens="context", form="acceleration")(without_pairs()).loss.item() == 0.0


@pytest.mark.parametrize(
    ("options", "read"),
    [
        ({}, range(24)), ({"share": 0.5}, range(12)), ({"share": 0.1}, range(2)),
        ({"share": 0.5, "split": "within_level"}, [c for c in range(24) if c % 6 < 3]),
        ({"share": 1.0, "split": "within_level"}, range(24)),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("tokens", ["targets", "context"])
def test_share_of_the_channels(options: dict[str, Any], read: Any, tokens: Any) -> None:
    latents = sample(learned_targets=True)
    term_of(tokens=tokens, **options)(latents).loss.backward()
    gradient = latents.targets.grad if tokens == "targets" else latents.context[0].grad
    assert gradient is not None
    assert gradient.abs().sum(dim=(0, 1)).nonzero().flatten().tolist() == list(read)
    assert latents.targets.grad is None or latents.context[0].grad is None


def test_annealing_falls_in_a_hundred_stairs() -> None:
    term = term_of(anneal=True)
    assert term.factor(0, 30_000) == term.factor(299, 30_000) == 1.0
    assert term.factor(300, 30_000) == pytest.approx(0.5 * (1 + math.cos(math.pi / 100)))
    assert term.factor(15_000, 30_000) == pytest.approx(0.5)
    assert term.factor(29_999, 30_000) == pytest.approx(0.5 * (1 + math.cos(0.99 * math.pi)))
    assert term.factor(30_000, 30_000) == term.factor(90_000, 30_000) == 0.0
    assert term_of().factor(29_999, 30_000) == 1.0


def test_targets_need_a_gradient_and_context_does_not() -> None:
    facts = ModelFacts(4 * WIDTH, layout("whole"))
    KinematicSmoothness(tokens="context").build(facts)
    with pytest.raises(UserError, match=r"objectives\.kinematic acts on the targets.*model\.target\.kind to self"):
        KinematicSmoothness().build(facts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "l2"}, r"form 'l2'.*l1, huber, acceleration"),
        ({"tokens": "target"}, r"tokens 'target' \(did you mean 'targets'\?\)"),
        ({"split": "levels"}, r"split 'levels'.*by_level, within_level"),
        ({"share": 0.0}, r"share 0\.0: expected a number in \(0, 1\]"),
        ({"share": 1.5}, r"share 1\.5"),
        ({"share": 0.04}, r"share 0\.04 of 24 channels leaves none"),
        ({"share": 0.16, "split": "within_level"}, r"share 0\.16 of 6 channels leaves none: expected at least 0\.17"),
    ],
    ids=str,
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=rf"objectives\.kinematic\.{message}"):
        term_of(**options)
