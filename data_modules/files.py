"""Data sets that are splits of files, and the checks before any file is read."""

from __future__ import annotations

import logging
from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from data_modules.annotations.presence import look_for
from data_modules.annotations.roots import data_root
from data_modules.clips.videos import VideoDataset, VideoFile
from data_modules.clips.views import ONE_VIEW
from data_modules.streaming import StreamingDataModule
from vjepa.errors import UserError
from vjepa.storage import digest

Split = Literal["train", "val", "test"]

_log = logging.getLogger(__name__)
_NAMED_FILES = 3


@dataclass(frozen=True)
class Part:
    """The files of one source in one split.

    Args:
        source: what lists them, for messages: a list file, or the name of the data set.
        folder: that they must lie in.
        files: one or more.
    """

    source: str
    folder: Path
    files: tuple[VideoFile, ...]


class FilesDataModule(StreamingDataModule):
    """Splits of files; a subclass says which files and what they show.

    Args:
        options: of ``StreamingDataModule``.

    Raises:
        UserError: a value is out of range.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._datasets: dict[Split, VideoDataset] = {}

    @abstractmethod
    def find_parts(self, root: Path) -> dict[Split, tuple[Part, ...]]:
        """Return the sources of every split, from annotations below ``root``; a split may have none."""

    @cached_property
    def parts(self) -> dict[Split, tuple[Part, ...]]:
        """The sources of every split, read on first use."""
        return self.find_parts(data_root(self.root))

    def prepare_data(self) -> None:
        """Read the annotations, so that what is wrong with them is said before anything starts."""
        _ = self.parts

    @property
    def manifest_hash(self) -> str:
        """Names the files and labels of all splits, in order."""
        lines = [
            f"{split} {number} {file.id} {file.labels}"
            for split, parts in self.parts.items()
            for number, part in enumerate(parts)
            for file in part.files
        ]
        return digest("\n".join([*(task.name for task in self.tasks), *lines]).encode())

    def dataset(self, split: Split) -> VideoDataset:
        """Return the clips of a split.

        Raises:
            UserError: annotations or the split are missing, or files are: all of a source, or of an evaluation split
                a larger share than ``max_broken_ratio``.
        """
        if split not in self._datasets:
            self._datasets[split] = self._open(split)
        return self._datasets[split]

    def _open(self, split: Split) -> VideoDataset:
        parts, training = self.parts[split], split == "train"
        if not parts:
            raise UserError(f"{self.name}: there is no {split} split")
        for part in parts:
            self._check_files(split, part)
        return VideoDataset(
            [file for part in parts for file in part.files],
            self.tasks,
            split,
            self.num_frames,
            self.size,
            self.sampling if training else None,
            self.augmentation if training else None,
            self.seed,
            group_sizes=[len(part.files) for part in parts],
            views=self.views if split == "test" else ONE_VIEW,
            **self._dataset_options(),
        )

    def _dataset_options(self) -> dict[str, Any]:
        """Further options of ``VideoDataset``."""
        return {}

    def _check_files(self, split: Split, part: Part) -> None:
        """Refuse links that lead out, a source without files, and evaluation on too few of the files."""
        found = look_for([file.path for file in part.files], part.folder, f"looking for {split} files")
        if found.outside and not self.allow_links:
            path = part.files[found.outside[0]].path
            raise UserError(
                f"{self.name}: {path} is one of {len(found.outside)} {split} files that links lead out of "
                f"{part.folder}; set allow_links to follow them"
            )
        if not found.missing:
            return
        names = ", ".join(part.files[place].id for place in found.missing[:_NAMED_FILES])
        names += ", ..." if len(found.missing) > _NAMED_FILES else ""
        counts = f"{len(found.missing)} of {len(part.files)} {split} files"
        told = f"{part.source}: {counts} are not in {part.folder} ({names})"
        allowed = self.max_broken_ratio if split != "train" else 1.0
        if len(found.missing) > allowed * len(part.files) or len(found.missing) == len(part.files):
            raise UserError(f"{told}; complete them, or mend DATA_ROOT or the annotations")
        _log.warning("%s; %s", told, "others take their places" if split == "train" else "they are left out")
