"""How much of the speed of the plain forward pass an extraction of features reaches."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from data_modules.clips.datasets import ClipDataset
from experiments.bench.subject import add_subject_options, chosen_device, require_positive, subject
from experiments.bench.timing import Measurement, interleaved, summarise
from experiments.evaluation.encoded import encode
from experiments.evaluation.features.cache import DataKey, FeatureCache
from experiments.evaluation.features.reading import choose_indices
from experiments.evaluation.features.sources import make_source
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import ALL
from experiments.results import RowStamp
from experiments.side_by_side import threads

FORWARD, EXTRACTION = "encoder alone", "read, encode, keep"
BENCH = "extraction"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What is encoded, and how often."""
    add_subject_options(parser)
    parser.add_argument("--clips", type=int, default=1024, help="test clips")
    parser.add_argument("--batch", type=int, default=64, help="clips a forward pass")
    parser.add_argument("--workers", type=int, default=0, help="loader processes of the extraction")
    parser.add_argument("--repeats", type=int, default=5, help="timed passes of each")
    parser.add_argument("--warmup", type=int, default=1, help="passes before those")


def run(options: argparse.Namespace) -> Iterator[Measurement]:
    """Time both on the same clips in turn; all features go to disk, which is the slowest of the places.

    Raises:
        UserError: an option out of range, or a run that cannot be opened.
    """
    require_positive(options, "clips", "batch", "frames", "size", "patch")
    device = chosen_device(options)
    model, data, who = subject(options)
    dataset = data.dataset("test")
    stamp = RowStamp(data.name, data.name, "bench", "as_described", "whole", 0, 0, "teacher", "none")
    encoder = model.to(device).frozen(model.evaluated_weights, all_levels=False)
    job = Subject(who, encoder, stamp, "bench", (ALL,))
    indices = choose_indices(dataset, options.clips)
    with threads(options.threads) as count:
        settings = {
            "what": who, "clips": len(indices), "batch": options.batch, "workers": options.workers,
            "device": device.type, "threads": count,
        }  # fmt: skip
        sizes = (options.batch, options.workers)
        yield from measure(job, dataset, indices, *sizes, options.repeats, options.warmup, device, settings)


def measure(
    job: Subject,
    dataset: ClipDataset,
    indices: Tensor,
    batch_size: int,
    num_workers: int,
    repeats: int,
    warmup: int,
    device: torch.device,
    settings: dict[str, object],
) -> Iterator[Measurement]:
    """Time an encoder on clips that are in memory, and the extraction of their tokens and means.

    Args:
        job: whose encoder.
        dataset: the split.
        indices: (n,) int64 positions in it.
        batch_size: clips a forward pass.
        num_workers: loader processes of the extraction.
        repeats, warmup: rounds of both.
        device: the encoder's.
        settings: of the measurements.
    """
    batches = [dataset.fetch(chosen).frames for chosen in indices.split(batch_size)]

    def forward(number: int) -> None:
        for frames in batches:
            encode(job.encoder, frames)

    def extraction(number: int) -> None:
        with tempfile.TemporaryDirectory() as place:
            make_source(
                job,
                dataset,
                indices,
                needs_tokens=True,
                cache=FeatureCache(Path(place), DataKey("bench", str(number), *batches[0].shape[1:3])),
                memory_limit=0,
                batch_size=batch_size,
                num_workers=num_workers,
                say=lambda line: None,
                progress=False,
            )

    durations = interleaved({FORWARD: forward, EXTRACTION: extraction}, repeats, warmup, device)
    yield from summarise(BENCH, durations, dict.fromkeys(durations, FORWARD), dict(settings))


def table(measured: list[Measurement]) -> str:
    """Clips a second of both, and the share."""
    clips = measured[0].settings["clips"]
    lines = [f"{one.case:<20}{1e3 * clips / one.median_ms:>10.1f} clips/s" for one in measured]
    return "\n".join(["", *lines, f"share of the plain forward speed: {1 / measured[-1].ratio:.2f}"])
