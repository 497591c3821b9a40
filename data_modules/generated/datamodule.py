"""A generated benchmark as a LightningDataModule: prepared on first use, its splits opened once."""

from __future__ import annotations

from typing import Any, Literal

from data_modules.base import ClipDataModule, ClipDataset
from data_modules.clips.videos import VideoDataset, VideoFile
from data_modules.generated.store import ClipStore

Split = Literal["train", "val", "test"]


class GeneratedDataModule(ClipDataModule):
    """Splits of a ``ClipStore``; see ``ClipDataModule``. A subclass may read them otherwise than from mapped frames.

    Args:
        store: of the benchmark.
        batch_size, num_workers, seed, num_frames, size: as ``ClipDataModule``.
    """

    def __init__(
        self, store: ClipStore[Any], batch_size: int, num_workers: int, seed: int, num_frames: int, size: int
    ) -> None:
        super().__init__(batch_size, num_workers, seed, num_frames, size)
        self.store = store
        self._manifest_hash: str | None = None
        self._datasets: dict[Split, ClipDataset] = {}

    def prepare_data(self) -> None:
        """Write what is missing of the benchmark and check the rest (one process per machine)."""
        self._manifest_hash = self.store.prepare()

    @property
    def manifest_hash(self) -> str:
        """Names the exact clips; prepares them if that has not happened yet."""
        if self._manifest_hash is None:
            self._manifest_hash = self.store.hash() or self.store.prepare()
        return self._manifest_hash

    def dataset(self, split: Split) -> ClipDataset:
        """Return the clips of a split, prepared and opened on the first call."""
        if split not in self._datasets:
            self._datasets[split] = self._open(split)
        return self._datasets[split]

    def _open(self, split: Split) -> ClipDataset:
        return self.store.open(split)

    def stream(self, split: str, size: int, **options: Any) -> VideoDataset:
        """A split that is decoded as it is read; ``options`` are those of ``VideoDataset``."""
        assert self.manifest_hash  # the files exist
        clips = zip(
            self.store.paths(split), self.store.label_table(split).tolist(), self.store.video_ids(split), strict=True
        )
        files = [VideoFile(path, tuple(labels), name) for path, labels, name in clips]
        return VideoDataset(files, self.store.tasks, split, self.num_frames, size, seed=self.seed, **options)
