"""Data sets of labelled clips and the loaders that batch them; nothing here needs Lightning."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, get_worker_info

from data_modules.broken import BrokenFile, BrokenLimit, BrokenLog
from data_modules.decode import BrokenVideo
from data_modules.order import EndlessSampler
from data_modules.watch import ReadingBoard, end_with_parent
from vjepa.errors import UserError
from vjepa.latents import Clip

Sample = tuple[Tensor, int, Tensor]

_NOTHING = torch.empty(0, 0, 0, 0, 3, dtype=torch.uint8)


class Batch(NamedTuple):
    """What a loader process hands over.

    Args:
        clip: the clips that could be read; there may be none.
        broken: files that were found broken on the way.
        num_broken: how often a broken file was met on the way.
        num_asked: clips that were asked for.
    """

    clip: Clip
    broken: tuple[BrokenFile, ...]
    num_broken: int
    num_asked: int


@dataclass(frozen=True)
class Task:
    """One question about a clip: a column of ``Clip.labels``.

    Args:
        name: of the task.
        classes: names of its classes, in the order of the labels.
        temporal: whether a single frame cannot answer it.
    """

    name: str
    classes: tuple[str, ...]
    temporal: bool


class ClipDataset(Dataset[Sample], ABC):
    """The clips of one split, in a fixed order.

    Files that cannot be read are listed in ``broken``, which is shared with the data sets that it is made of, if any.

    Args:
        split: train, val or test.
        tasks: Q tasks.
        video_ids: n stable names.
        labels: (n, Q) int64; -1 where a task does not apply.
    """

    def __init__(self, split: str, tasks: tuple[Task, ...], video_ids: tuple[str, ...], labels: Tensor) -> None:
        self.split = split
        self.tasks = tasks
        self.video_ids = video_ids
        self.labels = labels
        self.broken = BrokenLog(split=split)

    @abstractmethod
    def read(self, indices: Tensor) -> Tensor:
        """Return the frames of clips, (b,) int64 with b >= 1 -> (b, F, H, W, 3) uint8.

        Raises:
            BrokenVideo: one of them cannot be read.
        """

    def fetch(self, indices: Tensor | Sequence[int]) -> Clip:
        """Return several clips as one batch, read together, for evaluation.

        Args:
            indices: b positions in the split.

        Returns:
            Clip of b clips, or of fewer: a clip whose file is broken is left out and never replaced.
        """
        chosen = torch.as_tensor(indices, dtype=torch.int64, device="cpu")
        chosen = self._without_left_out(chosen)
        try:
            frames = self.read(chosen) if len(chosen) else _NOTHING
        except BrokenVideo:
            for index in chosen.tolist():
                try:
                    self.read(torch.tensor([index]))
                except BrokenVideo as error:
                    self.broken.add(self.video_ids[index], error, "left out")
            chosen = self._without_left_out(chosen)
            frames = self.read(chosen) if len(chosen) else _NOTHING
        return Clip(frames, chosen, self.labels[chosen])

    def _without_left_out(self, indices: Tensor) -> Tensor:
        if not len(self.broken):
            return indices
        return torch.tensor(
            [index for index in indices.tolist() if not self.broken.is_left_out(self.video_ids[index])],
            dtype=torch.int64,
        )

    def fetch_training(self, indices: Sequence[int], draws: Sequence[int]) -> Clip:
        """Return a training batch; a data set that changes clips at random overrides this.

        Args:
            indices: b positions in the split.
            draws: b numbers, each used once in a run: a random choice may depend on them, never on workers.

        Returns:
            Clip of b clips, here as ``fetch`` gives them.
        """
        return self.fetch(indices)

    def __len__(self) -> int:
        return len(self.video_ids)

    def __getitem__(self, index: int) -> Sample:
        clip = self.fetch([index])
        if not len(clip):
            raise self.broken.error(self.video_ids[index])
        return clip.frames[0], index, clip.labels[0]

    def __getitems__(self, indices: list[int]) -> list[Any]:
        return [_read(self, lambda: self.fetch(indices), len(indices))]


def _read(dataset: ClipDataset, fetch: Callable[[], Clip], num_asked: int) -> Batch | UserError:
    """Read a batch; a loader process hands over an error, which torch would turn into text."""
    met = dataset.broken.num_met
    try:
        clip = fetch()
    except UserError as error:
        if get_worker_info() is None:
            raise
        return error
    return Batch(clip, dataset.broken.take_new(), dataset.broken.num_met - met, num_asked)


def collate(samples: Sequence[Any]) -> Clip:
    """Return the clips of a batch of a ``ClipDataset``, for a loader of another kind than those below.

    Raises:
        UserError: a file is broken: such a loader would lose it without a word.
    """
    batch = samples[0]
    if isinstance(batch, UserError):
        raise batch
    if not isinstance(batch, Batch):
        frames, indices, labels = zip(*samples, strict=True)
        return Clip(torch.stack(frames), torch.tensor(indices, dtype=torch.int64), torch.stack(labels))
    if len(batch.clip) < batch.num_asked:
        raise UserError(
            f"{batch.num_asked - len(batch.clip)} of {batch.num_asked} clips of a batch are broken, as was warned; an "
            "EvaluationLoader leaves them out and counts them"
        )
    return batch.clip


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
            batch = _read(self.dataset, partial(self.dataset.fetch_training, indices, draws), len(indices))
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
            context.set_forkserver_preload(["__main__", "data_modules.videos"])
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
            except RuntimeError as error:
                told = self._explain(str(error))
                if told is None:
                    raise
                self._iterator = None
                batches._shutdown_workers()
                raise UserError(told) from error
            if isinstance(batch, UserError):
                raise batch
            yield batch

    def _explain(self, message: str) -> str | None:
        """Say which files are being read where torch says that a loader process is late or gone."""
        if self._board is None:
            return None
        readings = [f"loader process {r.worker} reads {r.path} since {r.seconds:.0f} s" for r in self._board.readings()]
        if "timed out" in message:
            return (
                f"{self._split}: no batch for {self.timeout:g} s; {'; '.join(readings) or 'no file is being read'}; "
                "look at the first file and its disk, take the file out of the annotations, or raise timeout of the "
                "data module"
            )
        if "exited unexpectedly" in message:
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
