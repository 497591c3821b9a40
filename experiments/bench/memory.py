"""What a training step keeps on a GPU, counted from shapes: nothing is computed, and no GPU need be there.

The forward pass runs on tensors that have a device and no values, in the precision and with the attention kernel of a
GPU; every storage is counted from its birth to its end. Its peak is that of the step where activations outweigh
gradients, which is from a few clips on. Left out is what is no tensor: the CUDA context, workspaces of kernels, and
what PyTorch's allocator cannot use between blocks.
"""

from __future__ import annotations

import argparse
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from experiments.bench.sizes import DEFAULTS, check_sizes, told
from experiments.bench.timing import Measurement, columns
from experiments.bench.train import variant_model, variants_of
from vjepa import pixels
from vjepa.latents import Grid, Masks
from vjepa.module import VideoJEPA
from vjepa.nn import PRESETS, rope
from vjepa.objectives import sigreg

STEPS = 8
"""Steps whose masks, of other sizes each, are tried; the largest peak counts."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Sizes and variants."""
    sizes = DEFAULTS["cuda"]
    parser.add_argument("--variants", default="baseline", help="with commas; the first is what others are compared to")
    parser.add_argument("--reading", choices=("as_described", "as_released"), default="as_described")
    parser.add_argument("--preset", default=sizes["preset"], choices=sorted(PRESETS))
    parser.add_argument("--batch", type=int, default=sizes["batch"], help="clips of a micro-batch")
    parser.add_argument("--precision", choices=("bf16", "float32"), default=sizes["precision"])
    parser.add_argument("--frames", type=int, default=16, help="frames of a clip")
    parser.add_argument("--size", type=int, default=sizes["size"], help="side in pixels")
    parser.add_argument("--patch", type=int, default=16, help="side of a patch in pixels")


def run(options: argparse.Namespace) -> Iterator[Measurement]:
    """Count every variant.

    Raises:
        UserError: an option out of range, or a variant that does not exist.
    """
    chosen = argparse.Namespace(**vars(options), device="cuda", compile=False)
    check_sizes(chosen)
    names = variants_of(chosen.variants)
    first = 0.0
    for name in names:
        kept, peak = step_bytes(name, chosen)
        first = first or peak
        figures: dict[str, float | str] = {
            "memory_gib": peak / 2**30,
            "kept_gib": kept / 2**30,
            "mib_per_clip": (peak - kept) / chosen.batch / 2**20,
        }
        settings = {**told(chosen), "reading": chosen.reading, "counted": True}
        yield Measurement("memory", name, names[0], 0.0, 0.0, 0.0, 0.0, peak / first, STEPS, settings, figures)


def step_bytes(variant: str, options: argparse.Namespace) -> tuple[int, int]:
    """Bytes between the steps (weights, teacher, moments, clips), and at the peak of the forward pass."""
    with torch.device("meta"):
        model = variant_model(variant, options)
    grid = Grid(options.frames // model.encoder.tubelet, *(2 * [options.size // options.patch]))
    unguided = replace(model.masker, motion=None)  # maps have no values here, and move blocks without resizing them
    drawn = [unguided(grid, options.batch, step=step, seed=0) for step in range(STEPS)]
    with on_pretended_gpu(model) as away, ExitStack() as stack:
        masks = [Masks(*(tuple(map(away, indices)) for indices in (each.context, each.target))) for each in drawn]
        stack.enter_context(patch.object(model, "masks", lambda *_, step, **__: masks[step]))
        frames = away(torch.empty(options.batch, options.frames, options.size, options.size, 3, dtype=torch.uint8))
        optimizer = model.train().configure_optimizers()
        trained = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
        moments = [torch.empty_like(p) for p in trained for _ in range(2)]
        counter = StorageCounter()
        counter.add([*model.parameters(), frames, *moments])
        kept = counter.live
        stack.enter_context(counter)
        for step in range(STEPS):
            with _bf16() if options.precision == "bf16" else nullcontext():
                model.loss(model.latents(frames, step=step))
    return kept, counter.peak


class StorageCounter(TorchDispatchMode):
    """Counts bytes of the storages on a kind of device that are alive, now and at most."""

    def __init__(self, device: str = "cuda") -> None:
        super().__init__()
        self.device = device
        self.live = self.peak = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def add(self, found: Iterable[Any]) -> None:
        """Take note of tensors; views of a storage count once."""
        for each in found:
            if isinstance(each, Tensor) and each.device.type == self.device:
                self._add(each.untyped_storage())
        self.peak = max(self.peak, self.live)

    def _add(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._known:
            self.live += size
            self._known[key] = weakref.ref(storage, lambda _: self._forget(key, size))

    def _forget(self, key: int, size: int) -> None:
        self.live -= size
        del self._known[key]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        self.add(tree_leaves(found))
        return found


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
def _bf16() -> Iterator[None]:
    """Autocast of a GPU; torch's own context is switched off where there is none."""
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    torch.set_autocast_enabled("cuda", True)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.clear_autocast_cache()


def table(measured: Sequence[Measurement]) -> str:
    """The counts for reading."""
    header = ("variant", "GiB at the peak", "against", "GiB between steps", "MiB a clip")
    rows = []
    for m in measured:
        found = {name: float(value) for name, value in m.figures.items()}
        against = "" if m.case == m.reference else f"{100 * (m.ratio - 1):+.1f} %"
        rows.append([
            m.case, f"{found['memory_gib']:.1f}", against, f"{found['kept_gib']:.1f}", f"{found['mib_per_clip']:.0f}",
        ])  # fmt: skip
    return columns(header, rows) + "\n\ncounted, not measured: tensors alone, at most those of the forward pass"
