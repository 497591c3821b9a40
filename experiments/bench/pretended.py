"""A GPU that need not be there: tensors that have the device and no values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from vjepa import pixels
from vjepa.module import VideoJEPA
from vjepa.nn import rope
from vjepa.objectives import sigreg


@contextmanager
def on_pretended_gpu(model: VideoJEPA) -> Iterator[Callable[[Tensor], Tensor]]:
    """Put the parameters of a model on a GPU that need not be there, for good; nothing holds values.

    Yields:
        What gives a tensor of the same shape there.
    """
    caches = (rope.rotary_table, pixels.channel_statistics)

    def forget() -> None:
        for cache in caches:
            cache.cache_clear()

    with FakeTensorMode(allow_non_fake_inputs=True), ExitStack() as stack:

        def away(value: Tensor) -> Tensor:
            return torch.empty(value.shape, dtype=value.dtype, device="cuda")

        for module in model.modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    module._parameters[name] = nn.Parameter(away(parameter), parameter.requires_grad)
        # Neither a generator nor the choice of an attention kernel can be pretended.
        stack.enter_context(patch.object(F, "scaled_dot_product_attention", _flash_attention))
        stack.enter_context(patch.object(sigreg, "directions", lambda w, n, *_: away(torch.empty(w, n))))
        forget()
        stack.callback(forget)
        yield away


def _flash_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    found: Tensor = torch.ops.aten._scaled_dot_product_flash_attention(query, key, value)[0]
    return found


@contextmanager
def autocast() -> Iterator[None]:
    """bf16 as on a GPU; torch's own context is switched off where there is none."""
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    torch.set_autocast_enabled("cuda", True)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.clear_autocast_cache()
