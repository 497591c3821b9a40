"""A training step never waits for the device: it reads nothing back and copies no constant to it.

The first test needs no GPU: it runs the step on tensors that have a device and no values, which fail where a value is
read. What it cannot see are backward and optimizer; the second test, with a GPU, sees all of the step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException
from torch.utils._python_dispatch import TorchDispatchMode

from experiments.bench.pretended import on_pretended_gpu
from tests.vjepa.runs import every_term, model_of, noise_clip
from vjepa.latents import Masks
from vjepa.module import FactorizedVideoJEPA


class Copies(TorchDispatchMode):
    """Counts what crosses between the host and a device."""

    def __init__(self) -> None:
        super().__init__()
        self.found = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        source = {"_to_copy": 0, "copy_": 1}.get(func.overloadpacket.__name__)
        if source is not None and args[source].device.type != out.device.type:
            self.found += 1
        return out


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FactorizedVideoJEPA, Tensor]]:
    """A model of every term and its frames on a GPU that need not be there."""
    model, frames = model_of(FactorizedVideoJEPA, objectives=every_term()), noise_clip(2).frames
    masks = model.masks(model.encoder.grid(model.pixels(frames)), 2, step=0)
    with on_pretended_gpu(model) as away:
        drawn = Masks(tuple(map(away, masks.context)), tuple(map(away, masks.target)))
        monkeypatch.setattr(model, "masks", lambda *args, **kwargs: drawn)
        yield model, away(frames)


def test_no_value_is_read_and_no_constant_copied(pretended: tuple[FactorizedVideoJEPA, Tensor]) -> None:
    model, frames = pretended
    model.loss(model.latents(frames, step=0))  # fills what is kept from step to step
    with Copies() as copies:
        report = model.loss(model.latents(frames, step=1))
        report.logs()
    assert report.total.device.type == "cuda"
    with pytest.raises(DataDependentOutputException):
        float(report.total.detach())
    assert copies.found == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_whole_step_does_not_synchronise() -> None:
    model = model_of(FactorizedVideoJEPA, objectives=every_term()).cuda()
    optimizer, frames = model.configure_optimizers(), noise_clip(2).frames.cuda()
    try:
        for step in range(4):
            torch.cuda.set_sync_debug_mode("error" if step > 1 else "default")
            model.loss(model.latents(frames, step=step)).total.backward()
            optimizer.step()
            optimizer.zero_grad()
            model.target.update(model.encoder, step, 4)
    finally:
        torch.cuda.set_sync_debug_mode("default")
