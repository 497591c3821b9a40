"""The moving-glyphs benchmark on disk: MP4 files, a manifest that vouches for them, decoded frames.

<root>/glyphs-<hash>/<split>/<id>.mp4      real video files, each written whole or not at all
<root>/glyphs-<hash>/manifest.json         written last: a folder without it is unfinished
<root>/glyphs-<hash>/decoded/<split>-<manifest hash>.npy
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from data_modules.cache import writing_to_cache
from data_modules.decode import BrokenVideo, decode_video
from data_modules.encode import encode_mp4
from data_modules.glyphs.draw import draw_clip
from data_modules.glyphs.spec import SPLITS, TASKS, GlyphSpec, Split, clip_id, clip_labels
from data_modules.mapped import MappedClips, frames_are_whole, write_frames
from vjepa.storage import atomic_write_bytes, atomic_write_text, digest, digest_json

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """What the manifest says of one clip.

    Args:
        split: train, val or test.
        index: position in the split.
        size: of the file in bytes.
        checksum: BLAKE2b of the file.
    """

    split: Split
    index: int
    size: int
    checksum: str

    @property
    def id(self) -> str:
        """The clip's stable name."""
        return clip_id(self.split, self.index)

    def as_json(self) -> dict[str, object]:
        """Return the manifest's record of the clip."""
        labels = dict(zip((task.name for task in TASKS), clip_labels(self.index), strict=True))
        return {"id": self.id, "labels": labels, "bytes": self.size, "blake2b": self.checksum}


class GlyphStore:
    """Writes, repairs and reads the files of one ``GlyphSpec``.

    Args:
        spec: the benchmark's parameters.
        root: the cache folder.
    """

    def __init__(self, spec: GlyphSpec, root: Path) -> None:
        self.spec = spec
        self.folder = root / spec.folder_name
        self.manifest_path = self.folder / "manifest.json"

    def path(self, split: Split, index: int) -> Path:
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
        if not all(map(self._matches, entries)):
            with writing_to_cache(self.folder):
                self._repair(entries)
        return manifest_hash(self.spec, entries)

    def manifest(self) -> list[Entry] | None:
        """Return the manifest's entries, or None while there is no whole one for this spec."""
        if not self.manifest_path.is_file():
            return None
        try:
            content = json.loads(self.manifest_path.read_text())
            entries = [
                Entry(split, index, record["bytes"], record["blake2b"])
                for split in SPLITS
                for index, record in enumerate(content["splits"][split])
            ]
            hash_matches = content["hash"] == manifest_hash(self.spec, entries)
        except (ValueError, KeyError, TypeError):
            return None
        return entries if hash_matches else None

    def hash(self) -> str | None:
        """Return the manifest's hash, or None while there is no whole manifest."""
        entries = self.manifest()
        return None if entries is None else manifest_hash(self.spec, entries)

    def open(self, split: Split) -> MappedClips:
        """Return a split's clips, decoding its files on the first call for this manifest.

        Args:
            split: train, val or test; written first if need be.

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
        spec = self.spec
        chosen = [entry for entry in entries if entry.split == split]
        shape = (len(chosen), spec.num_frames, spec.size, spec.size, 3)
        if not frames_are_whole(path, shape):
            with writing_to_cache(self.folder):
                # Another process may have decoded it while this one waited for the lock.
                if not frames_are_whole(path, shape):
                    self._repair(chosen)
                    write_frames(path, shape, self._decode(chosen))
        labels = torch.tensor([clip_labels(entry.index) for entry in chosen], dtype=torch.int64)
        return MappedClips(path, split, TASKS, tuple(entry.id for entry in chosen), labels)

    def _generate(self) -> list[Entry]:
        spec = self.spec
        for leftover in self.folder.rglob(".*.part"):  # of a process that was killed; the lock is ours
            leftover.unlink()
        clips = [(split, index) for split in SPLITS for index in range(spec.num_clips(split))]
        entries = []
        for split, index in tqdm(clips, desc="writing moving glyphs", unit="clip", mininterval=1.0):
            path = self.path(split, index)
            if self._is_finished(path):
                data = path.read_bytes()
            else:
                data = self._encode(split, index)
                atomic_write_bytes(path, data)
            entries.append(Entry(split, index, len(data), digest(data)))
        content = {
            "benchmark": "moving glyphs",
            "hash": manifest_hash(spec, entries),
            "spec": asdict(spec),
            "written_with": {"av": av.__version__, "numpy": np.__version__, "opencv": cv2.__version__},
            "splits": {split: [entry.as_json() for entry in entries if entry.split == split] for split in SPLITS},
        }
        atomic_write_text(self.manifest_path, json.dumps(content, indent=1) + "\n")
        return entries

    def _encode(self, split: Split, index: int) -> bytes:
        return encode_mp4(draw_clip(self.spec, split, index), self.spec.fps, self.spec.crf)

    def _is_finished(self, path: Path) -> bool:
        """Whether an interrupted run left a whole clip here; no manifest vouches for it yet."""
        if not path.exists():
            return False
        try:
            frames = decode_video(path, self.spec.num_frames)
        except BrokenVideo:
            return False
        return frames.shape[1:3] == (self.spec.size, self.spec.size)

    def _matches(self, entry: Entry) -> bool:
        path = self.path(entry.split, entry.index)
        return path.is_file() and digest(path.read_bytes()) == entry.checksum

    def _repair(self, entries: list[Entry]) -> None:
        """Draw missing and damaged clips again; the caller holds the lock."""
        damaged = [entry for entry in entries if not self._matches(entry)]
        for entry in damaged:
            data = self._encode(entry.split, entry.index)
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


def manifest_hash(spec: GlyphSpec, entries: list[Entry]) -> str:
    """Return the hash that names exactly these parameters and file contents."""
    return digest_json([asdict(spec), [[entry.id, entry.size, entry.checksum] for entry in entries]])
