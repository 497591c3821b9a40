"""What is probed, and on how many clips."""

from __future__ import annotations

from dataclasses import dataclass

from data_modules.base import ClipDataModule
from data_modules.clips.views import EvaluationViews
from experiments.evaluation.harvest import CHUNK_CLIPS
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import WHOLE
from experiments.probes import protocol
from vjepa.errors import UserError, unknown_name

_MOST_CLIPS = 128
_MOST_BYTES = 96 * 2**20
"""Of the frames of a chunk, which is held under several conditions at once."""


@dataclass(frozen=True)
class EvaluationPlan:
    """Probes, parts and numbers of clips.

    Args:
        probes: protocols fitted on the whole representation.
        subspaces: names of further views to probe, where a subject has them.
        subspace_probes: protocols fitted on those.
        num_train, num_val, num_test: most clips of each split over all tasks, a fixed subset; None takes all.
        chunk_clips: clips decoded, damaged and encoded at a time, >= 1; None chooses by the size of a clip.

    Raises:
        UserError: an unknown protocol, no probe at all, or a number below 1.
    """

    probes: tuple[str, ...] = ("linear_time", "attentive")
    subspaces: tuple[str, ...] = ()
    subspace_probes: tuple[str, ...] = ("linear_time",)
    num_train: int | None = None
    num_val: int | None = None
    num_test: int | None = None
    chunk_clips: int | None = None

    def __post_init__(self) -> None:
        if not self.probes:
            raise UserError("nothing to evaluate: name at least one probe")
        for name in (*self.probes, *self.subspace_probes):
            protocol(name)
        for limit in ("num_train", "num_val", "num_test", "chunk_clips"):
            value = getattr(self, limit)
            if value is not None and value < 1:
                raise UserError(f"{limit} is {value}: expected 1 or more")

    @property
    def options(self) -> dict[str, int]:
        """What rows must tell beside the protocol of a probe: how many clips it was allowed."""
        limits = {"num_train": self.num_train, "num_val": self.num_val, "num_test": self.num_test}
        return {name: value for name, value in limits.items() if value is not None}

    def clips_at_a_time(self, data: ClipDataModule) -> int:
        """Clips of a chunk, as asked; else a multiple of ``CHUNK_CLIPS``, more for small clips: that is faster."""
        if self.chunk_clips is not None:
            return self.chunk_clips
        clip_bytes = 3 * data.num_frames * data.size**2
        return CHUNK_CLIPS * max(1, min(_MOST_CLIPS, _MOST_BYTES // clip_bytes) // CHUNK_CLIPS)

    def videos_at_a_time(self, data: ClipDataModule, views: EvaluationViews) -> int:
        """Test videos of a chunk: as many as have that many views together, so that memory does not grow with views."""
        return max(1, self.clips_at_a_time(data) // views.num_views)

    def wanted(self, subject: Subject) -> tuple[tuple[str, str], ...]:
        """(view, protocol) of every probe of a subject.

        Raises:
            UserError: a subspace that no view of a model has.
        """
        names = [view.name for view in subject.views]
        if len(names) > 1:
            for name in self.subspaces:
                if name not in names:
                    raise unknown_name("subspace", name, names)
        further = [(name, probe) for name in self.subspaces if name in names for probe in self.subspace_probes]
        return (*((WHOLE, probe) for probe in self.probes), *further)
