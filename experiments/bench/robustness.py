"""Where the time of a robustness evaluation goes: decoding, corruption and the encoder, and which side waits."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from data_modules.clips.datasets import ClipDataset
from data_modules.generated.workers import available_cores
from experiments.bench.subject import add_subject_options, chosen_device, require_positive, subject
from experiments.bench.timing import Measurement, interleaved, summarise
from experiments.evaluation.conditions import CLEAN, Condition
from experiments.evaluation.encoded import encode
from experiments.evaluation.encoders import FrozenEncoder
from experiments.evaluation.features.reading import choose_indices
from experiments.evaluation.harvest import CHUNK_CLIPS
from experiments.evaluation.shown import Shown, acts_on_video, read_shown
from experiments.side_by_side import threads
from vjepa.corruptions import profile

DECODE, READ, DAMAGE, FORWARD = "decode", "decode, damage videos", "damage clips", "encoder"
PASS = "all, read ahead"
BENCH = "robustness"


@dataclass(frozen=True)
class Pass:
    """One encoder on the test clips of a data set, chunk by chunk, under all conditions of a profile."""

    encoder: FrozenEncoder
    dataset: ClipDataset
    data_name: str
    chunks: Sequence[Tensor]
    conditions: tuple[Condition, ...]
    cores: int

    def read(self, numbers: Sequence[int]) -> Iterator[Shown]:
        """Read chunks as the evaluation does, with what acts on whole videos."""
        for _, shown in read_shown(self.dataset, self.chunks, numbers, self.conditions, self.data_name, self.cores):
            yield shown

    def damage(self, shown: Shown) -> list[Tensor]:
        """The clips under each condition that acts on clips."""
        return [shown.under(condition) for condition in self.conditions if not acts_on_video(condition)]

    def forward(self, frames: Tensor) -> None:
        """Encode a chunk once for each condition; what the clips show does not matter."""
        for _ in self.conditions:
            encode(self.encoder, frames)

    def whole(self, device: torch.device) -> list[tuple[float, float]]:
        """Seconds of the clock and of the processor of each chunk of the real thing, in which reading runs ahead."""
        durations = []
        began, processor = time.perf_counter(), time.process_time()
        for shown in self.read(range(len(self.chunks))):
            for condition in self.conditions:
                encode(self.encoder, shown.under(condition))
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            now, processor_now = time.perf_counter(), time.process_time()
            durations.append((now - began, processor_now - processor))
            began, processor = now, processor_now
        return durations


def add_options(parser: argparse.ArgumentParser) -> None:
    """What is evaluated, and how much of it."""
    add_subject_options(parser)
    parser.add_argument("--profile", default="core", help="of corruptions")
    parser.add_argument("--clips", type=int, default=128, help="test clips")
    parser.add_argument("--chunk", type=int, default=CHUNK_CLIPS, help="clips at a time")
    parser.add_argument("--repeats", type=int, default=5, help="chunks on which each part is timed by itself")
    parser.add_argument("--warmup", type=int, default=1, help="chunks before those")


def run(options: argparse.Namespace) -> Iterator[Measurement]:
    """Time each part on the same chunks in turn, then the whole with reading ahead; durations are per chunk.

    Raises:
        UserError: an option out of range, an unknown profile, or a run that cannot be opened.
    """
    require_positive(options, "clips", "chunk", "frames", "size", "patch")
    device = chosen_device(options)
    conditions = (CLEAN, *profile(options.profile).conditions)
    model, data, who = subject(options)
    dataset = data.dataset("test")
    encoder = model.to(device).frozen(model.evaluated_weights, all_levels=True)
    chunks = choose_indices(dataset, options.clips).split(options.chunk)
    job = Pass(encoder, dataset, data.name, chunks, conditions, available_cores())
    ready = [next(iter(job.read([number]))) for number in range(min(len(chunks), options.repeats + options.warmup))]
    num_clips = sum(map(len, chunks))
    print(f"{who}, profile {options.profile}: {len(conditions)} conditions x {num_clips} clips, {device}", flush=True)

    def on_chunk(work: Callable[[int], Any]) -> Callable[[int], Any]:
        return lambda number: work(number % len(ready))

    with threads(options.threads) as count:
        parts = {
            DECODE: on_chunk(lambda number: dataset.fetch(chunks[number])),
            READ: on_chunk(lambda number: list(job.read([number]))),
            DAMAGE: on_chunk(lambda number: job.damage(ready[number])),
            FORWARD: on_chunk(lambda number: job.forward(ready[number].clip.frames)),
        }
        durations = interleaved(parts, options.repeats, options.warmup, device)
        whole = {PASS: job.whole(device)}
    settings = {
        "what": who, "profile": options.profile, "conditions": len(conditions), "clips": num_clips,
        "chunk": len(chunks[0]), "device": device.type, "threads": count,
    }  # fmt: skip
    yield from summarise(BENCH, durations, dict.fromkeys(durations, FORWARD), settings)
    yield from summarise(BENCH, whole, {PASS: PASS}, settings)


def table(measured: Sequence[Measurement]) -> str:
    """Milliseconds per chunk, shares of the three parts, the rate of the whole, and who waits for whom."""
    found = {one.case: one for one in measured}
    clips, chunk = found[PASS].settings["clips"], found[PASS].settings["chunk"]
    decode, read, damage, forward = (found[name].median_ms for name in (DECODE, READ, DAMAGE, FORWARD))
    parts = {"decode": decode, "corruption": max(0.0, read - decode) + damage, "encoder": forward}
    total = sum(parts.values())
    lines = [f"{name:<12}{value:>10.1f} ms{value / total:>8.0%}" for name, value in parts.items()]
    per_chunk = found[PASS].median_ms
    seconds = per_chunk / 1e3 * clips / chunk
    read_ahead, worked = read, damage + forward
    ahead, behind = ("reading", "the encoder") if read_ahead < worked else ("the encoder", "reading")
    return "\n".join(
        [
            "",
            f"of a chunk of {chunk} clips, each by itself:",
            *lines,
            "",
            f"together: {per_chunk:.1f} ms a chunk, {1e3 * chunk / per_chunk:.1f} clips/s, {seconds:.1f} s in all",
            f"{ahead} waits for {behind}: {read_ahead:.1f} ms to read and damage videos, "
            f"{worked:.1f} ms to damage clips and encode them",
            "probes and analyses come on top; each encoder of a comparison adds only its own share",
        ]
    )
