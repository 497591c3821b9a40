"""What every benchmark is to Lightning: a module that yields ``Clip`` batches of its three splits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from data_modules.clips import ClipDataset, ClipStream, Sample, StreamLoader, Task, collate
from data_modules.order import ShardSampler, StepSampler
from vjepa.errors import UserError

__all__ = ["ClipDataModule", "ClipDataset", "Sample", "Task", "collate"]


class ClipDataModule(LightningDataModule, ABC):
    """Loaders over the splits of a benchmark; a subclass says how the data comes to be.

    Training batches are endless (bound a run by ``max_steps``) and depend on (seed, number of the batch,
    rank, world) alone, so a resumed run continues where it stopped. Evaluation sees every clip once.

    Args:
        batch_size: clips per batch and process (before gradient accumulation), >= 1.
        num_workers: loader processes; 0 reads in the main process.
        seed: of the order of training clips, >= 0.
        num_frames: frames per clip.
        size: height and width in pixels.
    """

    name: str
    tasks: tuple[Task, ...]

    def __init__(self, batch_size: int, num_workers: int, seed: int, num_frames: int, size: int) -> None:
        super().__init__()
        for option, value, least in (
            ("batch_size", batch_size, 1),
            ("num_workers", num_workers, 0),
            ("seed", seed, 0),
        ):
            if value < least:
                raise UserError(f"{self.name}: {option} is {value}; expected {least} or more")
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.num_frames = num_frames
        self.size = size

    @property
    @abstractmethod
    def manifest_hash(self) -> str:
        """Names the exact data; known after ``prepare_data``."""

    @abstractmethod
    def dataset(self, split: Literal["train", "val", "test"]) -> ClipDataset:
        """Return the clips of a split; they must have been prepared."""

    def setup(self, stage: str | None = None) -> None:
        """Open the splits that a stage reads: fit, validate, test or predict; None opens all."""
        if stage in (None, "fit"):
            self.dataset("train")
        if stage in (None, "fit", "validate"):
            self.dataset("val")
        if stage in (None, "test", "predict"):
            self.dataset("test")

    def train_dataloader(self) -> StreamLoader:
        """Return the endless training loader."""
        data = self.dataset("train")
        sampler = StepSampler(len(data), self.batch_size, self.seed, self._rank, self._world)
        return StreamLoader(ClipStream(data, sampler), self._num_consumed, **self._loader_options())

    def val_dataloader(self) -> DataLoader[Sample]:
        """Return a loader of this rank's share of the validation clips."""
        return self._evaluation_loader("val")

    def test_dataloader(self) -> DataLoader[Sample]:
        """Return a loader of this rank's share of the test clips."""
        return self._evaluation_loader("test")

    def predict_dataloader(self) -> DataLoader[Sample]:
        """Return the test loader."""
        return self._evaluation_loader("test")

    def _evaluation_loader(self, split: Literal["val", "test"]) -> DataLoader[Sample]:
        data = self.dataset(split)
        return DataLoader(
            data,
            batch_size=self.batch_size,
            sampler=ShardSampler(len(data), self._rank, self._world),
            collate_fn=collate,
            persistent_workers=self.num_workers > 0,
            **self._loader_options(),
        )

    def _num_consumed(self) -> int:
        """Micro-batches this rank has trained on, by the optimizer steps that were taken."""
        if self.trainer is None:
            return 0
        return self.trainer.global_step * self.trainer.accumulate_grad_batches

    @property
    def _rank(self) -> int:
        return 0 if self.trainer is None else self.trainer.global_rank

    @property
    def _world(self) -> int:
        return 1 if self.trainer is None else self.trainer.world_size

    def _loader_options(self) -> dict[str, Any]:
        on_gpu = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        # Forking a process that has decoded video or started threads can hang; a fork server cannot.
        processes = {"multiprocessing_context": "forkserver", "timeout": 300} if self.num_workers > 0 else {}
        return {"num_workers": self.num_workers, "pin_memory": on_gpu, **processes}
