"""What training on many GPUs would take, worked out from one GPU's speed: a simulation, not a measurement.

Operations and bytes are counted from the model. A step of n GPUs takes the arithmetic of its clips, and of the exchange
of gradients what does not hide behind the backward pass:

    t(n) = compute + max(0, exchange(n) - hidden * compute) + messages(n)
    exchange(n) = 2 (n - 1) / n * bytes / bandwidth,  messages(n) = 2 (n - 1) * latency of the last bucket

Weak scaling keeps the clips of a GPU, strong scaling those of all GPUs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import torch

from experiments.bench.operations import FlopCounter
from experiments.bench.timing import Measurement, columns
from vjepa.errors import UserError
from vjepa.module import VideoJEPA
from vjepa.nn import PRESETS

BENCH = "scaling"
_COUNTED = 16
GPUS = (1, 2, 4, 8, 16, 32, 64)
BYTES = 4  # of a gradient: float32, as DDP exchanges them


@dataclass(frozen=True)
class Cluster:
    """What the simulation assumes.

    Args:
        flops: operations a second that training reaches on one GPU.
        node: GPUs of a node.
        inside, between: bytes a second of a GPU to its neighbours within a node, and of a GPU to another node.
        latency: seconds of a message.
        hidden: share of the arithmetic behind which the exchange can hide: most of the backward pass.
    """

    flops: float
    node: int = 8
    inside: float = 300e9
    between: float = 25e9
    latency: float = 15e-6
    hidden: float = 0.5


@dataclass(frozen=True)
class Work:
    """A preset's work: operations of a clip, and bytes of the gradients of a step."""

    flop_per_clip: float
    gradient_bytes: int


def exchanged_bytes(work: Work, gpus: int) -> float:
    """Bytes that a GPU sends in a ring all-reduce of the gradients."""
    return 2 * (gpus - 1) / gpus * work.gradient_bytes


def step_seconds(work: Work, clips: float, gpus: int, cluster: Cluster) -> float:
    """Seconds of a step in which every GPU trains on ``clips``."""
    compute = clips * work.flop_per_clip / cluster.flops
    bandwidth = cluster.inside if gpus <= cluster.node else cluster.between
    exchange = exchanged_bytes(work, gpus) / bandwidth
    return compute + max(0.0, exchange - cluster.hidden * compute) + 2 * (gpus - 1) * cluster.latency


@cache
def work_of(preset: str, frames: int, size: int, patch: int) -> Work:
    """Count a training step of the baseline with the study's masks, on tensors without values."""
    with torch.device("meta"):
        model = VideoJEPA(preset=preset, patch_size=patch)
    shown = torch.zeros(2, frames, size, size, 3, dtype=torch.uint8, device="meta")
    with FlopCounter() as counter:
        for step in range(_COUNTED):  # masks have another size at every step
            model.loss(model.latents(shown, step=step)).total.backward()
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return Work(counter.get_total_flops() / (2 * _COUNTED), BYTES * trained)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The training, and what one GPU and the network do."""
    parser.add_argument("--preset", default="base", choices=sorted(PRESETS))
    parser.add_argument("--frames", type=int, default=16, help="frames of a clip")
    parser.add_argument("--size", type=int, default=224, help="side in pixels")
    parser.add_argument("--patch", type=int, default=16, help="side of a patch in pixels")
    parser.add_argument("--batch", type=int, default=32, help="clips of a GPU in weak, of all in strong scaling")
    parser.add_argument("--clips-per-second", type=float, required=True, help="of one GPU: vjepa bench train says")
    parser.add_argument("--inside", type=float, default=300.0, help="GB/s of a GPU within a node")
    parser.add_argument("--between", type=float, default=25.0, help="GB/s of a GPU to another node")
    parser.add_argument("--node", type=int, default=8, help="GPUs of a node")
    parser.add_argument("--steps", type=int, default=30_000, help="of the training whose GPU hours are told")


def run(options: argparse.Namespace) -> Iterator[Measurement]:
    """Simulate both kinds of scaling.

    Raises:
        UserError: an option out of range.
    """
    for name in ("frames", "size", "patch", "batch", "clips_per_second", "inside", "between", "node", "steps"):
        if getattr(options, name) <= 0:
            raise UserError(f"--{name.replace('_', '-')} {getattr(options, name)}: expected a number above 0")
    work = work_of(options.preset, options.frames, options.size, options.patch)
    flops = options.clips_per_second * work.flop_per_clip
    cluster = Cluster(flops, options.node, options.inside * 1e9, options.between * 1e9)
    settings = {
        "preset": options.preset, "frames": options.frames, "size": options.size, "patch": options.patch,
        "batch": options.batch, "one_gpu_clips_per_second": options.clips_per_second, "simulated": True,
        "inside_gb_s": options.inside, "between_gb_s": options.between, "node": options.node, "steps": options.steps,
        "gflop_per_clip": work.flop_per_clip / 1e9, "gradient_mb": work.gradient_bytes / 1e6,
    }  # fmt: skip
    for kind in ("weak", "strong"):
        alone = step_seconds(work, options.batch, 1, cluster)
        for gpus in GPUS:
            clips = options.batch if kind == "weak" else options.batch / gpus
            if clips < 1:
                continue
            seconds = step_seconds(work, clips, gpus, cluster)
            rate = gpus * clips / seconds
            figures: dict[str, float | str] = {
                "gpus": gpus,
                "clips_per_gpu": clips,
                "clips_per_second": rate,
                "efficiency": rate / (gpus * options.clips_per_second),
                "exchanged_mb": exchanged_bytes(work, gpus) / 1e6,
                "gpu_hours": gpus * seconds * options.steps / 3600,
            }
            spent = 1e3 * seconds
            yield Measurement(
                BENCH, f"{kind}, {gpus} GPUs", f"{kind}, 1 GPUs", spent, spent, spent, 0.0, seconds / alone, 1,
                settings, figures,
            )  # fmt: skip


def table(measured: Sequence[Measurement]) -> str:
    """Both kinds of scaling, and what they assume."""
    header = ("scaling", "clips/GPU", "ms a step", "clips/s", "efficiency", "MB sent", "GPU hours")
    rows = []
    for m in measured:
        found = {name: float(value) for name, value in m.figures.items()}
        row = [m.case, f"{found['clips_per_gpu']:g}", f"{m.median_ms:.1f}", f"{found['clips_per_second']:.0f}"]
        row += [f"{found['efficiency']:.0%}", f"{found['exchanged_mb']:.0f}", f"{found['gpu_hours']:.1f}"]
        rows.append(row)
    told = measured[0].settings
    return columns(header, rows) + (
        f"\n\nsimulated from {told['one_gpu_clips_per_second']:g} clips/s of one GPU: {told['gflop_per_clip']:.0f} "
        f"GFLOP a clip, {told['gradient_mb']:.0f} MB of gradients\n"
        f"{told['inside_gb_s']:g} GB/s within a node of {told['node']}, {told['between_gb_s']:g} GB/s between nodes; "
        f"GPU hours of {told['steps']:,} steps"
    )
