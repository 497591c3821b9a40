"""Any videos and images named by list files, one list or a weighted mixture, as a LightningDataModule."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from data_modules.augment import Augmentation
from data_modules.base import ClipDataModule
from data_modules.clips import ClipDataset, StreamLoader, Task
from data_modules.lists import ListEntry, ListSource, data_root, read_list, split_validation
from data_modules.order import EndlessSampler, StepSampler, WeightedStepSampler
from data_modules.sampling import FpsRule, FrameSampling
from data_modules.videos import VideoDataset, VideoFile
from vjepa.errors import UserError
from vjepa.reading import Reading, resolve
from vjepa.storage import digest

Split = Literal["train", "val", "test"]

_PROBED_FILES = 64
_NAMED_FILES = 3


@dataclass(frozen=True)
class _Part:
    """The entries of one list in one split; labels without a task are not used."""

    task: str | None
    entries: tuple[ListEntry, ...]


class VideoListDataModule(ClipDataModule):
    """Videos and images of list files (``path label`` a line, paths under the data root).

    Several training lists are mixed by weight with replacement; one list is read in a new order each epoch. Files of
    the evaluation splits must all exist; a broken training file is listed in ``broken.csv`` and replaced.

    Args:
        lists: training lists.
        val: validation lists; None takes a fixed share of every training list, with all its classes, out of training.
        test: test lists; None has no test split.
        batch_size: clips per batch and process (before gradient accumulation), >= 1.
        num_workers: loader processes; 0 reads in the main process.
        seed: of the order of training clips and of their random views, >= 0.
        root: folder of the data sets; None takes DATA_ROOT.
        name: of the data in folders and results.
        num_frames: frames per clip, >= 1.
        size: height and width in pixels, >= 1.
        frame_step: frames of a video per frame of a training clip; exactly one of ``frame_step`` and ``fps`` is set.
        fps: rate of training clips in frames per second.
        fps_rule: ``nearest`` or ``integer_step``; None takes that of ``reading``.
        horizontal_flip: mirror half of the training clips; switch off where left and right tell classes apart.
        scale: least and most area of a random crop, as a ratio of the frame's.
        aspect_ratio: least and most width : height of a random crop.
        val_ratio: share of the training lists for validation where ``val`` is None, in (0, 1).
        split_seed: of that share; not the seed of the run, so that all runs validate on the same files.
        reading: of the study, for switches left at None.

    Raises:
        UserError: a value is out of range.
    """

    name = "videos"

    def __init__(
        self,
        lists: list[ListSource],
        val: list[ListSource] | None = None,
        test: list[ListSource] | None = None,
        batch_size: int = 8,
        num_workers: int = 4,
        seed: int = 0,
        root: str | None = None,
        name: str = "videos",
        num_frames: int = 16,
        size: int = 224,
        frame_step: int | None = None,
        fps: float | None = None,
        fps_rule: FpsRule | None = None,
        horizontal_flip: bool = True,
        scale: tuple[float, float] = (0.3, 1.0),
        aspect_ratio: tuple[float, float] = (0.75, 1.35),
        val_ratio: float = 0.05,
        split_seed: int = 0,
        reading: Reading = "as_described",
    ) -> None:
        self.name = name
        super().__init__(batch_size, num_workers, seed, num_frames, size)
        if not lists:
            raise UserError(f"{name}: lists is empty; expected at least one list file")
        if not 0 < val_ratio < 1:
            raise UserError(f"{name}: val_ratio is {val_ratio}; expected a share between 0 and 1")
        if split_seed < 0:
            raise UserError(f"{name}: split_seed is {split_seed}; expected 0 or more")
        for source in lists:
            if not source.weight >= 0:
                raise UserError(f"{name}: weight of {source.path} is {source.weight}; expected 0 or more")
        if not sum(source.weight for source in lists) > 0:
            raise UserError(f"{name}: the weights of all training lists are 0")
        rule: FpsRule | None = resolve("sampling.fps_rule", fps_rule, reading)
        self.sampling = FrameSampling(num_frames, frame_step, fps, None if fps is None else rule)
        self.augmentation = Augmentation(tuple(scale), tuple(aspect_ratio), horizontal_flip)  # type: ignore[arg-type]
        self.sources: dict[Split, tuple[ListSource, ...]] = {
            "train": tuple(lists),
            "val": tuple(val or ()),
            "test": tuple(test or ()),
        }
        self.root, self.val_ratio, self.split_seed = root, val_ratio, split_seed
        self.broken_path: Path | None = None
        self._datasets: dict[Split, VideoDataset] = {}

    def prepare_data(self) -> None:
        """Read the list files, so that what is wrong with them is said before anything starts."""
        _ = self._parts

    @property
    def tasks(self) -> tuple[Task, ...]:
        """A task for each name that the lists give their labels; classes are named by number."""
        most: dict[str, int] = {}
        for parts in self._parts.values():
            for part in parts:
                if part.task is not None:
                    most[part.task] = max(most.get(part.task, -1), *(entry.label for entry in part.entries), -1)
        return tuple(
            Task(name, tuple(map(str, range(label + 1))), temporal=True) for name, label in most.items() if label >= 0
        )

    @property
    def manifest_hash(self) -> str:
        """Names the files and labels of all splits, in order."""
        lines = [
            f"{split} {part.task or ''} {entry.id} {entry.label}"
            for split, parts in self._parts.items()
            for part in parts
            for entry in part.entries
        ]
        return digest("\n".join(lines).encode())

    def dataset(self, split: Split) -> ClipDataset:
        """Return the clips of a split.

        Raises:
            UserError: a list or the split is missing, or files are: one of an evaluation split, or all that were
                looked for of a training list.
        """
        if split not in self._datasets:
            self._datasets[split] = self._open(split)
        return self._datasets[split]

    def train_dataloader(self) -> StreamLoader:
        """Return the endless training loader; broken files go to ``broken_path``, else into the run's folder."""
        if self.broken_path is None and self.trainer is not None:
            self.broken_path = Path(self.trainer.default_root_dir) / "broken.csv"
        self.dataset("train")
        self._datasets["train"].broken.path = self.broken_path
        return super().train_dataloader()

    def _train_sampler(self, data: ClipDataset) -> EndlessSampler:
        sizes = [len(part.entries) for part in self._parts["train"]]
        if len(sizes) == 1:
            return StepSampler(len(data), self.batch_size, self.seed, self._rank, self._world)
        weights = [source.weight for source in self.sources["train"]]
        return WeightedStepSampler(sizes, weights, self.batch_size, self.seed, self._rank, self._world)

    @cached_property
    def _parts(self) -> dict[Split, tuple[_Part, ...]]:
        root = data_root(self.root)
        parts: dict[Split, tuple[_Part, ...]] = {
            split: tuple(_Part(self._task(source), read_list(root / source.path, root)) for source in sources)
            for split, sources in self.sources.items()
        }
        if not parts["val"]:
            pairs = [self._carve(part, source) for part, source in zip(parts["train"], self.sources["train"])]
            parts["train"], parts["val"] = (tuple(side) for side in zip(*pairs))
        _check_disjoint(self.name, parts)
        return parts

    def _task(self, source: ListSource) -> str | None:
        if source.task is not None or len(self.sources["train"]) > 1:
            return source.task
        return "label"

    def _carve(self, part: _Part, source: ListSource) -> tuple[_Part, _Part]:
        if len(part.entries) < 2:
            raise UserError(f"{source.path}: {len(part.entries)} file cannot be shared with validation; set val")
        chosen = split_validation([entry.label for entry in part.entries], self.val_ratio, self.split_seed)
        kept, taken = (
            tuple(entry for entry, is_taken in zip(part.entries, chosen) if is_taken == side) for side in (False, True)
        )
        return _Part(part.task, kept), _Part(part.task, taken)

    def _open(self, split: Split) -> VideoDataset:
        parts, tasks, root = self._parts[split], self.tasks, data_root(self.root)
        if not parts:
            raise UserError(f"{self.name}: there is no {split} list; set {split}")
        files = [
            VideoFile(root / entry.id, tuple(entry.label if task.name == part.task else -1 for task in tasks), entry.id)
            for part in parts
            for entry in part.entries
        ]
        data = VideoDataset(
            files,
            tasks,
            split,
            self.num_frames,
            self.size,
            self.sampling if split == "train" else None,
            self.augmentation if split == "train" else None,
            self.seed,
            group_sizes=[len(part.entries) for part in parts],
        )
        for number, part in enumerate(parts):
            first = sum(len(earlier.entries) for earlier in parts[:number])
            self._check_files(data, range(first, first + len(part.entries)), root)
        return data

    def _check_files(self, data: VideoDataset, places: range, root: Path) -> None:
        """A few missing training files are replaced; an evaluation list with holes or a list without files is not."""
        training = data.split == "train"
        looked_at = places[:: -(-len(places) // _PROBED_FILES)] if training else places
        missing = data.missing(looked_at)
        if missing and (not training or len(missing) == len(looked_at)):
            names = ", ".join(missing[:_NAMED_FILES]) + (", ..." if len(missing) > _NAMED_FILES else "")
            raise UserError(
                f"{self.name}: {len(missing)} of {len(looked_at)} {data.split} files that were looked for are not in "
                f"{root} ({names}); set DATA_ROOT to the folder that the lists are relative to, or mend the lists"
            )


def _check_disjoint(name: str, parts: dict[Split, tuple[_Part, ...]]) -> None:
    home: dict[str, Split] = {}
    for split, members in parts.items():
        for part in members:
            for entry in part.entries:
                if entry.id in home:
                    raise UserError(
                        f"{name}: {entry.id} is listed in {home[entry.id]} and in {split}; list a file once"
                    )
                home[entry.id] = split
