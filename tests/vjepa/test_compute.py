"""Choices of speed and memory change no loss and no gradient."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.utils import counters
from torch._inductor.utils import run_and_get_code

from tests.vjepa.runs import every_term, model_of, noise_clip
from vjepa.compute import ComputeOptions
from vjepa.module import FactorizedVideoJEPA, VideoJEPA
from vjepa.nn import blocks


def step(model: VideoJEPA, number: int = 0) -> tuple[Tensor, list[Tensor]]:
    loss = model.loss(model.latents(noise_clip(2).frames, step=number)).total
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return loss, list(torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True))


def test_checkpointed_gradients_are_equal_and_blocks_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = 0
    forward = blocks.Block.forward

    def counted(self: blocks.Block, *args: Any) -> Tensor:
        nonlocal runs
        runs += 1
        return forward(self, *args)

    monkeypatch.setattr(blocks.Block, "forward", counted)
    loss, gradients = step(model_of())
    plain, runs = runs, 0
    again, gradients_again = step(model_of(compute=ComputeOptions(activation_checkpointing=True)))
    assert torch.equal(loss, again)
    assert all(map(torch.equal, gradients, gradients_again))
    assert runs == plain + 4 + 2  # those of the encoder and of the predictor, not those of the teacher


def test_nothing_is_checkpointed_without_gradients() -> None:
    model = model_of(compute=ComputeOptions(activation_checkpointing=True))
    with torch.no_grad():
        assert model.loss(model.latents(noise_clip(2).frames, step=0)).total.isfinite()


MODELS: dict[str, Callable[[ComputeOptions], VideoJEPA]] = {
    "baseline": lambda compute: model_of(compute=compute),
    "every term": lambda compute: model_of(FactorizedVideoJEPA, objectives=every_term(), compute=compute),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MODELS))
def test_compiled_blocks_and_terms_follow_eager_ones_and_compile_once(name: str) -> None:
    if name == "every term" and torch.__version__ < "2.15":
        pytest.skip("older compilers fail on complex numbers and on constants of a module")
    torch._dynamo.reset()
    traces, sizes = {}, set()
    for compiled in (False, True):
        model = MODELS[name](ComputeOptions(compile=compiled))
        optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), 1e-3)
        losses = []
        for number in range(50):
            latents = model.latents(noise_clip(2).frames, step=number)
            sizes.add(tuple(each.shape[1] for each in (*latents.masks.context, *latents.masks.target)))
            loss = model.loss(latents).total
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
            if compiled and number == 9:
                compiled_after_warm_up = counters["stats"]["unique_graphs"]
        traces[compiled] = torch.stack(losses)
    assert len(sizes) > 5
    torch.testing.assert_close(traces[True], traces[False], rtol=1e-3, atol=1e-4)
    assert counters["stats"]["unique_graphs"] == compiled_after_warm_up > 0


@pytest.mark.slow
def test_compiled_terms_write_no_gathered_targets_and_no_errors() -> None:
    torch._dynamo.reset()
    model = model_of(compute=ComputeOptions(compile=True))
    latents, term = model.latents(noise_clip(2).frames, step=0), model.terms["prediction"]
    _, codes = run_and_get_code(lambda: term(latents).loss.backward())
    shapes = re.findall(r"= empty_strided_\w+\(\((.*?)\)", "\n".join(codes))
    # Of each mask one tensor (B, K', D): signs of the errors, which become the gradient in place.
    assert sum(shape.count(",") == 2 for shape in shapes) == len(latents.predicted) == 2
