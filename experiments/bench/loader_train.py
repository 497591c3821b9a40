"""Training steps fed by the real loader: what each side does alone, what both do together, and which one waits."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from data_modules.base import ClipDataModule
from experiments.bench.stepper import Stepper
from experiments.bench.timing import Measurement, columns, summarise, synchronize
from experiments.side_by_side import threads
from vjepa.errors import UserError
from vjepa.latents import Clip
from vjepa.module import VideoJEPA

CASES = ("loader", "train", "loader+train")


def add_options(parser: argparse.ArgumentParser) -> None:
    """What is trained, as in ``vjepa fit``."""
    parser.add_argument("--config", action="append", type=Path, help="YAML files of vjepa fit, in order (base.yaml)")
    parser.add_argument("--batches", type=int, default=50, help="batches that are timed in each case")
    parser.add_argument("--warmup", type=int, default=5, help="batches before those")
    parser.add_argument("--workers", type=int, help="of the loader; default: as configured")
    parser.add_argument("--batch", type=int, help="clips of a batch; default: as configured")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: cuda where there is one")
    parser.add_argument("--precision", choices=("bf16", "float32"), help="default: bf16 on cuda, float32 on the cpu")
    parser.add_argument("--threads", type=int, help="of torch; default: as it chooses")


def run(options: argparse.Namespace) -> Iterator[Measurement]:
    """Take batches alone, take steps alone, then both, as a training run does."""
    if options.batches < 1 or options.warmup < 0:
        raise UserError(f"--batches {options.batches}, --warmup {options.warmup}: expected at least 1 and 0")
    chosen = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if chosen == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: there is no CUDA here; leave it out to measure on the CPU")
    device, precision = torch.device(chosen), options.precision or ("bf16" if chosen == "cuda" else "float32")
    with threads(options.threads) as count:
        model, data = _make(options)
        batches = _endless(data)
        stepper = Stepper(model.to(device), next(batches).frames.to(device), precision)

        def load() -> None:
            stepper.frames = next(batches).to(device).frames

        durations, waited = {}, {}
        for case, loads, trains in (("loader", True, False), ("train", False, True), ("loader+train", True, True)):
            durations[case], waited[case] = _time(load, stepper, loads, trains, options, device)
    settings = {
        "data": data.name, "batch": data.batch_size, "workers": data.num_workers, "frames": data.num_frames,
        "size": data.size, "precision": precision, "device": chosen, "threads": count,
    }  # fmt: skip
    for measured in summarise("loader+train", durations, dict.fromkeys(CASES, "train"), settings):
        measured.figures["clips_per_second"] = 1e3 * data.batch_size / measured.median_ms
        measured.figures["share_waiting_for_loader"] = waited[measured.case]
        yield measured


def _make(options: argparse.Namespace) -> tuple[VideoJEPA, ClipDataModule]:
    from experiments.load import instantiate
    from experiments.overlays import BASE
    from experiments.training.resolve import resolve_settings

    files = options.config or [BASE]
    words = [word for path in files for word in ("--config", str(path))]
    words += [] if options.workers is None else [f"--data.init_args.num_workers={options.workers}"]
    words += [] if options.batch is None else [f"--data.init_args.batch_size={options.batch}"]
    settings = resolve_settings(words)
    data: ClipDataModule = instantiate(settings, "data", str(files[-1]), hint="")
    data.prepare_data()
    data.setup("fit")
    model: VideoJEPA = instantiate(settings, "model", str(files[-1]), hint="")
    model.check_batch(data.batch_size, data.num_frames)
    return model, data


def _endless(data: ClipDataModule) -> Iterator[Clip]:
    loader: Any = data.train_dataloader()
    while True:
        yield from loader


def _time(
    load: Callable[[], None], stepper: Stepper, loads: bool, trains: bool, options: argparse.Namespace,
    device: torch.device,
) -> tuple[list[tuple[float, float]], float]:  # fmt: skip
    """Seconds of the clock and of this process for each batch, and the share of the clock spent on getting it."""
    rounds, waited = [], []
    for number in range(options.warmup + options.batches):
        synchronize(device)
        began, processor_began = time.perf_counter(), time.process_time()
        if loads:
            load()
        loaded = time.perf_counter()
        if trains:
            stepper(number)
        synchronize(device)
        ended = time.perf_counter()
        if number >= options.warmup:
            rounds.append((ended - began, time.process_time() - processor_began))
            waited.append((loaded - began) / (ended - began))
    return rounds, median(waited)


def table(measured: Sequence[Measurement]) -> str:
    """The measurements for reading, and who waits."""
    rows = [
        (m.case, f"{m.median_ms:.1f}", f"{m.low_ms:.1f}-{m.high_ms:.1f}", f"{m.figures['clips_per_second']:.1f}")
        for m in measured
    ]
    by_case = {m.case: m for m in measured}
    together, share = by_case["loader+train"], float(by_case["loader+train"].figures["share_waiting_for_loader"])
    overhead = 100 * (together.ratio - 1)
    slower = "the loader" if by_case["loader"].median_ms > by_case["train"].median_ms else "training"
    text = (
        f"together a step takes {overhead:+.0f} % over training alone and waits for the loader {100 * share:.0f} % of "
        f"the time; {slower} is the slower side"
    )
    return columns(("case", "ms a batch", "quartiles", "clips/s"), rows) + f"\n\n{text}"
