"""The heartbeat of a cell: when it last showed a sign of life, and how far it is."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from vjepa.storage import atomic_write_text


@dataclass(frozen=True)
class Pulse:
    """State of a cell at its last sign of life.

    Args:
        stage: ``fit`` or ``evaluation``.
        step, num_steps: optimizer steps done and wanted; 0 and None where that is not known.
        doing: what the child last showed on its progress bar.
        seconds: time spent in each stage so far, over all attempts.
    """

    stage: str
    step: int = 0
    num_steps: int | None = None
    doing: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write it whole or not at all; the time of the file is the time of the beat."""
        atomic_write_text(path, json.dumps(asdict(self)) + "\n")

    def __str__(self) -> str:
        if self.stage == "fit" and self.num_steps and (self.step or not self.doing):
            return f"fit, step {self.step} of {self.num_steps}"
        return f"{self.stage}, {self.doing}" if self.doing else self.stage


def read_pulse(path: Path) -> Pulse | None:
    """The pulse in a heartbeat file; None where there is none."""
    try:
        return Pulse(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def seconds_since(path: Path) -> float | None:
    """Age of the last beat, None where there was none."""
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except OSError:
        return None
