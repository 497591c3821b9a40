"""Whole training steps: how many clips a second, where the time goes, and how near that is to the machine's limit.

A step draws live masks, makes targets, predicts, and sums losses; then backward, AdamW and teacher. Only the clips are
made beforehand. The limit is what a large matrix product reaches in the same precision, before and after the steps; on
a processor through the faster of the libraries that torch has.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

import torch
from torch._dynamo.utils import counters
from torch.profiler import ProfilerActivity, profile

from experiments.bench.operations import FlopCounter, OperatorCounter
from experiments.bench.sizes import add_sizes, random_frames, settle, told
from experiments.bench.stepper import PHASES, Stepper
from experiments.bench.timing import Measurement, columns, interleaved, summarise, synchronize
from experiments.named_options import words
from experiments.overlays import variant_names
from experiments.side_by_side import threads
from vjepa.errors import UserError, unknown_name
from vjepa.module import VideoJEPA
from vjepa.nn.linear import affine

_LIMIT_SIDE = {"cuda": 8192, "cpu": 1024}
FIRST_STEPS = 5
"""Steps in which compiled blocks meet masks of several sizes, and should have been compiled for all."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Sizes and variants."""
    add_sizes(parser)
    parser.add_argument("--variants", default="baseline", help="with commas; the first is what others are compared to")
    parser.add_argument("--reading", choices=("as_described", "as_released"), default="as_described")
    parser.add_argument("--compile", action="store_true", help="with model.compute.compile")


def run(options: argparse.Namespace) -> Iterator[Measurement]:
    """Time a step of every variant in turn, then its parts, its operations and its memory."""
    options = settle(options)
    names = variants_of(options.variants)
    device, frames = torch.device(options.device), random_frames(options)
    with threads(options.threads) as count:
        before = matmul_rate(device, options.precision)
        steppers = {name: Stepper(variant_model(name, options).to(device), frames, options.precision) for name in names}
        first = {name: first_steps(stepper, device) for name, stepper in steppers.items()}
        compiled = _graphs()
        durations = interleaved(steppers, options.repeats, options.warmup, device)
        compiled_later = _graphs() - compiled
        limit = max(before, matmul_rate(device, options.precision))
        settings = {**told(options), "reading": options.reading, "compile": options.compile, "threads": count}
        first_step = options.warmup + options.repeats
        for measured in summarise("train", durations, dict.fromkeys(names, names[0]), settings):
            stepper = steppers[measured.case]
            seconds = measured.median_ms / 1e3
            operations = count_operations(stepper, first_step)
            figures: dict[str, float | str] = {
                "clips_per_second": options.batch / seconds,
                "gflop_per_clip": operations / options.batch / 1e9,
                "limit_gflop_per_second": limit / 1e9,
                "share_of_limit": operations / seconds / limit,
                "first_steps_seconds": first[measured.case],
                **phase_shares(stepper, first_step, options.repeats, device),
            }
            if options.compile:
                figures["graphs_compiled_later"] = compiled_later
            else:
                figures["operators_per_step"] = count_operators(stepper, first_step)
            if device.type == "cuda":
                figures |= on_gpu(stepper, first_step, device)
            yield replace(measured, figures=figures)


def variants_of(text: str) -> list[str]:
    """Names between commas, each once.

    Raises:
        UserError: none, or an unknown one; the nearest name is suggested.
    """
    names = list(dict.fromkeys(words(text)))
    if not names:
        raise UserError("--variants: expected at least one, for example baseline")
    for name in names:
        if name not in variant_names():
            raise unknown_name("variant", name, variant_names())
    return names


def variant_model(name: str, options: argparse.Namespace) -> VideoJEPA:
    """A variant of the study as ``vjepa fit`` makes it, with the sizes asked for; the context loss is on."""
    from experiments.load import instantiate
    from experiments.overlays import BASE, objective_overlay
    from experiments.training.resolve import resolve_settings

    words = [word for path in (BASE, objective_overlay(name)) for word in ("--config", str(path))]
    chosen = {"preset": options.preset, "patch_size": options.patch, "reading": options.reading}
    words += [f"--model.{key}={value}" for key, value in chosen.items()]
    words += ["--model.objectives.context.ramp_fractions=[0.0,0.0]", "--model.objectives.context.ramp=fractions"]
    words += [f"--model.compute.compile={'true' if options.compile else 'false'}"]
    model: VideoJEPA = instantiate(resolve_settings(words), "model", name, hint="")
    model.check_batch(options.batch, options.frames)
    return model


