"""What every objective owes the training step. A new one is tested here by being registered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.vjepa.objectives.samples import (
    CASES,
    GRID,
    MOVE_TARGETS,
    NO_KNOWN_ZERO,
    OPTIMA,
    PAIRLESS,
    TIMELESS,
    build,
    leaves,
    permuted,
    reordered,
    sample,
    without_pairs,
)  # fmt: skip
from vjepa.errors import UserError
from vjepa.grid import Grid
from vjepa.latents import Latents
from vjepa.module import FactorizedVideoJEPA, VideoJEPA
from vjepa.nn import PRESETS, Preset
from vjepa.objectives import REGISTRY, Objective, Objectives, Term, active, check_layouts
from vjepa.objectives.prediction import ContextPrediction, TargetPrediction
from vjepa.targets import TargetOptions

LAYOUTS = ("whole", "by_level", "within_level")
READINGS = ("as_described", "as_released")
registered = pytest.mark.parametrize("name", list(REGISTRY))
names = pytest.mark.parametrize("name", list(CASES))
layouts = pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name, (term, _) in CASES.items() for kind in LAYOUTS
     if kind in REGISTRY[term].layouts],
)  # fmt: skip
readings = pytest.mark.parametrize("reading", READINGS)


def raw(name: str) -> Objective:
    term, options = CASES[name]
    return REGISTRY[term](**options)


def make(name: str, kind: Any = "within_level", reading: Any = "as_described") -> Objective:
    return build(raw(name), kind, reading, temperature=1.0)


def latents_for(term: Objective, *args: Any, **options: Any) -> Latents:
    """Targets take a gradient where the term needs that."""
    return sample(*args, learned_targets=term.needs_target_gradient, **options)


def heads(term: Objective) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in term.named_parameters() if parameter.requires_grad}


def assert_sound(output: Term) -> None:
    assert output.loss.shape == ()
    assert output.loss.dtype == torch.float32
    assert output.loss.isfinite()
    for value in output.logs.values():
        assert value.shape == ()
        assert value.isfinite()
        assert not value.requires_grad


def assert_touches_heads(term: Objective, output: Term) -> None:
    if output.loss.requires_grad:
        output.loss.backward()
    for name, parameter in heads(term).items():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@layouts
@readings
def test_value_is_a_positive_finite_scalar(name: str, kind: str, reading: str) -> None:
    term = make(name, kind, reading)
    output = term(latents_for(term, kind=kind))
    assert_sound(output)
    assert output.loss > 0


@layouts
@readings
def test_gradients_reach_heads_and_tokens(name: str, kind: str, reading: str) -> None:
    term = make(name, kind, reading)
    latents = latents_for(term, kind=kind)
    output = term(latents)
    if not output.loss.requires_grad:
        assert heads(term) == {}, "a term without gradient must freeze its heads"
        return
    output.loss.backward()
    reached = [leaf.grad for leaf in leaves(latents) if leaf.grad is not None]
    assert any(gradient.abs().sum() > 0 for gradient in reached)
    assert all(gradient.isfinite().all() for gradient in reached)
    for head, parameter in heads(term).items():
        assert parameter.grad is not None, head
        assert parameter.grad.abs().sum() > 0, head


@names
@readings
def test_in_a_model_every_trainable_parameter_is_reached_and_the_teacher_never(
    name: str, reading: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PRESETS, "minute", Preset(24, 4, 2, 16, 1, 2))
    term = raw(name)
    terms = {"prediction": TargetPrediction(), "context": ContextPrediction(), term.name: term}
    cls, kind = (VideoJEPA, "whole") if "whole" in term.layouts else (FactorizedVideoJEPA, "factorized")
    target = TargetOptions(kind="self" if term.needs_target_gradient else "ema")
    model = cls(
        preset="minute", patch_size=8, layout=kind, reading=reading, objectives=Objectives(**terms), target=target
    )
    frames = torch.randint(0, 256, (2, 8, 24, 24, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    model.loss(model.latents(frames, step=0)).total.backward()
    for parameter, value in model.named_parameters():
        assert (value.grad is not None) is value.requires_grad, parameter
        assert not (parameter.startswith("target.") and value.requires_grad), parameter
    assert model.encoder.blocks[0].attn.qkv.weight.grad.abs().sum() > 0


@names
def test_only_some_terms_move_the_targets(name: str) -> None:
    latents = sample(learned_targets=True)
    output = make(name)(latents)
    if output.loss.requires_grad:
        output.loss.backward()
    moved = latents.targets.grad is not None and bool(latents.targets.grad.abs().sum() > 0)
    assert moved == (name in MOVE_TARGETS)


@layouts
def test_order_of_samples_does_not_matter(name: str, kind: str) -> None:
    latents = sample(batch=4, kind=kind)
    shuffled = permuted(latents, torch.tensor([2, 0, 3, 1]))
    losses = [make(name, kind)(each).loss for each in (latents, shuffled)]
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-5, atol=1e-6)


@layouts
def test_order_of_tokens_does_not_matter(name: str, kind: str) -> None:
    latents = sample(batch=4, kind=kind)
    losses = [make(name, kind)(each).loss for each in (latents, reordered(latents))]
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-5, atol=1e-6)


@names
@readings
def test_zero_at_the_known_optimum(name: str, reading: str) -> None:
    term, latents = make(name, reading=reading), sample()
    assert term(latents).loss > 1e-3
    if term.name not in NO_KNOWN_ZERO:
        assert term(OPTIMA[term.name](latents, term)).loss.item() == pytest.approx(0.0, abs=1e-6)


@names
def test_tokens_of_zero_give_no_nan(name: str) -> None:
    term = make(name)
    some = latents_for(term)
    tokens: dict[str, Any] = {
        field: tuple(torch.zeros_like(rows).requires_grad_() for rows in getattr(some, field))
        for field in ("context", "predicted", "predicted_context")
    }
    targets = torch.zeros_like(some.targets).requires_grad_(term.needs_target_gradient)
    latents = replace(some, pixels=torch.zeros_like(some.pixels), targets=targets, **tokens)
    output = term(latents)
    assert_sound(output)
    assert_touches_heads(term, output)
    assert all(leaf.grad.isfinite().all() for leaf in leaves(latents) if leaf.grad is not None)


@layouts
@readings
def test_bf16_autocast(name: str, kind: str, reading: str) -> None:
    term = make(name, kind, reading)
    latents = latents_for(term, kind=kind)
    expected = make(name, kind, reading)(latents).loss.item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = term(latents)
    assert_sound(output)
    assert output.loss.item() == pytest.approx(expected, rel=0.05)
    assert_touches_heads(term, output)


@names
def test_bf16_tokens(name: str) -> None:
    """Linear layers give bf16 under autocast: the predictions of a model, and its tokens if it is all bf16."""
    term = make(name)
    latents = latents_for(term)
    tokens: dict[str, Any] = {
        field: tuple(rows.bfloat16() for rows in getattr(latents, field))
        for field in ("context", "predicted", "predicted_context")
    }
    expected = make(name)(latents).loss.item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = term(replace(latents, targets=latents.targets.bfloat16(), **tokens))
    assert_sound(output)
    assert output.loss.item() == pytest.approx(expected, rel=0.05)


@layouts
@readings
def test_one_time_step(name: str, kind: str, reading: str) -> None:
    term = make(name, kind, reading)
    output = term(latents_for(term, Grid(1, 3, 4), kind=kind))
    assert_sound(output)
    assert (output.loss > 0) == (name in TIMELESS)
    assert_touches_heads(term, output)


@names
@readings
def test_no_valid_pair(name: str, reading: str) -> None:
    latents, term = without_pairs(), make(name, reading=reading)
    assert not any(pairs.valid.any() for pairs in latents.pairs)
    output = term(latents)
    assert_sound(output)
    assert (output.loss > 0) == (name in PAIRLESS)
    assert_touches_heads(term, output)


@names
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("num_masks", [1, 3])
@pytest.mark.parametrize("grid", [GRID, Grid(3, 5, 7), Grid(2, 1, 9), Grid(5, 4, 1)], ids=str)
def test_any_grid_any_masks_any_batch(name: str, grid: Grid, num_masks: int, batch: int) -> None:
    term = make(name)
    latents = latents_for(term, grid, batch, num_masks)
    output = term(latents)
    assert_sound(output)
    assert_touches_heads(term, output)
    assert all(leaf.grad.isfinite().all() for leaf in leaves(latents) if leaf.grad is not None)


@names
def test_log_keys_are_stable(name: str) -> None:
    term = make(name)
    keys = [list(term(latents).logs) for latents in (sample(), sample(seed=1), sample(Grid(1, 3, 4)), without_pairs())]
    assert all(each == keys[0] for each in keys)


@names
def test_schedule_stays_between_zero_and_one(name: str) -> None:
    term = make(name)
    assert all(0 <= term.factor(step, 100) <= 1 for step in range(0, 201, 5))


@registered
def test_negative_weight_is_refused(name: str) -> None:
    assert REGISTRY[name](weight=0.0).weight == 0.0
    with pytest.raises(UserError, match=rf"objectives\.{name}\.weight -0\.5: expected a number >= 0"):
        REGISTRY[name](weight=-0.5)


@pytest.mark.parametrize("name", [name for name, cls in REGISTRY.items() if "whole" not in cls.layouts])
def test_a_term_that_needs_subspaces_refuses_whole(name: str) -> None:
    with pytest.raises(
        UserError, match=rf"objectives\.{name} needs layout by_level or within_level, but model.layout is whole"
    ):
        make(name, "whole")


@pytest.mark.parametrize("name", [name for name in CASES if raw(name).needs_target_gradient])
def test_a_term_on_the_targets_refuses_a_teacher(name: str) -> None:
    for target in (TargetOptions(), TargetOptions(kind="self", stop_gradient=True)):
        with pytest.raises(UserError, match=rf"objectives\.{CASES[name][0]} acts on the targets, but model\.target"):
            VideoJEPA(preset="tiny", objectives=Objectives(**{CASES[name][0]: raw(name)}), target=target)


def test_terms_that_no_layout_suits_together_are_refused() -> None:
    class Undivided(Objective):
        name = "undivided"
        layouts = frozenset({"whole"})

    class Divided(Objective):
        name = "divided"
        layouts = frozenset({"by_level", "within_level"})

    check_layouts([TargetPrediction(), Undivided()])
    check_layouts([TargetPrediction(), Divided()])
    expected = "objectives.undivided needs layout whole, but objectives.divided needs layout by_level or within_level"
    with pytest.raises(UserError, match=expected):
        check_layouts([TargetPrediction(), Undivided(), Divided()])


def test_registry_and_config_agree() -> None:
    assert list(Objectives.__dataclass_fields__) == list(REGISTRY)
    assert list(REGISTRY)[:2] == ["prediction", "context"]
    assert all(cls.name == name for name, cls in REGISTRY.items())
    assert set(REGISTRY) == set(OPTIMA) | NO_KNOWN_ZERO, "a new term says how to reach zero, or that none is known"
    assert set(CASES) >= PAIRLESS | MOVE_TARGETS
    chosen = Objectives(hard_region=REGISTRY["hard_region"](), prediction=TargetPrediction())
    assert list(active(chosen)) == ["prediction", "hard_region"]
