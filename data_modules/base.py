"""What every benchmark is to Lightning: a module that yields ``Clip`` batches of its three splits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule

from data_modules.clips.broken import BROKEN_FILE, BrokenLimit
from data_modules.clips.datasets import ClipDataset, Sample, Task, collate
from data_modules.clips.loaders import ClipStream, EvaluationLoader, StreamLoader
from data_modules.mixing.order import EndlessSampler, ShardSampler, StepSampler
from vjepa.errors import UserError

__all__ = ["ClipDataModule", "ClipDataset", "Sample", "Task", "collate"]


class ClipDataModule(LightningDataModule, ABC):
    """Loaders over the splits of a benchmark; a subclass says how the data comes to be.

    Training batches are endless (bound a run by ``max_steps``) and depend on (seed, number of the batch,
    rank, world) alone, so a resumed run continues where it stopped. Evaluation sees every clip once.

    Broken files are listed in ``broken_path``, else in ``broken.csv`` in the trainer's default folder. Training
    replaces them and stops when they are too many; evaluation leaves them out.

    Args:
        batch_size: clips per batch and process (before gradient accumulation), >= 1.
        num_workers: loader processes; 0 reads in the main process.
        seed: of the order of training clips, >= 0.
        num_frames: frames per clip, >= 1.
        size: height and width in pixels, >= 1.
        max_broken_ratio: broken files met per training clip, above which the run stops, in [0, 1]; 1 never stops.
        timeout: seconds to wait for a batch of the loader processes, > 0.
    """

    name: str

    def __init__(
        self,
        batch_size: int,
        num_workers: int,
        seed: int,
        num_frames: int,
        size: int,
        max_broken_ratio: float = 0.01,
        timeout: float = 300.0,
    ) -> None:
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
        if not 0 <= max_broken_ratio <= 1:
            raise UserError(f"{self.name}: max_broken_ratio is {max_broken_ratio}; expected a share from 0 to 1")
        if not timeout > 0:
            raise UserError(f"{self.name}: timeout is {timeout}; expected more than 0 seconds")
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.num_frames = num_frames
        self.size = size
        self.max_broken_ratio = max_broken_ratio
        self.timeout = timeout
        self.broken_path: Path | None = None

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
        data.broken.keep_in(self._broken_path)
        limit = BrokenLimit(self.max_broken_ratio, self._world, self._sum_over_ranks)
        stream = ClipStream(data, self._train_sampler(data))
        return StreamLoader(stream, self._num_consumed, limit, **self._loader_options())

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
        if len(data) < self._world:
            raise UserError(
                f"{self.name}: {len(data)} {split} clips cannot be shared by {self._world} processes; use fewer "
                "devices or more clips"
            )
        data.broken.keep_in(self._broken_path)
        return EvaluationLoader(
            data,
            ShardSampler(len(data), self._rank, self._world),
            self.batch_size,
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

    @property
    def _broken_path(self) -> Path | None:
        if self.broken_path is not None or self.trainer is None:
            return self.broken_path
        return Path(self.trainer.default_root_dir) / BROKEN_FILE

    def _sum_over_ranks(self, values: list[float]) -> list[float]:
        assert self.trainer is not None
        strategy = self.trainer.strategy
        total = strategy.reduce(torch.tensor(values, device=strategy.root_device), reduce_op="sum")
        return [float(value) for value in torch.as_tensor(total)]

    def _loader_options(self) -> dict[str, Any]:
        on_gpu = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        return {"num_workers": self.num_workers, "pin_memory": on_gpu, "timeout": self.timeout}
