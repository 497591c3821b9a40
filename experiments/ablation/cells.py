"""A cell of an ablation: one variant in one reading with one seed, trained and evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.runs import Run
from vjepa.storage import read_record

CONFIG, LOG, HEARTBEAT, DONE, FAILED = "cell.yaml", "log.txt", "heartbeat", "DONE.json", "FAILED.json"


@dataclass(frozen=True)
class Cost:
    """Time that a cell is expected to take.

    Args:
        fit, evaluation: seconds.
        measured: whether it comes from finished cells, and not from arithmetic.
    """

    fit: float
    evaluation: float
    measured: bool = False

    @property
    def seconds(self) -> float:
        """Both together."""
        return self.fit + self.evaluation


@dataclass(frozen=True)
class Cell:
    """One run of an ablation and its evaluation.

    Args:
        variant: name; a swept one carries its settings, as ``ld@latent_dynamics.weight=0.3``.
        reading, seed: of the run.
        run: where the run is kept.
        folder: where the cell's configuration, log and marks are kept.
        hash: digest of the run's configuration and of what is evaluated.
        settings: the flat, resolved configuration.
        devices: processes of a training run.
        note: how its settings part from those of the other cells; empty if they do not.
        cost: what it is expected to take; None where nobody asked.
    """

    variant: str
    reading: str
    seed: int
    run: Run
    folder: Path
    hash: str
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    devices: int = 1
    note: str = field(default="", compare=False)
    cost: Cost | None = field(default=None, compare=False)

    @property
    def label(self) -> str:
        """Name in progress lines."""
        return f"{self.variant} {self.reading} seed {self.seed}"

    @property
    def config(self) -> Path:
        """The resolved configuration, for ``vjepa fit --config`` and ``vjepa test --config``."""
        return self.folder / CONFIG

    @property
    def log(self) -> Path:
        """What both commands print."""
        return self.folder / LOG

    @property
    def heartbeat(self) -> Path:
        """Touched while the cell is at work."""
        return self.folder / HEARTBEAT

    @property
    def done_mark(self) -> Path:
        """Written last; a cell without it is not finished."""
        return self.folder / DONE

    @property
    def failed_mark(self) -> Path:
        """Why the cell failed; goes when it starts again."""
        return self.folder / FAILED

    @property
    def done(self) -> Mapping[str, Any] | None:
        """What ``DONE.json`` says, if it is about this very cell."""
        said = read_record(self.done_mark)
        return said if said is not None and said.get("hash") == self.hash else None

    @property
    def is_done(self) -> bool:
        """Whether it is finished with this very configuration."""
        return self.done is not None

    @property
    def failure(self) -> str | None:
        """Why the cell failed when it was last tried."""
        said = read_record(self.failed_mark)
        return None if said is None else str(said.get("reason", "no reason was written"))
