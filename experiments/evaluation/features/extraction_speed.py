"""How much of the plain forward speed an extraction reaches."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from data_modules.clips.datasets import ClipDataset
from experiments.evaluation.encoded import encode
from experiments.evaluation.features.cache import DataKey, FeatureCache
from experiments.evaluation.features.sources import make_source
from experiments.evaluation.subjects import Subject


@dataclass(frozen=True)
class ExtractionSpeed:
    """Clips per second, medians over rounds.

    Args:
        forward: of the encoder alone, on clips that are in memory.
        extraction: of reading, encoding and keeping the same clips.
        ratio: of the two, the median over rounds of neighbouring measurements.
    """

    forward: float
    extraction: float
    ratio: float


def measure_extraction(
    subject: Subject,
    dataset: ClipDataset,
    indices: Tensor,
    *,
    needs_tokens: bool = True,
    batch_size: int = 64,
    num_workers: int = 0,
    rounds: int = 3,
    folder: Path | None = None,
) -> ExtractionSpeed:
    """Time both on the same clips, in turns.

    Args:
        subject: whose encoder.
        dataset: the split; the clips are held in memory for the plain forward.
        indices: (n,) int64 positions in it.
        needs_tokens: whether tokens are kept beside the means over space.
        batch_size: clips a forward pass.
        num_workers: loader processes of the extraction.
        rounds: of both; one more before them is not counted.
        folder: on the disk that features would be kept on; None takes the system's for temporary files.
    """
    batches = [dataset.fetch(chosen).frames for chosen in indices.split(batch_size)]
    num_clips = sum(map(len, batches))
    forward, extraction = [], []
    for number in range(rounds + 1):
        start = time.perf_counter()
        for frames in batches:
            tokens = encode(subject.encoder, frames).tokens
        if tokens.device.type == "cuda":
            torch.cuda.synchronize(tokens.device)
        middle = time.perf_counter()
        with tempfile.TemporaryDirectory(dir=folder) as place:
            cache = FeatureCache(Path(place), DataKey("bench", str(number), *batches[0].shape[1:3]))
            # All goes to disk, which is the slowest of the places.
            source = make_source(
                subject,
                dataset,
                indices,
                needs_tokens=needs_tokens,
                cache=cache,
                memory_limit=0,
                batch_size=batch_size,
                num_workers=num_workers,
                say=lambda line: None,
                progress=False,
            )
            end = time.perf_counter()
            del source
        forward.append(middle - start)
        extraction.append(end - middle)
    ratio = median(one / other for one, other in zip(forward[1:], extraction[1:], strict=True))
    return ExtractionSpeed(num_clips / median(forward[1:]), num_clips / median(extraction[1:]), ratio)
