"""How far a training run is, read from its TensorBoard event files without TensorBoard, which is slow to import."""

from __future__ import annotations

import struct
from pathlib import Path

_HEADER, _FOOTER = 12, 4
_WALL_TIME, _STEP = 0x09, 0x10


class EventSteps:
    """The newest step in the event files of a folder; each byte is read once.

    A record is 8 bytes of length, 4 of checksum, the event, 4 of checksum; an event starts with its time (field 1, a
    double) and then its step (field 2, a varint).

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._newest = -1

    def newest(self) -> int:
        """The highest step so far, -1 where there is none."""
        for path in self._folder.glob("events.out.tfevents.*"):
            try:
                with open(path, "rb") as file:
                    file.seek(self._read.get(path, 0))
                    self._read[path] = self._read.get(path, 0) + self._parse(file.read())
            except OSError:
                continue
        return self._newest

    def _parse(self, data: bytes) -> int:
        """Take the whole records; returns how many bytes they are."""
        position = 0
        while position + _HEADER <= len(data):
            (length,) = struct.unpack_from("<Q", data, position)
            end = position + _HEADER + length + _FOOTER
            if end > len(data):
                break
            self._newest = max(self._newest, _step(data[position + _HEADER : end - _FOOTER]))
            position = end
        return position


def _step(event: bytes) -> int:
    if len(event) < 10 or event[0] != _WALL_TIME or event[9] != _STEP:
        return 0
    step = 0
    for shift, byte in enumerate(event[10:20]):
        step |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            break
    return step
