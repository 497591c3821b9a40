"""One array of features in one file: written in chunks by several processes, whole once it has its footer.

The array comes first, so that it can be mapped; then a JSON footer, its length in eight bytes, and eight bytes that
say what the file is. While it is made the file has no footer. Each process lists the chunks that it has finished, with
their checksums, in a file of its own: work that was broken off goes on after them.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_modules.clips.broken import BrokenFile
from vjepa.errors import UserError
from vjepa.storage import storage_error

VERSION = 1
MAGIC = b"vjepafea"

_LENGTH_BYTES = 8


class Unusable(Exception):
    """A feature file that cannot be used; the message says why, as the end of a sentence."""


@dataclass(frozen=True)
class Layout:
    """What the array of a file looks like.

    Args:
        shape: rows first.
        dtype: name in NumPy.
        chunk_rows: rows that are written and checked at a time.
    """

    shape: tuple[int, ...]
    dtype: str
    chunk_rows: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return prod(self.shape[1:]) * np.dtype(self.dtype).itemsize

    @property
    def num_bytes(self) -> int:
        """Bytes of the array."""
        return self.shape[0] * self.row_bytes

    @property
    def num_chunks(self) -> int:
        """Chunks, of which the last may have fewer rows."""
        return -(-self.shape[0] // self.chunk_rows)

    def span(self, chunk: int) -> tuple[int, int]:
        """First byte of a chunk and the number of its bytes."""
        first = chunk * self.chunk_rows
        return first * self.row_bytes, (min(self.shape[0], first + self.chunk_rows) - first) * self.row_bytes


class Chunk(NamedTuple):
    """A finished chunk.

    Args:
        checksum: CRC-32 of its bytes.
        broken: by row, the file that could not be read; such a row holds zeros.
    """

    checksum: int
    broken: Mapping[int, BrokenFile]


class FileInMaking:
    """A feature file before it has a footer.

    Args:
        path: of the finished file.
        layout: of the array.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path = path
        self.layout = layout
        self.part = path.with_suffix(f".{layout.chunk_rows}.part")

    def create(self) -> None:
        """Make the file, or go on with one whose making was broken off; for one process, before all others write.

        Raises:
            UserError: it cannot be written.
        """
        chunks: dict[int, Chunk] = {}
        if self.part.is_file() and self.part.stat().st_size == self.layout.num_bytes:
            with open(self.part, "rb") as file:
                for number, chunk in self.finished().items():
                    if _checksum(file.fileno(), *self.layout.span(number)) == chunk.checksum:
                        chunks[number] = chunk
        try:
            if not chunks:
                self.discard()
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with open(self.part, "wb") as file:
                    file.truncate(self.layout.num_bytes)
            for record in self._records():
                record.unlink()
            for number, chunk in chunks.items():
                self._list(number, chunk, 0)
        except OSError as error:
            raise storage_error(self.part, error) from error

    def discard(self) -> None:
        """Remove what there is of it, in chunks of any size."""
        for path in self.path.parent.glob(f"{self.path.stem}.*.part*"):
            path.unlink(missing_ok=True)

    def finished(self) -> dict[int, Chunk]:
        """Chunks that any process has listed."""
        found: dict[int, Chunk] = {}
        for record in self._records():
            for line in record.read_text().splitlines():
                try:
                    said = json.loads(line)
                    number, chunk = int(said["chunk"]), _chunk(said)
                except (ValueError, KeyError, TypeError):  # killed within the line
                    continue
                if number < self.layout.num_chunks:
                    found[number] = chunk
        return found

    def write(self, number: int, values: NDArray[Any], broken: Mapping[int, BrokenFile], rank: int) -> Chunk:
        """Write a chunk and list it as finished.

        Args:
            number: of the chunk.
            values: all its rows.
            broken: as in ``Chunk``.
            rank: of this process.

        Raises:
            UserError: it cannot be written.
        """
        start, size = self.layout.span(number)
        content = np.ascontiguousarray(values, self.layout.dtype).reshape(-1).view(np.uint8).data
        if len(content) != size:
            raise ValueError(f"chunk {number} of {self.path.name} has {size} bytes, got {len(content)}")
        chunk = Chunk(zlib.crc32(content), broken)
        try:
            # Not through a mapping: two machines that write to one page of a shared file undo each other's work.
            with open(self.part, "r+b") as file:
                written = 0
                while written < size:
                    written += os.pwrite(file.fileno(), content[written:], start + written)
            self._list(number, chunk, rank)
        except OSError as error:
            raise storage_error(self.part, error) from error
        return chunk

    def publish(self, about: Mapping[str, Any]) -> None:
        """Add the footer and give the file its name, once all processes have written their chunks.

        Args:
            about: facts for a reader of the file.

        Raises:
            UserError: it cannot be written, or chunks are missing.
        """
        chunks = self.finished()
        if len(chunks) < self.layout.num_chunks:
            raise UserError(
                f"{self.part}: {self.layout.num_chunks - len(chunks)} of {self.layout.num_chunks} chunks are missing; "
                "all processes of an evaluation need the same folder: repeat the command, which goes on with what is "
                "there"
            )
        broken = {row: file for chunk in chunks.values() for row, file in chunk.broken.items()}
        footer = {
            "version": VERSION,
            "shape": self.layout.shape,
            "dtype": self.layout.dtype,
            "chunk_rows": self.layout.chunk_rows,
            "checksums": [chunks[number].checksum for number in range(self.layout.num_chunks)],
            "broken": sorted(broken.items()),
            "about": dict(about),
        }
        text = json.dumps(footer).encode()
        try:
            with open(self.part, "r+b") as file:
                file.seek(self.layout.num_bytes)
                file.write(text + len(text).to_bytes(_LENGTH_BYTES, "little") + MAGIC)
                file.flush()
                os.fsync(file.fileno())
            os.replace(self.part, self.path)
        except OSError as error:
            raise storage_error(self.path, error) from error
        self.discard()

    def _records(self) -> list[Path]:
        return sorted(self.part.parent.glob(f"{self.part.name}.*.jsonl"))

    def _list(self, number: int, chunk: Chunk, rank: int) -> None:
        said = {"chunk": number, "checksum": chunk.checksum, "broken": list(chunk.broken.items())}
        with open(f"{self.part}.{rank}.jsonl", "a") as record:
            record.write(f"{json.dumps(said)}\n")