def matmul_rate(device: torch.device, precision: str, repeats: int = 10) -> float:
    """Operations a second of a product of two large square matrices, the median of several."""
    side, kind = _LIMIT_SIDE[device.type], torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    seconds = []
    for number in range(repeats + 2):
        synchronize(device)
        began = time.perf_counter()
        affine(a, b)
        synchronize(device)
        if number >= 2:
            seconds.append(time.perf_counter() - began)
    return 2.0 * side**3 / median(seconds)


def count_operations(stepper: Stepper, step: int) -> int:
    """Operations of one step: matrix products and attention, forward and backward; one addition counts as one."""
    with FlopCounter() as counter:
        stepper(step)
    return int(counter.get_total_flops())


def first_steps(stepper: Stepper, device: torch.device) -> float:
    """Seconds of the first steps, which compile what there is to compile."""
    began = time.perf_counter()
    for step in range(FIRST_STEPS):
        stepper(step)
    synchronize(device)
    return time.perf_counter() - began


def _graphs() -> int:
    """Graphs that have been compiled in this process."""
    return int(counters["stats"]["unique_graphs"])


def count_operators(stepper: Stepper, step: int) -> int:
    """Operators of one step that are no views: forward, backward, optimizer and teacher."""
    with OperatorCounter() as counter:
        stepper(step)
    return counter.count


def phase_shares(stepper: Stepper, first_step: int, repeats: int, device: torch.device) -> dict[str, float | str]:
    """Share of each phase of a step, each waited for: on a GPU that leaves out what the phases overlap."""
    seconds: dict[str, list[float]] = {phase: [] for phase in PHASES}
    for step in range(first_step, first_step + repeats):
        synchronize(device)
        began = time.perf_counter()
        for phase in stepper.phases(step):
            synchronize(device)
            ended = time.perf_counter()
            seconds[phase].append(ended - began)
            began = ended
    medians = {phase: median(values) for phase, values in seconds.items()}
    total = sum(medians.values())
    return {f"share_{phase}": value / total for phase, value in medians.items()}


def on_gpu(stepper: Stepper, first_step: int, device: torch.device, steps: int = 3) -> dict[str, float | str]:
    """Peak memory of a step, its kernels, and the share of the time in which none of them runs."""
    torch.cuda.reset_peak_memory_stats(device)
    stepper(first_step)
    synchronize(device)
    peak = torch.cuda.max_memory_allocated(device)
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiler:
        began = time.perf_counter()
        for step in range(first_step, first_step + steps):
            stepper(step)
        synchronize(device)
        elapsed = time.perf_counter() - began
    kernels = [event for event in profiler.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    busy = sum(event.device_time_total for event in kernels) / 1e6
    return {
        "memory_gib": peak / 2**30,
        "kernels_per_step": len(kernels) / steps,
        "share_launch_gaps": max(0.0, 1 - busy / elapsed),
    }


def table(measured: Sequence[Measurement]) -> str:
    """The measurements for reading."""
    header = ["variant", "ms a step", "quartiles", "against", "clips/s", "GFLOP/clip", "of limit", *PHASES, "first s"]
    compiled = any("graphs_compiled_later" in m.figures for m in measured)
    header += ["compiled later" if compiled else "operators"]
    on_gpu = any("memory_gib" in m.figures for m in measured)
    header += ["gaps", "GiB"] if on_gpu else []
    rows = []
    for m in measured:
        found = {name: float(value) for name, value in m.figures.items()}
        row = [m.case, f"{m.median_ms:.1f}", f"{m.low_ms:.1f}-{m.high_ms:.1f}"]
        row += ["" if m.case == m.reference else f"{100 * (m.ratio - 1):+.1f} %", f"{found['clips_per_second']:.1f}"]
        row += [f"{found['gflop_per_clip']:.2f}", f"{100 * found['share_of_limit']:.0f} %"]
        row += [f"{100 * found[f'share_{phase}']:.0f} %" for phase in PHASES]
        row += [f"{found['first_steps_seconds']:.1f}"]
        row += [f"{found['graphs_compiled_later' if compiled else 'operators_per_step']:,.0f}"]
        row += [f"{100 * found['share_launch_gaps']:.0f} %", f"{found['memory_gib']:.1f}"] if on_gpu else []
        rows.append(row)
    limit = max(float(m.figures["limit_gflop_per_second"]) for m in measured)
    return columns(header, rows) + f"\n\nlimit: {limit:,.0f} GFLOP/s, a large matrix product in the same precision"
