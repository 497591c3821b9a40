"""Read logged scalars back from TensorBoard event files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Scalars:
    """One logged quantity of a run: ascending optimizer steps and as many values."""

    steps: tuple[int, ...]
    values: tuple[float, ...]


def read_scalars(folder: Path, tags: Iterable[str]) -> dict[str, Scalars]:
    """Read the scalars ``tags`` of a run from all event files below ``folder``.

    A resumed run logs some steps twice; the value that was written last is kept.

    Args:
        folder: a run folder or any folder above its event files.
        tags: names of scalars, for example ``train/loss``.

    Returns:
        One entry a tag that was logged; a tag without values is left out.
    """
    # TensorBoard takes a second to import, and only this function needs it.
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
        SCALARS,
        EventAccumulator,
    )

    files = sorted(folder.rglob("events.out.tfevents.*"), key=lambda path: (path.stat().st_mtime, path.name))
    merged: dict[str, dict[int, float]] = {tag: {} for tag in tags}
    for file in files:
        events = EventAccumulator(str(file), size_guidance={SCALARS: 0}).Reload()
        logged = set(events.Tags()[SCALARS])
        for tag, values in merged.items():
            if tag in logged:
                values.update({event.step: event.value for event in events.Scalars(tag)})
    return {
        tag: Scalars(steps=tuple(sorted(values)), values=tuple(values[step] for step in sorted(values)))
        for tag, values in merged.items()
        if values
    }
