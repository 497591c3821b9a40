"""The cached files of one split through one subject."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from data_modules.clips.datasets import ClipDataset
from experiments.evaluation.features.cache import FeatureCache, Kind, Say, writing
from experiments.evaluation.features.feature_file import FileInMaking, Layout, read_footer
from experiments.evaluation.features.mapped_table import MappedTable
from experiments.evaluation.features.sinks import FileSink, Make, just_frames, means, tokens_of
from experiments.evaluation.features.source_plan import Shapes
from experiments.evaluation.features.tables import Kept
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import View

_DTYPES: dict[Kind, torch.dtype] = {"means": torch.float32, "tokens": torch.float16, "frames": torch.uint8}


@dataclass(frozen=True)
class SourceFiles:
    """Finds, makes and opens them.

    Args:
        cache: the folder and its data set.
        subject: whose features.
        dataset: the split.
        positions: (n,) int64 in it.
        token_views: the only views that tokens are read of; None for all channels.
        batch_size: clips a chunk.
        say: called with a line.
    """

    cache: FeatureCache
    subject: Subject
    dataset: ClipDataset
    positions: Tensor
    token_views: tuple[View, ...] | None
    batch_size: int
    say: Say

    def path(self, kind: Kind, shapes: Shapes | None = None) -> Path:
        """Where features are kept; for tokens, ``shapes`` says of how many channels some are kept."""
        digest = "" if kind == "frames" else self.subject.digest
        kept = None if kind != "tokens" or shapes is None else self.kept(shapes)
        return self.cache.path(kind, self.dataset.split, self.positions, digest, kept)

    def is_there(self, kind: Kind, shapes: Shapes | None = None) -> bool:
        """Whether a file is whole, of these shapes, and lacks no clip that can be read by now."""
        path = self.path(kind, shapes)
        footer = self.cache.find(path, self.say)
        if footer is None:
            return False
        if shapes is not None and footer.layout.shape[1:] != self._row_shape(kind, shapes):
            problem = f"has rows of shape {footer.layout.shape[1:]}, not {self._row_shape(kind, shapes)}"
        elif footer.broken and (again := self._can_be_read(sorted(footer.broken))):
            problem = f"lacks {again} clips that can be read by now"
        else:
            return True
        self.say(f"cached features {path} {problem}: they are made again")
        path.unlink(missing_ok=True)
        return False

    def claim(self, kind: Kind, shapes: Shapes | None, make: list[Kind], locks: ExitStack) -> bool:
        """Lock a missing file until ``locks`` are left and add it to ``make``; True if another process has made it."""
        locks.enter_context(writing(self.path(kind, shapes), self.say))
        if self.is_there(kind, shapes):
            return True
        make.append(kind)
        return False

    def has_room(self, kind: Kind, shapes: Shapes) -> bool:
        """Whether a file is there or fits on the disk."""
        path = self.path(kind, shapes)
        return path.exists() or self._in_making(kind, shapes).layout.num_bytes <= self.cache.room(path)

    def create(self, kind: Kind, shapes: Shapes) -> None:
        """Make room for a file and begin it, or go on with one."""
        file = self._in_making(kind, shapes)
        if kind != "means":
            self.cache.make_room(file.path, file.layout.num_bytes)
        file.create()

    def sink(self, kind: Kind, shapes: Shapes, rank: int) -> FileSink:
        """What extraction writes into, once the first process has created it."""
        makes: dict[Kind, Make] = {"means": means, "tokens": tokens_of(self.kept(shapes)), "frames": just_frames}
        file = self._in_making(kind, shapes)
        return FileSink(file, _DTYPES[kind], makes[kind], rank, needs_encoder=kind != "frames")

    def table(self, kind: Kind, shapes: Shapes | None = None) -> MappedTable:
        """Open a finished file and list the clips that it lacks."""
        path = self.path(kind, shapes)
        table = MappedTable(path, read_footer(path), self.kept(shapes) if kind == "tokens" and shapes else None)
        for file in table.broken.values():
            self.dataset.broken.note(file)
        return table

    def kept(self, shapes: Shapes) -> Kept:
        """Channels of tokens that are kept."""
        return Kept.of(shapes.tokens[-1], self.token_views)

    def _in_making(self, kind: Kind, shapes: Shapes) -> FileInMaking:
        shape = (len(self.positions), *self._row_shape(kind, shapes))
        layout = Layout(shape, str(_DTYPES[kind]).removeprefix("torch."), self.batch_size)
        return FileInMaking(self.path(kind, shapes), layout)

    def _row_shape(self, kind: Kind, shapes: Shapes) -> tuple[int, ...]:
        if kind == "tokens":
            return (*shapes.tokens[:2], self.kept(shapes).width)
        return shapes.means if kind == "means" else shapes.frames

    def _can_be_read(self, rows: list[int]) -> int:
        return len(self.dataset.fetch(self.positions[torch.tensor(rows)]))
