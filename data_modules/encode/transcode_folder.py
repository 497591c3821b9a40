"""Writes the videos of a folder again, in several processes; a run that was stopped goes on where it was."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context, parent_process
from pathlib import Path
from shutil import copyfile

import cv2
import numpy as np

from data_modules.decode.frames import BrokenVideo
from data_modules.encode.transcode import Transcoding, transcode
from vjepa.errors import UserError
from vjepa.storage import atomic_path, atomic_write_text, storage_error

VIDEO_SUFFIXES = frozenset((".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"))

_SETTINGS, _LOCK, _PART = "transcode.json", ".transcode.lock", ".part"
_PENDING = 4


@dataclass
class Outcome:
    """What became of the files of a folder.

    Args:
        written: videos that were written, relative to the folder.
        kept: videos that had been written before.
        copied: other files that were copied.
        broken: videos that could not be read, and why.
    """

    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    copied: int = 0
    broken: dict[str, str] = field(default_factory=dict)


def find_files(folder: Path) -> tuple[list[str], list[str]]:
    """Return all videos below a folder and all other files, as sorted relative paths; links to folders are passed."""
    videos: list[str] = []
    others: list[str] = []
    for place, _, names in os.walk(folder):
        for name in names:
            relative = str(Path(place, name).relative_to(folder))
            (videos if Path(name).suffix.lower() in VIDEO_SUFFIXES else others).append(relative)
    return sorted(videos), sorted(others)


def transcode_folder(
    source: Path,
    target: Path,
    how: Transcoding,
    jobs: int = 1,
    only: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Write every video of a folder again under the same name in another, and copy all other files.

    What a stopped run has written is kept; a source that is newer than its copy is written again.

    Args:
        source: folder, only read.
        target: folder, made if absent; never inside ``source``, nor around it.
        how: to write.
        jobs: processes, >= 1.
        only: write just so many, spread over the folder, and copy no other file; None writes all.
        progress: told how many files of how many are done.

    Returns:
        What became of each file.

    Raises:
        UserError: a folder is missing or unsuitable, holds what was written in another way, is being written by another
            process, or is full.
    """
    source, target = source.expanduser().resolve(), target.expanduser().resolve()
    if not source.is_dir():
        raise UserError(f"{source}: no such folder")
    if source == target or source in target.parents or target in source.parents:
        raise UserError(
            f"{target}: lies in {source} or around it; choose a folder apart, the originals must not change"
        )
    if jobs < 1 or (only is not None and only < 1):
        raise UserError(f"jobs is {jobs} and only is {only}; expected 1 or more")
    videos, others = find_files(source)
    if not videos:
        raise UserError(f"{source}: no video found (looked for {', '.join(sorted(VIDEO_SUFFIXES))})")
    if only is not None:
        others = []
        videos = [videos[number] for number in np.unique(np.linspace(0, len(videos) - 1, only).astype(int))]
    outcome = Outcome()
    with _owned(target, how):
        missing: list[str] = []
        for name in videos:
            (outcome.kept if _is_current(source / name, target / name) else missing).append(name)
        done = len(outcome.kept)
        progress(done, len(videos))
        for name, reason in _transcode_all(source, target, missing, how, jobs):
            if reason is None:
                outcome.written.append(name)
            else:
                outcome.broken[name] = reason
            done += 1
            progress(done, len(videos))
        for name in others:
            if (source / name).is_file() and not _is_current(source / name, target / name):
                _copy(source / name, target / name)
                outcome.copied += 1
    return outcome


def _transcode_all(
    source: Path, target: Path, names: list[str], how: Transcoding, jobs: int
) -> Iterator[tuple[str, str | None]]:
    if not names:
        return
    waiting = iter(names)
    pool = ProcessPoolExecutor(min(jobs, len(names)), get_context("forkserver"), initializer=_start_worker)
    try:
        running: set[Future[tuple[str, str | None]]] = set()
        while True:
            for name in waiting:
                running.add(pool.submit(_transcode_one, name, source / name, target / name, how))
                if len(running) >= _PENDING * jobs:
                    break
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
    finally:
        # Files that are being written are finished, so that an interruption costs seconds.
        pool.shutdown(cancel_futures=True)


def _transcode_one(name: str, source: Path, target: Path, how: Transcoding) -> tuple[str, str | None]:
    try:
        transcode(source, target, how)
    except BrokenVideo as error:
        return name, error.reason
    return name, None


def _start_worker() -> None:
    # Ctrl-C reaches all processes of a terminal; only the first one acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _is_current(source: Path, target: Path) -> bool:
    try:
        return target.stat().st_mtime_ns >= source.stat().st_mtime_ns
    except OSError:
        return False


def _copy(source: Path, target: Path) -> None:
    with atomic_path(target) as temporary:
        copyfile(source, temporary)


@contextmanager
def _owned(target: Path, how: Transcoding) -> Iterator[None]:
    """Hold the folder's lock, clear what a killed run left, and see that everything in it is written in one way."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        lock = open(target / _LOCK, "w")  # noqa: SIM115
    except OSError as error:
        raise storage_error(target, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{target}: another process is writing into it; wait for it or choose another") from None
        settings = target / _SETTINGS
        if settings.is_file():
            found = json.loads(settings.read_text())
            if found != asdict(how):
                raise UserError(f"{target}: was written with {found}, not {asdict(how)}; choose another folder")
        else:
            atomic_write_text(settings, json.dumps(asdict(how)) + "\n")
        for place, _, names in os.walk(target):
            for name in names:
                if name.startswith(".") and name.endswith(_PART):
                    Path(place, name).unlink(missing_ok=True)
        yield