@dataclass(frozen=True)
class Footer:
    """What a finished file says of itself."""

    layout: Layout
    checksums: tuple[int, ...]
    broken: Mapping[int, BrokenFile]


def read_footer(path: Path) -> Footer:
    """Read the footer of a finished file.

    Raises:
        Unusable: it is torn or of another version.
        FileNotFoundError: there is no such file.
    """
    size = path.stat().st_size
    tail = _LENGTH_BYTES + len(MAGIC)
    with open(path, "rb") as file:
        file.seek(max(0, size - tail))
        end = file.read()
        if len(end) < tail or end[_LENGTH_BYTES:] != MAGIC:
            raise Unusable("is torn")
        length = int.from_bytes(end[:_LENGTH_BYTES], "little")
        file.seek(max(0, size - tail - length))
        text = file.read(length)
    try:
        said = json.loads(text)
        if said["version"] != VERSION:
            raise Unusable(f"has format {said['version']}, and this is format {VERSION}")
        layout = Layout(tuple(said["shape"]), said["dtype"], said["chunk_rows"])
        broken = {int(row): BrokenFile(*file) for row, file in said["broken"]}
        footer = Footer(layout, tuple(said["checksums"]), broken)
    except (ValueError, KeyError, TypeError) as error:
        raise Unusable("is torn") from error
    if size != layout.num_bytes + length + tail or len(footer.checksums) != layout.num_chunks:
        raise Unusable("is torn")
    return footer


def check_content(path: Path, footer: Footer) -> None:
    """Read a finished file once.

    Raises:
        Unusable: its bytes are not those that were written.
    """
    with open(path, "rb") as file:
        for number, expected in enumerate(footer.checksums):
            if _checksum(file.fileno(), *footer.layout.span(number)) != expected:
                raise Unusable("is torn")


def _chunk(said: Mapping[str, Any]) -> Chunk:
    return Chunk(int(said["checksum"]), {int(row): BrokenFile(*file) for row, file in said["broken"]})


def _checksum(descriptor: int, start: int, size: int, piece: int = 16 * 2**20) -> int:
    checksum, end = 0, start + size
    while start < end:
        content = os.pread(descriptor, min(piece, end - start), start)
        if not content:
            return -1
        checksum = zlib.crc32(content, checksum)
        start += len(content)
    return checksum
