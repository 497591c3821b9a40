"""Data sets of labelled clips and the loaders that batch them; nothing here needs Lightning."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from data_modules.order import EndlessSampler
from vjepa.errors import UserError
from vjepa.latents import Clip

Sample = tuple[Tensor, int, Tensor]


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

    @abstractmethod
    def read(self, indices: Tensor) -> Tensor:
        """Return the frames of clips, (b,) int64 -> (b, F, H, W, 3) uint8."""

    def fetch(self, indices: Tensor | Sequence[int]) -> Clip:
        """Return several clips as one batch, read together.

        Args:
            indices: b positions in the split.

        Returns:
            Clip of b clips.
        """
        chosen = torch.as_tensor(indices, dtype=torch.int64, device="cpu")
        return Clip(self.read(chosen), chosen, self.labels[chosen])

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
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: list[int]) -> list[Sample]:
        try:
            clip = self.fetch(indices)
        except UserError as error:
            if get_worker_info() is None:
                raise
            return [error]  # type: ignore[list-item]
        return list(zip(clip.frames, indices, clip.labels, strict=True))


def collate(samples: Sequence[Sample]) -> Clip:
    """Stack samples of a ``ClipDataset`` into a ``Clip``; a worker's error takes the place of its batch."""
    if isinstance(samples[0], UserError):
        return samples[0]
    frames, indices, labels = zip(*samples, strict=True)
    return Clip(torch.stack(frames), torch.tensor(indices, dtype=torch.int64), torch.stack(labels))


class ClipStream(IterableDataset[Clip]):
    """Endless training batches in the order of a sampler, the same for any number of workers.

    Worker w of W reads batches w, w+W, ...; the loader takes turns over the workers, which restores the
    order. It is iterable, so Lightning adds no sampler of its own to the sharded order.
    """

    def __init__(self, dataset: ClipDataset, sampler: EndlessSampler) -> None:
        self.dataset = dataset
        self.sampler = sampler

    def __iter__(self) -> Iterator[Clip]:
        worker = get_worker_info()
        first, stride = (0, 1) if worker is None else (worker.id, worker.num_workers)
        number = self.sampler.first_batch + first
        while True:
            try:
                yield self.dataset.fetch_training(self.sampler.batch(number), self.sampler.draws(number))
            except UserError as error:
                if worker is None:
                    raise
                yield error  # type: ignore[misc]
                return
            number += stride


class StreamLoader(DataLoader[Clip]):
    """A loader of a ``ClipStream`` that starts, at each iteration, after the batches already consumed."""

    def __init__(self, stream: ClipStream, consumed: Callable[[], int], **options: Any) -> None:
        super().__init__(stream, batch_size=None, **options)
        self._stream = stream
        self._consumed = consumed

    def __iter__(self) -> Any:
        self._stream.sampler.first_batch = self._consumed()
        return _raise_errors(super().__iter__())


class EvaluationLoader(DataLoader[Sample]):
    """A loader of a ``ClipDataset`` whose workers' errors arrive as they were raised."""

    def __iter__(self) -> Any:
        return _raise_errors(super().__iter__())


def _raise_errors(batches: Iterator[Any]) -> Iterator[Clip]:
    """Raise the errors among the batches: torch would raise them as another type, with a traceback as the message."""
    for batch in batches:
        if isinstance(batch, UserError):
            raise batch
        yield batch


def use_one_thread(worker: int) -> None:
    """Keep OpenCV in a worker process to one thread; the workers share the cores already."""
    import cv2

    cv2.setNumThreads(1)
