"""The manifest of a generated benchmark: what every file must be, under one hash."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from data_modules.generated.spec import clip_id
from vjepa.storage import atomic_write_text, digest_json


@dataclass(frozen=True)
class Entry:
    """What the manifest says of one clip.

    Args:
        split: of the benchmark.
        index: position in the split.
        size: of the file in bytes.
        checksum: BLAKE2b of the file.
    """

    split: str
    index: int
    size: int
    checksum: str

    @property
    def id(self) -> str:
        """The clip's stable name."""
        return clip_id(self.split, self.index)


def manifest_hash(spec: Any, entries: list[Entry]) -> str:
    """Return the hash that names exactly these parameters and file contents."""
    return digest_json([asdict(spec), [[entry.id, entry.size, entry.checksum] for entry in entries]])


def read_manifest(path: Path, spec: Any, splits: Sequence[str]) -> list[Entry] | None:
    """Return a manifest's entries, or None if there is no whole one for this spec."""
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
        entries = [
            Entry(split, index, record["bytes"], record["blake2b"])
            for split in splits
            for index, record in enumerate(content["splits"][split])
        ]
        hash_matches = content["hash"] == manifest_hash(spec, entries)
    except (ValueError, KeyError, TypeError):
        return None
    return entries if hash_matches else None


def write_manifest(
    path: Path, title: str, spec: Any, splits: Sequence[str], entries: list[Entry], labels: list[dict[str, int]]
) -> None:
    """Write the manifest, whole or not at all.

    Args:
        path: of the file.
        title: of the benchmark.
        spec: its parameters.
        splits: their names in order.
        entries: all clips.
        labels: of every entry by task.
    """
    records: dict[str, list[dict[str, Any]]] = {split: [] for split in splits}
    for entry, answers in zip(entries, labels, strict=True):
        record = {"id": entry.id, "labels": answers, "bytes": entry.size, "blake2b": entry.checksum}
        records[entry.split].append(record)
    content = {
        "benchmark": title,
        "hash": manifest_hash(spec, entries),
        "spec": asdict(spec),
        "written_with": {"av": av.__version__, "numpy": np.__version__, "opencv": cv2.__version__},
        "splits": records,
    }
    atomic_write_text(path, json.dumps(content, indent=1) + "\n")
