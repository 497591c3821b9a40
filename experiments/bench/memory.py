"""What a training step keeps on a GPU, counted from shapes: nothing is computed, and no GPU need be there.

The forward pass runs on tensors that have a device and no values, in the precision and with the attention kernel of a
GPU; every storage is counted from its birth to its end. Its peak is that of the step where activations outweigh
gradients, which is from a few clips on. Left out is what is no tensor: the CUDA context, workspaces of kernels, and
what PyTorch's allocator cannot use between blocks.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from unittest.mock import patch

import torch

from experiments.bench.operations import StorageCounter
from experiments.bench.pretended import autocast, on_pretended_gpu
from experiments.bench.sizes import DEFAULTS, check_sizes, told
from experiments.bench.timing import Measurement, columns
from experiments.bench.train import variant_model, variants_of
from vjepa.latents import Grid, Masks
from vjepa.nn import PRESETS

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
            with autocast() if options.precision == "bf16" else nullcontext():
                model.loss(model.latents(frames, step=step))
    return kept, counter.peak


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
