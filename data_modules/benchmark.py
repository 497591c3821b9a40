"""A published benchmark as it was downloaded: one task, official splits, a validation split carved from train."""

from __future__ import annotations

import logging
from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from data_modules.annotations.flips import sided_classes, warn_of_flips
from data_modules.annotations.lists import split_validation
from data_modules.annotations.published import Annotations, Record
from data_modules.annotations.roots import data_root
from data_modules.annotations.splits import split_groups
from data_modules.clips.datasets import Task
from data_modules.clips.videos import VideoFile
from data_modules.files import FilesDataModule, Part, Split
from vjepa.errors import UserError

_log = logging.getLogger(__name__)


class BenchmarkDataModule(FilesDataModule):
    """A published benchmark; a subclass knows its layout on disk.

    Its official train split is divided, by ``val_ratio`` and ``split_seed``, into train and val: stratified by class,
    and with whole groups where clips share a source video.

    Args:
        options: of ``StreamingDataModule``.

    Raises:
        UserError: a value is out of range.
    """

    task: ClassVar[str]
    temporal: ClassVar[bool]
    num_published_classes: ClassVar[int]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._warned = False

    @property
    @abstractmethod
    def published(self) -> dict[str, int]:
        """Number of files of every official split, as published."""

    @property
    def test_split(self) -> str:
        """The official split that the test split is."""
        return "test"

    @abstractmethod
    def read_annotations(self, root: Path) -> Annotations:
        """Find and read what was published, below the folder of the data sets ``root``.

        Raises:
            UserError: something is missing or wrong; the message names file and place.
        """

    @cached_property
    def annotations(self) -> Annotations:
        """What was published, read on first use."""
        return self.read_annotations(data_root(self.root))

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The one question that the labels answer."""
        return (Task(self.task, self.annotations.classes, self.temporal),)

    def setup(self, stage: str | None = None) -> None:
        """Open the splits that a stage reads, and say so once if training mirrors what should not be mirrored."""
        super().setup(stage)
        if stage in (None, "fit") and self.augmentation.horizontal_flip and not self._warned:
            self._warned = True
            warn_of_flips(self.name, sided_classes(self.annotations.classes), len(self.annotations.classes))

    def find_parts(self, root: Path) -> dict[Split, tuple[Part, ...]]:
        """Return one source a split."""
        found = self.annotations
        train, test = found.splits["train"], found.splits[self.test_split]
        self._check_unique(found)
        if len(train) < 2:
            raise UserError(f"{self.name}: {len(train)} training file cannot be shared with validation")
        labels, groups = [record.label for record in train], [record.group for record in train]
        if any(groups):
            in_val = split_groups(labels, groups, self.val_ratio, self.split_seed)
            if not self.val_ratio / 2 < in_val.mean() < self.val_ratio * 2:
                _log.warning(
                    "%s: validation holds %.1f %% of the training clips instead of %.1f %%, since clips of one source "
                    "video stay together",
                    self.name,
                    100 * in_val.mean(),
                    100 * self.val_ratio,
                )
        else:
            in_val = split_validation(labels, self.val_ratio, self.split_seed)
        sides: dict[Split, list[Record]] = {
            "train": [record for record, chosen in zip(train, in_val) if not chosen],
            "val": [record for record, chosen in zip(train, in_val) if chosen],
            "test": list(test),
        }
        return {split: (self._part(records),) if records else () for split, records in sides.items()}

    def _part(self, records: list[Record]) -> Part:
        folder = self.annotations.folder
        files = tuple(VideoFile(folder / record.file, (record.label,), record.id) for record in records)
        return Part(self.name, folder, files)

    def _check_unique(self, found: Annotations) -> None:
        home: dict[str, str] = {}
        for split, records in found.splits.items():
            for record in records:
                if record.id in home:
                    splits = f"{home[record.id]} and {split}"
                    raise UserError(f"{self.name}: {record.id} is listed twice, in the official {splits} splits")
                home[record.id] = split
