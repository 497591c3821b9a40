"""The loaders that batch clips; nothing here needs Lightning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import wait
from typing import Any

from torch.utils.data import DataLoader, IterableDataset, Sampler, get_worker_info

from data_modules.clips.broken import BrokenLimit, BrokenLog
from data_modules.clips.datasets import Batch, ClipDataset, read_batch
from data_modules.clips.watch import ReadingBoard, end_with_parent
from data_modules.mixing.order import EndlessSampler
from vjepa.errors import UserError
from vjepa.latents import Clip

_PATIENCE = 2.0  # seconds until a process that was killed is known to be gone


def _hand_over(samples: Sequence[Any]) -> Any:
    return samples[0]


class ClipStream(IterableDataset[Batch]):
    """Endless training batches in the order of a sampler, the same for any number of workers.

    Worker w of W reads batches w, w+W, ...; the loader takes turns over the workers, which restores the
    order. It is iterable, so Lightning adds no sampler of its own to the sharded order.
    """

    def __init__(self, dataset: ClipDataset, sampler: EndlessSampler) -> None:
        self.dataset = dataset
        self.sampler = sampler

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        first, stride = (0, 1) if worker is None else (worker.id, worker.num_workers)
        number = self.sampler.first_batch + first
        while True:
            indices, draws = self.sampler.batch(number), self.sampler.draws(number)
            batch = read_batch(self.dataset, partial(self.dataset.fetch_training, indices, draws), len(indices))
            yield batch  # type: ignore[misc]
            if isinstance(batch, UserError):
                return
            number += stride


class _Loader(DataLoader[Any]):
    """A loader whose processes can be asked what they read.

    Args:
        dataset: or stream.
        split: for messages.
        num_workers: loader processes; 0 reads in this process.
        timeout: seconds to wait for a batch, > 0.
        options: of torch's loader.
    """

    def __init__(self, dataset: Any, split: str, num_workers: int = 0, timeout: float = 0, **options: Any) -> None:
        self._split = split
        self._board: ReadingBoard | None = None
        if num_workers > 0:
            # Forking a process that has decoded video or started threads can hang; a fork server, which only imports
            # what all its children need, cannot.
            context = get_context("forkserver")
            context.set_forkserver_preload(["__main__", "data_modules.clips.videos"])
            self._board = ReadingBoard(num_workers, context)
            options |= {
                "multiprocessing_context": context,
                "worker_init_fn": partial(_start_worker, self._board),
                "timeout": timeout,
            }
        super().__init__(dataset, num_workers=num_workers, **options)

    def _batches(self) -> Iterator[Batch]:
        """Iterate, and raise what loader processes hand over in place of a batch."""
        batches = super().__iter__()
        return self._received(batches)

    def _received(self, batches: Any) -> Iterator[Batch]:
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except (RuntimeError, OSError, EOFError) as error:
                told = self._explain(error, batches)
                if told is None:
                    raise
                self._iterator = None
                batches._shutdown_workers()
                raise UserError(told) from error
            if isinstance(batch, UserError):
                raise batch
            yield batch

    def _explain(self, error: Exception, batches: Any) -> str | None:
        """Say which files are being read if a loader process is late or gone."""
        if self._board is None:
            return None
        readings = [f"loader process {r.worker} reads {r.path} since {r.seconds:.0f} s" for r in self._board.readings()]
        if "DataLoader timed out" in str(error):
            return (
                f"{self._split}: no batch for {self.timeout:g} s; {'; '.join(readings) or 'no file is being read'}; "
                "look at the first file and its disk, take the file out of the annotations, or raise timeout of the "
                "data module"
            )
        has_died = "exited unexpectedly" in str(error)
        if isinstance(error, (OSError, EOFError)):
            # A process that dies while its last batch is fetched is first seen as a connection that breaks.
            has_died = bool(wait([worker.sentinel for worker in batches._workers], _PATIENCE))
        if has_died:
            return (
                f"{self._split}: a loader process was killed; {'; '.join(readings) or 'no file was being read'}; "
                "memory may have run out (lower num_workers or batch_size), or the decoder cannot survive such a file"
            )
        return None


class StreamLoader(_Loader):
    """A loader of a ``ClipStream`` that starts, at each iteration, after the batches already consumed.

    Args:
        stream: of training batches.
        consumed: says how many batches to pass over.
        limit: of broken files; None sets none.
        options: of ``_Loader``.

    Raises:
        UserError: while iterating: too much is broken, or a loader process hangs or dies.
    """

    def __init__(
        self, stream: ClipStream, consumed: Callable[[], int], limit: BrokenLimit | None = None, **options: Any
    ) -> None:
        super().__init__(stream, stream.dataset.split, batch_size=None, **options)
        self._stream = stream
        self._consumed = consumed
        self._limit = limit

    def __iter__(self) -> Any:
        self._stream.sampler.first_batch = self._consumed()
        return self._clips(self._batches())

    def _clips(self, batches: Iterator[Batch]) -> Iterator[Clip]:
        log = self._stream.dataset.broken
        for batch in batches:
            for file in batch.broken:
                log.note(file)
            if self._limit is not None:
                self._limit.count(len(batch.clip), batch.num_broken, log)
            yield batch.clip


class EvaluationLoader(_Loader):
    """A loader of a ``ClipDataset`` that leaves out the clips of broken files and lists them.

    Args:
        dataset: of one split.
        sampler: of the positions to read.
        batch_size: clips per batch, >= 1; a batch has fewer where clips are left out.
        options: of ``_Loader``.

    Raises:
        UserError: while iterating: every clip is broken, or a loader process hangs or dies.
    """

    def __init__(self, dataset: ClipDataset, sampler: Sampler[int], batch_size: int, **options: Any) -> None:
        super().__init__(
            dataset, dataset.split, sampler=sampler, batch_size=batch_size, collate_fn=_hand_over, **options
        )

    def __iter__(self) -> Any:
        return self._clips(self._batches())

    def _clips(self, batches: Iterator[Batch]) -> Iterator[Clip]:
        log: BrokenLog = self.dataset.broken  # type: ignore[attr-defined]
        num_read, num_asked = 0, 0
        for batch in batches:
            for file in batch.broken:
                log.note(file)
            num_asked += 1
            if len(batch.clip):
                num_read += 1
                yield batch.clip
        if num_asked and not num_read:
            first = next(iter(log.found.values()))
            raise UserError(
                f"{self._split}: all clips that this process should read are broken (the first is {first.file}: "
                f"{first.reason}); check the data root and the files"
            )


def _start_worker(board: ReadingBoard, worker: int) -> None:
    """Prepare a loader process."""
    end_with_parent()
    board.claim(worker)
    use_one_thread(worker)


def use_one_thread(worker: int) -> None:
    """Keep OpenCV in a worker process to one thread; the workers share the cores already."""
    import cv2

    cv2.setNumThreads(1)
