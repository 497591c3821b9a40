"""Any videos and images named by list files, one list or a weighted mixture, as a LightningDataModule."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from data_modules.annotations.lists import ListEntry, ListSource, read_list, split_validation
from data_modules.annotations.roots import data_root
from data_modules.clips.datasets import ClipDataset, Task
from data_modules.clips.videos import VideoFile
from data_modules.decode.images import is_image
from data_modules.files import FilesDataModule, Part, Split
from data_modules.mixing.mixture_order import MixtureStepSampler
from data_modules.mixing.order import EndlessSampler, StepSampler, WeightedStepSampler
from data_modules.streaming import ImageMode, check_image_mode
from vjepa.errors import UserError


@dataclass(frozen=True)
class _List:
    """The entries of one list in one split; labels without a task are not used."""

    source: ListSource
    task: str | None
    entries: tuple[ListEntry, ...]


class VideoListDataModule(FilesDataModule):
    """Videos and images of list files (``path label`` a line, paths under the data root).

    Several training lists are mixed by weight; one list is read in a new order each epoch.

    Args:
        lists: training lists.
        val: validation lists; None takes a fixed share of every training list, with all its classes, out of training.
        test: test lists; None has no test split.
        name: of the data in folders and results.
        replacement: whether a clip of a mixture may return before its list is used up, as in the study.
        image_mode: what images are beside videos: ``repeat``, still videos in the same batches (the study), or
            ``single``, clips of one frame in batches of their own; a training list then holds one kind of file.
        options: of ``StreamingDataModule``.

    Raises:
        UserError: a value is out of range.
    """

    name = "videos"

    def __init__(
        self,
        lists: list[ListSource],
        val: list[ListSource] | None = None,
        test: list[ListSource] | None = None,
        name: str = "videos",
        replacement: bool = True,
        image_mode: ImageMode = "repeat",
        **options: Any,
    ) -> None:
        self.name = name
        super().__init__(**options)
        if not lists:
            raise UserError(f"{name}: lists is empty; expected at least one list file")
        for source in lists:
            if not source.weight >= 0:
                raise UserError(f"{name}: weight of {source.path} is {source.weight}; expected 0 or more")
        if not sum(source.weight for source in lists) > 0:
            raise UserError(f"{name}: the weights of all training lists are 0")
        check_image_mode(name, image_mode)
        self.sources: dict[Split, tuple[ListSource, ...]] = {
            "train": tuple(lists),
            "val": tuple(val or ()),
            "test": tuple(test or ()),
        }
        self.image_mode, self.replacement = image_mode, replacement

    @property
    def tasks(self) -> tuple[Task, ...]:
        """A task for each name that the lists give their labels; classes are named by number."""
        most: dict[str, int] = {}
        for members in self._lists.values():
            for member in members:
                if member.task is not None:
                    labels = (entry.label for entry in member.entries)
                    stated = (member.source.num_classes or 0) - 1
                    most[member.task] = max(most.get(member.task, -1), stated, *labels)
        return tuple(
            Task(name, tuple(map(str, range(label + 1))), temporal=True) for name, label in most.items() if label >= 0
        )

    def find_parts(self, root: Path) -> dict[Split, tuple[Part, ...]]:
        """Return the lists of every split."""
        names = [task.name for task in self.tasks]
        return {
            split: tuple(
                Part(
                    member.source.path,
                    root,
                    tuple(
                        VideoFile(
                            root / entry.id,
                            tuple(entry.label if name == member.task else -1 for name in names),
                            entry.id,
                        )
                        for entry in member.entries
                    ),
                )
                for member in members
            )
            for split, members in self._lists.items()
        }

    def _dataset_options(self) -> dict[str, Any]:
        return {"single_images": self.image_mode == "single"}

    def _train_sampler(self, data: ClipDataset) -> EndlessSampler:
        sizes = [len(part.files) for part in self.parts["train"]]
        if len(sizes) == 1:
            return StepSampler(len(data), self.batch_size, self.seed, self._rank, self._world)
        weights = [source.weight for source in self.sources["train"]]
        kinds = None
        if self.image_mode == "single":
            kinds = [int(is_image(part.files[0].path)) for part in self.parts["train"]]
        sampler = WeightedStepSampler if self.replacement else MixtureStepSampler
        return sampler(sizes, weights, self.batch_size, self.seed, self._rank, self._world, kinds=kinds)

    @cached_property
    def _lists(self) -> dict[Split, tuple[_List, ...]]:
        root = data_root(self.root)
        lists: dict[Split, tuple[_List, ...]] = {
            split: tuple(
                _List(source, self._task(source), read_list(root / source.path, root, source.num_classes))
                for source in sources
            )
            for split, sources in self.sources.items()
        }
        if not lists["val"]:
            pairs = [self._carve(member) for member in lists["train"]]
            lists["train"], lists["val"] = (tuple(side) for side in zip(*pairs))
        _check_disjoint(self.name, lists)
        if self.image_mode == "single":
            for member in lists["train"]:
                if len({is_image(entry.id) for entry in member.entries}) > 1:
                    raise UserError(
                        f"{member.source.path}: lists images and videos; with image_mode single make a list of each"
                    )
        return lists

    def _task(self, source: ListSource) -> str | None:
        if source.task is not None or len(self.sources["train"]) > 1:
            return source.task
        return "label"

    def _carve(self, member: _List) -> tuple[_List, _List]:
        if len(member.entries) < 2:
            raise UserError(
                f"{member.source.path}: {len(member.entries)} file cannot be shared with validation; set val"
            )
        chosen = split_validation([entry.label for entry in member.entries], self.val_ratio, self.split_seed)
        kept, taken = (
            tuple(entry for entry, is_taken in zip(member.entries, chosen) if is_taken == side)
            for side in (False, True)
        )
        return _List(member.source, member.task, kept), _List(member.source, member.task, taken)


def _check_disjoint(name: str, lists: dict[Split, tuple[_List, ...]]) -> None:
    home: dict[str, Split] = {}
    for split, members in lists.items():
        for member in members:
            for entry in member.entries:
                if entry.id in home:
                    raise UserError(
                        f"{name}: {entry.id} is listed in {home[entry.id]} and in {split}; list a file once"
                    )
                home[entry.id] = split
