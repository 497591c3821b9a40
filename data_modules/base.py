"""What every benchmark is to Lightning: a module that yields ``Clip`` batches of its three splits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

from lightning.pytorch import LightningDataModule

from data_modules.clips import (
    ClipDataset,
    ClipStream,
    EvaluationLoader,
    Sample,
    StreamLoader,
    Task,
    collate,
    use_one_thread,
)
from data_modules.order import EndlessSampler, ShardSampler, StepSampler
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
        num_frames: frames per clip, >= 1.
        size: height and width in pixels, >= 1.
    """

    name: str

    def __init__(self, batch_size: int, num_workers: int, seed: int, num_frames: int, size: int) -> None:
        super().__init__()
        for option, value, least in (
            ("batch_size", batch_size, 1),
            ("num_workers", num_workers, 0),
            ("seed", seed, 0),
            ("num_frames", num_frames, 1),
            ("size", size, 1),
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
    def tasks(self) -> tuple[Task, ...]:
        """The questions that the labels answer, one per column; often a plain class attribute."""

    @property
    @abstractmethod
    def manifest_hash(self) -> str:
        """Names the exact data; known after ``prepare_data``."""

    @abstractmethod
    def dataset(self, split: Literal["train", "val", "test"]) -> ClipDataset:
        """Return the clips of a split; they must have been prepared."""

    def training_dataset(self) -> ClipDataset:
        """Return the clips of the training loader: split train, unless pretraining has clips of its own."""
        return self.dataset("train")

    def setup(self, stage: str | None = None) -> None:
        """Open the splits that a stage reads: fit, validate, test or predict; None opens all."""
        if stage in (None, "fit"):
            self.training_dataset()
        if stage in (None, "fit", "validate"):
            self.dataset("val")
        if stage in (None, "test", "predict"):
            self.dataset("test")

    def train_dataloader(self) -> StreamLoader:
        """Return the endless training loader."""
        data = self.training_dataset()
        return StreamLoader(ClipStream(data, self._train_sampler(data)), self._num_consumed, **self._loader_options())

    def val_dataloader(self) -> EvaluationLoader:
        """Return a loader of this rank's share of the validation clips."""
        return self._evaluation_loader("val")

    def test_dataloader(self) -> EvaluationLoader:
        """Return a loader of this rank's share of the test clips."""
        return self._evaluation_loader("test")

    def predict_dataloader(self) -> EvaluationLoader:
        """Return the test loader."""
        return self._evaluation_loader("test")

    def _train_sampler(self, data: ClipDataset) -> EndlessSampler:
        """Return the order of training clips; a mixture overrides this."""
        return StepSampler(len(data), self.batch_size, self.seed, self._rank, self._world)

    def _evaluation_loader(self, split: Literal["val", "test"]) -> EvaluationLoader:
        data = self.dataset(split)
        return EvaluationLoader(
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
        options = {"num_workers": self.num_workers, "pin_memory": on_gpu, "worker_init_fn": use_one_thread}
        return options | processes
