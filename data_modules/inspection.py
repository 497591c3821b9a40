"""Looks at the files of a data set before anything is trained on them: which are there, and which can be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from data_modules.annotations.presence import look_for
from data_modules.clips.videos import VideoFile
from data_modules.decode.frames import BrokenVideo
from data_modules.decode.images import is_image, read_image
from data_modules.decode.reader import View, read_clip
from data_modules.decode.truncated import cut_short
from data_modules.generated.workers import map_in_processes

_FILES_PER_JOB = 256
"""Files that are worth a process of their own, which takes seconds to start."""


@dataclass(frozen=True)
class Problem:
    """A file that a run would stumble over.

    Args:
        split: that lists it.
        kind: ``missing``, ``outside`` (a link leads out of the folder) or ``unreadable``.
        id, path: of the file.
        reason: what is wrong, as the end of a sentence.
    """

    split: str
    kind: str
    id: str
    path: str
    reason: str


def find_absent(splits: Mapping[str, Sequence[VideoFile]], folder: Path) -> list[Problem]:
    """Return the files that are missing, or that a link leads out of ``folder``."""
    problems: list[Problem] = []
    for split, files in splits.items():
        found = look_for([file.path for file in files], folder, f"looking for {split} files")
        for kind, places, reason in (
            ("missing", found.missing, "no such file"),
            ("outside", found.outside, f"a link leads out of {folder}"),
        ):
            chosen = [files[place] for place in places]
            problems += [Problem(split, kind, file.id, str(file.path), reason) for file in chosen]
    return problems


def choose_files(
    splits: Mapping[str, Sequence[VideoFile]], absent: Sequence[Problem], most: int | None
) -> list[tuple[str, VideoFile]]:
    """Return split and file of those to open: evenly spaced among all that are there.

    Args:
        splits: files by split.
        absent: what ``find_absent`` found.
        most: how many; None takes all.
    """
    gone = {(problem.split, problem.id) for problem in absent if problem.kind == "missing"}
    there = [(split, file) for split, files in splits.items() for file in files if (split, file.id) not in gone]
    if most is None or most >= len(there):
        return there
    places = ((np.arange(most) + 0.5) * len(there) / most).astype(np.int64)
    return [there[place] for place in places]


def find_unreadable(chosen: Sequence[tuple[str, VideoFile]], jobs: int, whole: bool = False) -> list[Problem]:
    """Return the files of which not even the first frame can be read.

    Args:
        chosen: split and file of those to open.
        jobs: processes, >= 1.
        whole: decode every frame; finds damage in the middle of a file, and takes many times as long.
    """
    paths = [str(file.path) for _, file in chosen]
    jobs = max(1, min(jobs, len(paths) // _FILES_PER_JOB))
    reasons = map_in_processes(partial(why_unreadable, whole=whole), paths, jobs)
    bar = tqdm(reasons, total=len(paths), desc="opening files", unit="file", mininterval=1.0, leave=False)
    return [
        Problem(split, "unreadable", file.id, str(file.path), reason)
        for (split, file), reason in zip(chosen, bar, strict=True)
        if reason is not None
    ]


def why_unreadable(path: str, whole: bool = False) -> str | None:
    """Return why a file cannot be read, or None; runs in a worker process."""
    try:
        if is_image(path):
            read_image(path)
            return None
        read_clip(path, _all_frames if whole else _first_frame, _one_pixel)
        return cut_short(path)
    except BrokenVideo as error:
        return error.reason


def _first_frame(num_frames: int, fps: float) -> NDArray[np.int64]:
    return np.zeros(1, dtype=np.int64)


def _all_frames(num_frames: int, fps: float) -> NDArray[np.int64]:
    return np.arange(num_frames)


def _one_pixel(height: int, width: int) -> View:
    """A frame that costs no memory."""
    return lambda image: image[:1, :1].copy()
