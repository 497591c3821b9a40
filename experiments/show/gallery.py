"""Clips of a benchmark among which neighbours are looked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data_modules.base import ClipDataModule
from data_modules.clips.datasets import ClipDataset
from data_modules.named import make_data
from experiments.evaluation.features.cache import DataKey, FeatureCache
from experiments.evaluation.features.reading import choose_indices
from experiments.evaluation.features.sources import make_source
from experiments.evaluation.views import WHOLE, named
from experiments.pictures.neighbours import Neighbour
from experiments.show.encoders import LoadedEncoder
from vjepa.metrics import mean_feature, nearest

SPLIT: Literal["train"] = "train"
"""The clips that vote in the kNN probe."""


@dataclass(frozen=True, eq=False)
class Bank:
    """Mean features of the clips of a gallery.

    Args:
        data_name: of the benchmark.
        dataset: its split.
        index: (m,) positions in the split.
        features: (m, d) float32.
    """

    data_name: str
    dataset: ClipDataset
    index: Tensor
    features: Tensor

    @property
    def legend(self) -> str:
        """What was searched, and how."""
        return (
            f"gallery: {len(self.index):,} of {len(self.dataset):,} {SPLIT} clips of {self.data_name}; cosine of mean "
            "features, centred by the gallery. Blue: also near to the clean clip; yellow: not."
        )

    def nearest(self, query: Tensor, most: int) -> list[tuple[int, float]]:
        """Positions in the gallery and cosines, nearest first, of the neighbours of (1, d)."""
        found = nearest(query, self.features, min(most, len(self.features)), mean_feature(self.features))
        return list(zip(found.index[0].tolist(), found.similarity[0].tolist(), strict=True))

    def neighbour(self, place: int, similarity: float, asking: NDArray[np.uint8]) -> Neighbour:
        """A clip of the gallery with its classes in all tasks that apply to it.

        Args:
            place: in the gallery.
            similarity: to the clip that asks.
            asking: (F, H_px, W_px, 3) uint8, that as it is; it may be in the gallery itself.
        """
        frames: NDArray[np.uint8] = self.dataset.read(self.index[place][None])[0].numpy()
        labels = self.dataset.labels[self.index[place]].tolist()
        classes = [task.classes[label] for task, label in zip(self.dataset.tasks, labels, strict=True) if label >= 0]
        label = "the clip itself" if np.array_equal(frames, asking) else ", ".join(classes).replace("_", " ")
        return Neighbour(place, frames, label, similarity)


@dataclass(eq=False)
class Gallery:
    """Where neighbours come from.

    Args:
        benchmark: name and options; None is the data of each encoder.
        most: clips, a fixed random choice.
    """

    benchmark: tuple[str, Mapping[str, Any]] | None = None
    most: int = 256
    _opened: dict[str, ClipDataModule] = field(default_factory=dict)

    def data(self, encoder: LoadedEncoder) -> ClipDataModule:
        """The benchmark, prepared and set up; one that was named is opened once for all encoders.

        Raises:
            UserError: it is unknown, or its files are not here.
        """
        key = str(encoder.path) if self.benchmark is None else self.benchmark[0]
        if key not in self._opened:
            self._opened[key] = encoder.open_data() if self.benchmark is None else self._open_benchmark(encoder)
        return self._opened[key]

    def _open_benchmark(self, encoder: LoadedEncoder) -> ClipDataModule:
        assert self.benchmark is not None
        name, options = self.benchmark
        data = make_data(name, options, encoder.clip_shape)
        data.prepare_data()
        data.setup("test")
        return data

    def bank(self, encoder: LoadedEncoder, cache_folder: Path) -> Bank:
        """Features of the gallery through an encoder, kept in the cache.

        Raises:
            UserError: as ``data``, or no clip can be read.
        """
        data = self.data(encoder)
        dataset = data.dataset(SPLIT)
        chosen = choose_indices(dataset, self.most)
        cache = FeatureCache(cache_folder, DataKey.of(data))
        source = make_source(
            encoder.subject, dataset, chosen, needs_tokens=False, cache=cache, num_workers=data.num_workers
        )
        whole = source.part(named(encoder.subject.views, WHOLE))
        return Bank(data.name, dataset, source.index, torch.as_tensor(whole.time().mean(dim=1)))
