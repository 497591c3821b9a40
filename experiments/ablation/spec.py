"""What an ablation was asked to do, and the file that keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from vjepa.errors import UserError
from vjepa.storage import atomic_write_text

FILE = "ablation.json"


@dataclass(frozen=True)
class Grid:
    """Every variant in every reading with every seed.

    Args:
        variants: names of files in configs/objective.
        readings: as_described, as_released or both.
        seeds: pretraining seeds.
        sweeps: options of the model at several values, as ``[VARIANT:]KEY=VALUE,VALUE``.
    """

    variants: tuple[str, ...]
    readings: tuple[str, ...] = ("as_described",)
    seeds: tuple[int, ...] = (0, 1, 2)
    sweeps: tuple[str, ...] = ()

    def covers(self, other: Grid) -> bool:
        """Whether every cell of ``other`` is one of this grid."""
        return (
            set(other.variants) <= set(self.variants)
            and set(other.readings) <= set(self.readings)
            and set(other.seeds) <= set(self.seeds)
            and other.sweeps == self.sweeps
        )


@dataclass(frozen=True)
class Ablation:
    """What is trained, how it is judged, and where it is kept.

    Args:
        grids: what was asked for so far, in order; the last one is the newest.
        out: folder.
        data: name of a regime, ``glyphs``, or a YAML file.
        title: heading of the report.
        configs: YAML files over those of the data.
        extra: further options of ``vjepa fit``.
        preset: size of the encoder; None leaves that of the data.
        probes: protocols.
        profile: corruption profile; None shows clean clips only.
        benchmarks: names of data to evaluate on; empty leaves those of the data.
        command: last command that ran it.
        git_revision: of the code that planned it.
        notes: what the plan changed, and what the results cannot show; the report lists them.
        training: settings that all cells share, as resolved for the baseline; see ``shared_settings``.
    """

    grids: tuple[Grid, ...]
    out: str
    data: str = "glyphs"
    title: str = "Ablation"
    configs: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    preset: str | None = None
    probes: tuple[str, ...] = ("linear_time", "attentive")
    profile: str | None = "core"
    benchmarks: tuple[str, ...] = ()
    command: str = ""
    git_revision: str = "unknown"
    notes: tuple[str, ...] = ()
    training: Mapping[str, Any] | None = None

    @property
    def folder(self) -> Path:
        """``out`` as a path."""
        return Path(self.out)

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return self.folder / FILE

    @property
    def variants(self) -> tuple[str, ...]:
        """Variants of all grids, in the order in which they were asked for."""
        return tuple(dict.fromkeys(name for grid in self.grids for name in grid.variants))

    @property
    def readings(self) -> tuple[str, ...]:
        """Readings of all grids."""
        return tuple(dict.fromkeys(name for grid in self.grids for name in grid.readings))

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of all grids."""
        return tuple(dict.fromkeys(seed for grid in self.grids for seed in grid.seeds))


def save(ablation: Ablation) -> None:
    """Write ``ablation.json``, whole or not at all."""
    atomic_write_text(ablation.file, json.dumps(asdict(ablation), indent=2) + "\n")


def load(folder: Path) -> Ablation:
    """The ablation that a folder holds.

    Raises:
        UserError: it holds none, or a broken one.
    """
    path = folder / FILE
    try:
        stored = json.loads(path.read_text())
        grids = tuple(Grid(**_tuples(grid)) for grid in stored.pop("grids"))
        known = {item.name for item in fields(Ablation)}
        return replace(
            Ablation(grids=grids, **_tuples({k: v for k, v in stored.items() if k in known})), out=str(folder)
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{path} cannot be read ({error}); the folder of an ablation is written by vjepa ablation or vjepa demo"
        ) from error


def _tuples(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}
