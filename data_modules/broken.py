"""Keeps the list of broken files that training had to replace."""

from __future__ import annotations

import csv
import fcntl
import logging
import os
from pathlib import Path

from data_modules.decode import BrokenVideo
from vjepa.storage import storage_error

_log = logging.getLogger(__name__)
_HEADER = ("id", "file", "reason")


class BrokenLog:
    """Broken files seen by this process, each appended once to a CSV file that all processes share.

    Args:
        path: of the CSV file, or None to keep no file.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.reasons: dict[str, str] = {}

    def __contains__(self, video_id: str) -> bool:
        return video_id in self.reasons

    def __len__(self) -> int:
        return len(self.reasons)

    def add(self, video_id: str, error: BrokenVideo) -> None:
        """Note a broken file, the first time it is met.

        Args:
            video_id: stable name of the file.
            error: what is wrong with it.

        Raises:
            UserError: the CSV file cannot be written.
        """
        if video_id in self.reasons:
            return
        self.reasons[video_id] = error.reason
        _log.warning("broken file, replaced by another: %s", error)
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a", newline="") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                writer = csv.writer(file)
                if file.seek(0, os.SEEK_END) == 0:  # where the file ends now that it is ours
                    writer.writerow(_HEADER)
                writer.writerow((video_id, error.path, error.reason))
        except OSError as problem:
            raise storage_error(self.path, problem) from problem


def read_broken(path: Path) -> dict[str, str]:
    """Return the reason for every broken file that any process listed in ``path``; empty if there is no such file."""
    if not path.is_file():
        return {}
    with open(path, newline="") as file:
        return {row["id"]: row["reason"] for row in csv.DictReader(file)}
