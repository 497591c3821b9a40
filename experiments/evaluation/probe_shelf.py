"""The folder of fitted probes: each is fitted once for its features, and found again by later evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from experiments.evaluation.features.cache import DataKey, Say
from experiments.evaluation.features.token_source import TokenSource
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import View
from experiments.probes import FittedProbe, ProbeProtocol, load_probe, save_probe
from experiments.results.provenance import versions
from vjepa.errors import UserError
from vjepa.storage import digest, digest_json, storage_error

_FITS = 1
"""To be raised when fitting under equal settings begins to give other probes."""


@dataclass(frozen=True)
class Place:
    """A probe that is wanted, and the file that it is or will be in.

    Args:
        path: named by a digest of all that decides the probe.
        protocol: probe and settings.
        view: name of the part that it reads.
        column: of the labels.
        num_classes: C.
    """

    path: Path
    protocol: ProbeProtocol
    view: str
    column: int
    num_classes: int

    def find(self, say: Say) -> FittedProbe | None:
        """The probe if it was fitted before; a file that is torn, or holds another probe, is said and removed.

        Args:
            say: called with a line.

        Raises:
            UserError: such a file cannot be removed.
        """
        if not self.path.exists():
            return None
        try:
            probe = load_probe(self.path)
            found = (probe.protocol, probe.view, probe.column, probe.num_classes)
            problem = (
                None if found == (self.protocol, self.view, self.column, self.num_classes) else "of other settings"
            )
        except (UserError, ValueError, KeyError, TypeError, RuntimeError):
            problem = "torn, or no probe"
        if problem is None:
            return probe
        say(f"fitted probe {self.path} is {problem}: it is fitted again")
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(self.path, error) from error
        return None

    def keep(self, probe: FittedProbe) -> FittedProbe:
        """Write a probe, and return what a later evaluation will read.

        Raises:
            UserError: the file cannot be written.
        """
        save_probe(probe, self.path)
        return load_probe(self.path)


@dataclass(frozen=True)
class Shelf:
    """Probes of any subjects on one data set.

    Args:
        folder: made when first written to.
        data: whose clips.
    """

    folder: Path
    data: DataKey

    def place(
        self,
        subject: Subject,
        view: View,
        protocol: ProbeProtocol,
        column: int,
        num_classes: int,
        sources: Mapping[str, TokenSource],
    ) -> Place:
        """Where a probe is kept.

        Args:
            subject: on whose features it is fitted.
            view: part of them.
            protocol: probe and settings.
            column: of the labels.
            num_classes: C.
            sources: by split; give the channels, and the clips with those that are broken.
        """
        channels = view.select(torch.arange(next(iter(sources.values())).pooled.row_shape[-1]))
        clips = {split: [_digest(source.index), _digest(source.excluded)] for split, source in sources.items()}
        key = digest_json(
            [
                _FITS, versions(), subject.digest, vars(self.data), clips,
                view.name, _digest(channels), protocol.hash, column, num_classes,
            ]
        )  # fmt: skip
        return Place(self.folder / f"probe-{key[:24]}.safetensors", protocol, view.name, column, num_classes)


def _digest(numbers: Tensor) -> str:
    return digest(numbers.to(torch.int64).contiguous().numpy().tobytes())
