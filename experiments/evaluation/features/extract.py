"""The pass over a split: decode ahead, encode, and put away what is kept while the next batch is encoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor
from tqdm import tqdm

from data_modules.clips.broken import BrokenFile
from data_modules.clips.datasets import ClipDataset
from experiments.evaluation.encoded import Encoded, encode
from experiments.evaluation.encoders import FrozenEncoder
from experiments.evaluation.features.reading import broken_files, changed, left_out, read_chunks
from experiments.evaluation.features.sinks import Sink
from experiments.evaluation.ranks import ALONE, Ranks
from vjepa.errors import UserError

_IN_FLIGHT = 2
"""Batches that may wait to be put away; each takes memory."""


def extract(
    encoder: FrozenEncoder,
    dataset: ClipDataset,
    positions: Tensor,
    sinks: Sequence[Sink],
    *,
    title: str,
    batch_size: int = 64,
    num_workers: int = 0,
    complete: bool = False,
    ranks: Ranks = ALONE,
    progress: bool = True,
) -> None:
    """Fill sinks with what they lack; a chunk is ``batch_size`` clips in the order of ``positions``.

    Args:
        encoder: frozen; not called if no sink needs it.
        dataset: the split.
        positions: (n,) int64 in it, each once.
        sinks: of the same chunks.
        title: before errors and the progress bar.
        batch_size: clips a forward pass and a chunk, >= 1.
        num_workers: loader processes; 0 reads in a thread.
        complete: whether all clips that are not known as broken can be read, since they were before.
        ranks: processes that share the chunks; pass ``ALONE`` where each needs all of them.
        progress: show a bar in clips.

    Raises:
        UserError: tokens are infinite or NaN, a sink cannot be written, or ``complete`` and a clip is broken.
    """
    chunks = positions.split(batch_size)
    own = range(ranks.rank, len(chunks), ranks.world)
    wanted = [number for number in own if any(number not in sink.done for sink in sinks)]
    total = sum(len(chunks[number]) for number in own)
    before = total - sum(len(chunks[number]) for number in wanted)
    asks_encoder = any(sink.needs_encoder for sink in sinks)
    known = left_out(dataset, positions).split(batch_size)
    pending: deque[Future[None]] = deque()
    with (
        tqdm(total=total, initial=before, desc=title, unit="clip", disable=not progress, leave=False) as bar,
        ThreadPoolExecutor(max_workers=1) as writer,
    ):
        for number, clip in read_chunks(dataset, chunks, wanted, num_workers):
            chosen = chunks[number]
            present = torch.isin(chosen, clip.index)
            lost = chosen[~present & ~known[number]]
            if complete and len(lost):
                raise changed(dataset, int(lost[0]))
            encoded = encode(encoder, clip.frames) if len(clip) and asks_encoder else None
            first = number * batch_size
            broken = {first + place: file for place, file in broken_files(dataset, chosen).items()}
            lacking = [sink for sink in sinks if number not in sink.done]
            made = [sink.make(clip.frames, encoded) if len(clip) else None for sink in lacking]
            ready = _event(encoded)
            pending.append(writer.submit(_put, lacking, made, ready, number, present, broken, title))
            while len(pending) > _IN_FLIGHT:
                pending.popleft().result()
            bar.update(len(chosen))
        for future in pending:
            future.result()


def _event(encoded: Encoded | None) -> torch.cuda.Event | None:
    """Mark, on a GPU, when what was queued up to now is done."""
    if encoded is None or encoded.tokens.device.type != "cuda":
        return None
    event = torch.cuda.Event()
    event.record(torch.cuda.current_stream(encoded.tokens.device))
    return event


def _put(
    sinks: Sequence[Sink],
    made: Sequence[Tensor | None],
    ready: torch.cuda.Event | None,
    number: int,
    present: Tensor,
    broken: Mapping[int, BrokenFile],
    title: str,
) -> None:
    for sink, values in zip(sinks, made, strict=True):
        if values is not None:
            values = _to_host(values, ready)
            if values.is_floating_point() and not bool(torch.isfinite(values).all()):
                kind = str(values.dtype).removeprefix("torch.")
                raise UserError(f"{title}: the encoder returned infinite or NaN tokens (as {kind}); it has diverged")
        sink.put(number, values, present, broken)


def _to_host(values: Tensor, ready: torch.cuda.Event | None) -> Tensor:
    """Copy to the CPU; from a GPU beside the next batch, not after it."""
    if ready is None or values.device.type != "cuda":
        return values.cpu()
    with torch.cuda.stream(torch.cuda.Stream(values.device)):
        ready.wait()
        return values.cpu()
