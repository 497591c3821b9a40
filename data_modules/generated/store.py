"""A generated benchmark on disk: MP4 files, a manifest that vouches for them, decoded frames.

<root>/<name>-<hash>/<split>/<id>.mp4      real video files, each written whole or not at all
<root>/<name>-<hash>/manifest.json         written last: a folder without it is unfinished
<root>/<name>-<hash>/decoded/<split>-<manifest hash>.npy
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from data_modules.clips.datasets import Task
from data_modules.clips.mapped import MappedClips, frames_are_whole, write_frames
from data_modules.decode.frames import BrokenVideo, decode_video
from data_modules.encode.mp4 import encode_mp4
from data_modules.generated.cache import writing_to_cache
from data_modules.generated.manifest import Entry, manifest_hash, read_manifest, write_manifest
from data_modules.generated.spec import ClipSpec, clip_id
from data_modules.generated.workers import available_cores, map_in_processes
from vjepa.storage import atomic_write_bytes, digest

_log = logging.getLogger(__name__)

S = TypeVar("S", bound=ClipSpec)


class ClipStore(ABC, Generic[S]):
    """Writes, repairs and reads the files of one spec; a subclass says what a clip shows and asks.

    Args:
        spec: the benchmark's parameters.
        root: the cache folder.
    """

    title: ClassVar[str]
    tasks: ClassVar[tuple[Task, ...]]
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")
    clips_per_job: ClassVar[int] = 128
    """Missing clips that are worth a process of their own."""

    def __init__(self, spec: S, root: Path) -> None:
        self.spec = spec
        self.folder = root / spec.folder_name
        self.manifest_path = self.folder / "manifest.json"

    @abstractmethod
    def draw(self, split: Any, index: int) -> NDArray[np.uint8]:
        """Draw a clip, (F, size, size, 3) RGB: a pure function of the spec and of these arguments."""

    @abstractmethod
    def labels(self, split: Any, index: int) -> tuple[int, ...]:
        """Return a clip's label in every task; -1 where a task does not apply."""

    def path(self, split: str, index: int) -> Path:
        """Return the file of a clip."""
        return self.folder / split / f"{clip_id(split, index)}.mp4"

    def prepare(self) -> str:
        """Make every file exist and match the manifest; what is finished is kept.

        Returns:
            The manifest's hash.

        Raises:
            UserError: the cache cannot be written.
            BrokenVideo: a damaged clip cannot be drawn again as it was.
        """
        entries = self.manifest()
        if entries is None:
            with writing_to_cache(self.folder):
                entries = self.manifest() or self._generate()
        if self._damaged(entries):
            with writing_to_cache(self.folder):
                self._repair(entries)
        return manifest_hash(self.spec, entries)

    def manifest(self) -> list[Entry] | None:
        """Return the manifest's entries, or None while there is no whole one for this spec."""
        return read_manifest(self.manifest_path, self.spec, self.splits)

    def hash(self) -> str | None:
        """Return the manifest's hash, or None while there is no whole manifest."""
        entries = self.manifest()
        return None if entries is None else manifest_hash(self.spec, entries)

    def video_ids(self, split: str) -> tuple[str, ...]:
        """Return the stable names of a split's clips."""
        return tuple(clip_id(split, index) for index in range(self.spec.num_clips(split)))

    def paths(self, split: str) -> tuple[Path, ...]:
        """Return the files of a split."""
        return tuple(self.path(split, index) for index in range(self.spec.num_clips(split)))

    def label_table(self, split: str) -> Tensor:
        """Return the labels of a split, (n, Q) int64."""
        rows = [self.labels(split, index) for index in range(self.spec.num_clips(split))]
        return torch.tensor(rows, dtype=torch.int64).view(-1, len(self.tasks))

    def open(self, split: str) -> MappedClips:
        """Return a split's clips, decoding its files on the first call for this manifest.

        Args:
            split: written first if need be.

        Returns:
            The clips, mapped into memory.

        Raises:
            UserError: the cache cannot be written.
            BrokenVideo: a clip cannot be decoded.
        """
        entries = self.manifest()
        if entries is None:
            self.prepare()
            entries = self.manifest() or []
        path = self.folder / "decoded" / f"{split}-{manifest_hash(self.spec, entries)[:12]}.npy"
        chosen = [entry for entry in entries if entry.split == split]
        shape = (len(chosen), self.spec.num_frames, self.spec.size, self.spec.size, 3)
        if not frames_are_whole(path, shape):
            with writing_to_cache(self.folder):
                # Another process may have decoded it while this one waited for the lock.
                if not frames_are_whole(path, shape):
                    self._repair(chosen)
                    write_frames(path, shape, self._decode(chosen))
        return MappedClips(path, split, self.tasks, self.video_ids(split), self.label_table(split))

    def encode(self, split: str, index: int) -> bytes:
        """Draw a clip and return the bytes of its file."""
        return encode_mp4(self.draw(split, index), self.spec.fps, self.spec.crf)

    def is_finished(self, path: Path) -> bool:
        """Whether an interrupted run left a whole clip at ``path``; no manifest vouches for it yet."""
        if not path.exists():
            return False
        try:
            frames = decode_video(path, self.spec.num_frames)
        except BrokenVideo:
            return False
        return frames.shape[1:3] == (self.spec.size, self.spec.size)

    def _generate(self) -> list[Entry]:
        for leftover in self.folder.rglob(".*.part"):  # of a process that was killed; the lock is ours
            leftover.unlink()
        clips = [(split, index) for split in self.splits for index in range(self.spec.num_clips(split))]
        missing = sum(not self.path(*clip).exists() for clip in clips)
        jobs = max(1, min(available_cores(), missing // self.clips_per_job))
        drawn = map_in_processes(partial(_draw_missing, self), clips, jobs)
        bar = tqdm(drawn, total=len(clips), desc=f"writing {self.title}", unit="clip", mininterval=1.0)
        entries = [self._keep(*clip, data) for clip, data in zip(clips, bar, strict=True)]
        names = [task.name for task in self.tasks]
        labels = [dict(zip(names, self.labels(*clip), strict=True)) for clip in clips]
        write_manifest(self.manifest_path, self.title, self.spec, self.splits, entries, labels)
        return entries

    def _keep(self, split: str, index: int, data: bytes | None) -> Entry:
        """Write a drawn clip, or take the one that is there, into the manifest."""
        path = self.path(split, index)
        if data is None:
            data = path.read_bytes()
        else:
            atomic_write_bytes(path, data)
        return Entry(split, index, len(data), digest(data))

    def _matches(self, entry: Entry) -> bool:
        path = self.path(entry.split, entry.index)
        return path.is_file() and digest(path.read_bytes()) == entry.checksum

    def _damaged(self, entries: list[Entry]) -> list[Entry]:
        with ThreadPoolExecutor(available_cores()) as pool:  # files are read and hashed outside the interpreter lock
            matches = pool.map(self._matches, entries)
            bar = tqdm(matches, total=len(entries), desc=f"checking {self.title}", unit="clip", delay=2.0, leave=False)
            return [entry for entry, matched in zip(entries, bar, strict=True) if not matched]

    def _repair(self, entries: list[Entry]) -> None:
        """Draw missing and damaged clips again; the caller holds the lock."""
        damaged = self._damaged(entries)
        for entry in damaged:
            data = self.encode(entry.split, entry.index)
            path = self.path(entry.split, entry.index)
            if digest(data) != entry.checksum:
                raise BrokenVideo(
                    path,
                    "is missing or damaged and these libraries write it differently than it was; "
                    f"remove {self.folder} to write the benchmark anew",
                )
            atomic_write_bytes(path, data)
        if damaged:
            _log.warning(
                "%d missing or damaged clip(s) drawn again in %s, the first is %s",
                len(damaged),
                self.folder,
                damaged[0].id,
            )

    def _decode(self, entries: list[Entry]) -> Iterator[NDArray[np.uint8]]:
        split = entries[0].split
        for entry in tqdm(entries, desc=f"decoding {split} clips", unit="clip", mininterval=1.0):
            yield decode_video(self.path(entry.split, entry.index), self.spec.num_frames)


def _draw_missing(store: ClipStore[Any], clip: tuple[str, int]) -> bytes | None:
    """The file of a clip, or None if an interrupted run has written it; runs in a worker process."""
    return None if store.is_finished(store.path(*clip)) else store.encode(*clip)
