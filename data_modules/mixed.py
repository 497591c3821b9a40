"""A weighted mixture of any data sets, videos and images, as a LightningDataModule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from data_modules.base import ClipDataModule
from data_modules.clips.datasets import ClipDataset, Task
from data_modules.clips.videos import VideoDataset
from data_modules.clips.views import ONE_VIEW
from data_modules.decode.images import is_image
from data_modules.generated.datamodule import GeneratedDataModule
from data_modules.mixing.mixture import Mixture, mixture_tasks
from data_modules.mixing.mixture_order import MixtureStepSampler
from data_modules.mixing.order import EndlessSampler, WeightedStepSampler
from data_modules.named import find_class, make_data
from data_modules.streaming import ImageMode, StreamingDataModule, check_image_mode
from vjepa.errors import UserError
from vjepa.storage import digest_json

Split = Literal["train", "val", "test"]


@dataclass(frozen=True)
class MixturePart:
    """One data set of a mixture.

    Args:
        data: ``ucf101``, ``ssv2``, ``diving48``, ``imagenet100``, ``videos``, ``glyphs``, ``kathabench``, ``synth``, or
            the dotted path of a data module of your own.
        weight: share of training clips, relative to the other parts, >= 0.
        options: of that data module where they differ from those of the mixture.
    """

    data: str
    weight: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)


class MixedDataModule(StreamingDataModule):
    """Any data sets, mixed by weight: training clips come from part d with probability w_d, whatever its size.

    Validation and test are the clips of the parts' own, one part after the other. A task is named after its part.

    Args:
        parts: the data sets.
        image_mode: what images are beside videos: ``repeat``, still videos in the same batches (the study), or
            ``single``, clips of one frame in batches of their own. Then every global batch holds one kind, drawn by
            weight; a validation batch that holds both shows its images as still videos.
        replacement: whether a clip may return before its part is used up, as in the study.
        options: of ``StreamingDataModule``, for all parts.

    Raises:
        UserError: a value is out of range, or a part is unknown or refuses its options.

    Source: the study's weighted mixture of UCF-101, Something-Something V2 and ImageNet-100.
    Differs: the order depends on the seed of the run, and a broken file is replaced by one of the same part.
    """

    name = "mixed"

    def __init__(
        self, parts: list[MixturePart], image_mode: ImageMode = "repeat", replacement: bool = True, **options: Any
    ) -> None:
        super().__init__(**options)
        if not parts:
            raise UserError("mixed: parts is empty; expected at least one data set")
        for part in parts:
            if not part.weight >= 0:
                raise UserError(f"mixed: weight of {part.data} is {part.weight}; expected 0 or more")
        if not sum(part.weight for part in parts) > 0:
            raise UserError("mixed: the weights of all parts are 0")
        check_image_mode(self.name, image_mode)
        own = {"seed": self.seed, "num_frames": self.num_frames, "size": self.size}
        self.members = tuple(_make(part, options | own) for part in parts)
        self.weights = tuple(part.weight for part in parts)
        self.image_mode, self.replacement = image_mode, replacement
        self._datasets: dict[Split, Mixture] = {}
        names = [member.name for member in self.members]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise UserError(f"mixed: two parts are named {name!r}; mix a data set once, or give lists names")

    def prepare_data(self) -> None:
        """Prepare all parts."""
        for member in self.members:
            member.prepare_data()

    def setup(self, stage: str | None = None) -> None:
        """Open the splits of all parts that a stage reads."""
        for member in self.members:
            member.setup(stage)
        super().setup(stage)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks of all parts."""
        return tuple(task for member in self.members for task in mixture_tasks(member.name, member.tasks))

    @property
    def manifest_hash(self) -> str:
        """Names the data of all parts."""
        return digest_json([[member.name, member.manifest_hash] for member in self.members])

    def dataset(self, split: Split) -> Mixture:
        """Return the clips of a split."""
        if split not in self._datasets:
            names = [member.name for member in self.members]
            sources = [self._source(member, split) for member in self.members]
            single = self.image_mode == "single"
            self._datasets[split] = Mixture(split, names, sources, self.num_frames, self.size, single)
        return self._datasets[split]

    def _source(self, member: ClipDataModule, split: Split) -> ClipDataset:
        if split == "train":
            return member.training_dataset()
        if isinstance(member, GeneratedDataModule):
            # Its own clips for probes may be of another size.
            return member.stream(split, self.size, views=self.views if split == "test" else ONE_VIEW)
        return member.dataset(split)

    def _train_sampler(self, data: ClipDataset) -> EndlessSampler:
        sources = self.dataset("train").sources
        kinds = None
        if self.image_mode == "single":
            kinds = [_kind(member.name, source) for member, source in zip(self.members, sources)]
        make = WeightedStepSampler if self.replacement else MixtureStepSampler
        return make(
            [len(source) for source in sources],
            self.weights,
            self.batch_size,
            self.seed,
            self._rank,
            self._world,
            kinds=kinds,
        )


def _kind(name: str, source: ClipDataset) -> int:
    """Return 1 for images and 0 for videos."""
    kinds = set(map(is_image, source.paths)) if isinstance(source, VideoDataset) else {False}
    if len(kinds) > 1:
        raise UserError(f"{name}: holds images and videos; with image_mode single make a part of each")
    return int(kinds.pop())


def _make(part: MixturePart, shared: dict[str, Any]) -> ClipDataModule:
    """Make the data module of a part, with those options of the mixture that concern it and its own."""
    chosen = find_class(part.data)
    if issubclass(chosen, MixedDataModule):
        raise UserError("mixed: a mixture cannot be part of a mixture; list its parts instead")
    if issubclass(chosen, GeneratedDataModule):  # its root is a cache, and step and rate are those of its files
        shared = {name: shared[name] for name in ("seed", "num_frames", "size", "reading") if name in shared}
    return make_data(part.data, part.options, shared)
