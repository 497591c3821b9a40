"""The pass over a split: what runs beside what."""

from __future__ import annotations

import threading
import time

import torch
from torch import Tensor

from experiments.bench.extraction import measure
from experiments.evaluation.features.extract import extract
from experiments.evaluation.features.sinks import Broken, MemorySink, means
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import ALL
from tests.experiments.evaluation.features.clips import STAMP, CountingEncoder, MadeClips

BATCH = 4


class SlowSink(MemorySink):
    """Notes how far the encoder is ahead when rows are put away."""

    def __init__(self, num_rows: int, encoder: CountingEncoder) -> None:
        super().__init__(num_rows, (2, 96), torch.float32, means, BATCH)
        self.encoder = encoder
        self.ahead: list[int] = []
        self.threads: set[int] = set()

    def _put(self, chunk: int, rows: Tensor, broken: Broken) -> None:
        time.sleep(0.01)
        self.ahead.append(self.encoder.num_encoded - (chunk + 1) * BATCH)
        self.threads.add(threading.get_ident())
        super()._put(chunk, rows, broken)


def test_rows_are_put_away_beside_the_next_batch_but_not_without_end() -> None:
    encoder, dataset = CountingEncoder(), MadeClips(60)
    sink = SlowSink(60, encoder)
    extract(encoder, dataset, torch.arange(60), [sink], title="it", batch_size=BATCH, progress=False)
    assert 0 < max(sink.ahead) <= 4 * BATCH
    assert threading.get_ident() not in sink.threads


class SlowClips(MadeClips):
    """Takes as long to read a chunk as the encoder takes for it."""

    def read(self, indices: Tensor) -> Tensor:
        time.sleep(0.02)
        return super().read(indices)


class SlowEncoder(CountingEncoder):
    """Leaves the processor to others while it works, as a GPU does."""

    def forward(self, frames: Tensor) -> Tensor:
        time.sleep(0.025)
        return super().forward(frames)


def test_reading_hides_behind_encoding() -> None:
    subject = Subject("it", SlowEncoder(), STAMP, "x", (ALL,))
    plain, extraction = measure(subject, SlowClips(80), torch.arange(80), BATCH, 0, 1, 1, torch.device("cpu"), {})
    # One after the other they would take 1.8 times as long.
    assert 0.9 < extraction.ratio < 1.4
    assert plain.ratio == 1
