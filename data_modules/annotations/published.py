"""Finds and reads what a benchmark was published with; every mistake in it is named by file and place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

from vjepa.errors import UserError, did_you_mean

HELP = "see docs/data.md"
_SAMPLE = 16


@dataclass(frozen=True)
class Record:
    """One labelled file of an official split.

    Args:
        id: stable name.
        file: path of the file below the folder of all files, with forward slashes.
        label: position among the classes; -1 where it was not published.
        group: records of one group were cut from one source; empty where nothing is known.
    """

    id: str
    file: str
    label: int
    group: str = ""


@dataclass(frozen=True)
class Annotations:
    """What a benchmark was published with.

    Args:
        classes: their names, in the order of the labels.
        folder: of all files.
        splits: official splits by name.
    """

    classes: tuple[str, ...]
    folder: Path
    splits: Mapping[str, tuple[Record, ...]]


def find_folder(root: Path, names: Sequence[str]) -> Path:
    """Return the first folder of one of these names in ``root``, else ``root`` itself."""
    return next((root / name for name in names if (root / name).is_dir()), root)


def find_file(benchmark: str, folder: Path, choices: Sequence[str]) -> Path:
    """Return the first of several files that exists.

    Args:
        benchmark: its name, for the message.
        folder: where it is unpacked.
        choices: paths in the folder, by preference.

    Raises:
        UserError: there is none.
    """
    for choice in choices:
        if (folder / choice).is_file():
            return folder / choice
    name = PurePosixPath(choices[0]).name
    raise UserError(f"{benchmark}: {name} not found in {folder} (looked for {' and '.join(choices)}); {HELP}")


def place_media(
    benchmark: str,
    home: Path,
    folders: Sequence[str],
    suffixes: Sequence[str],
    splits: Mapping[str, tuple[Record, ...]],
) -> tuple[Path, dict[str, tuple[Record, ...]]]:
    """Find the folder and the suffix that the files of a benchmark have on this disk, by looking for a few of them.

    Args:
        benchmark: its name, for the message.
        home: where it is unpacked.
        folders: paths in it where the files may lie, by preference.
        suffixes: of the files, by preference.
        splits: records whose ``file`` has no suffix.

    Returns:
        The folder, and the records with the suffix.

    Raises:
        UserError: none of these few is there.
    """
    stems = [record.file for records in splits.values() for record in records]
    sample = stems[:: max(1, len(stems) // _SAMPLE)]
    for name, suffix in product(folders, suffixes):
        if any((home / name / f"{stem}{suffix}").is_file() for stem in sample):
            return home / name, {
                split: tuple(replace(record, file=record.file + suffix) for record in records)
                for split, records in splits.items()
            }
    looked = " and ".join(str(PurePosixPath(name) / f"{sample[0]}{suffixes[0]}") for name in folders)
    raise UserError(f"{benchmark}: no video found in {home} (looked for {looked}, and for others); {HELP}")


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield place (``file, line n``) and content of every line that is not empty.

    Raises:
        UserError: the file cannot be read as text.
    """
    for number, line in enumerate(_read(path).splitlines(), start=1):
        if line.strip():
            yield f"{path}, line {number}", line.strip()


def read_json(path: Path, kind: type) -> Any:
    """Return the content of a JSON file.

    Args:
        path: the file.
        kind: ``list`` or ``dict``, whichever the file must hold.

    Raises:
        UserError: the file cannot be read, is no JSON or holds something else.
    """
    try:
        content = json.loads(_read(path))
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}); download it again") from error
    if not isinstance(content, kind):
        raise UserError(f"{path} holds a {type(content).__name__}: expected a {kind.__name__}; {HELP}")
    return content


def read_records(path: Path, *fields: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield place (``file, record n``) and some fields of every record of a JSON list.

    Raises:
        UserError: as ``read_json``, or a record lacks a field.
    """
    for number, record in enumerate(read_json(path, list), start=1):
        where = f"{path}, record {number}"
        try:
            yield where, tuple(record[field] for field in fields)
        except (KeyError, TypeError) as error:
            raise UserError(f"{where}: {str(record)[:80]} lacks one of {', '.join(fields)}; {HELP}") from error


def plain_name(name: Any, where: str) -> str:
    """Return ``name`` if it is a file name without any folder in it.

    Raises:
        UserError: it could lead somewhere else, or is no text.
    """
    if not isinstance(name, str) or not name or name in (".", "..") or set(name) & set("/\\\0"):
        raise UserError(f"{where}: {name!r} is not a plain file name, and nothing outside its folder is read")
    return name


def class_number(name: str, numbers: Mapping[str, int], where: str, source: Path) -> int:
    """Return the label of a class.

    Args:
        name: of the class.
        numbers: labels by name.
        where: file and place that name it.
        source: file or folder that the classes come from.

    Raises:
        UserError: there is no such class; the nearest one is suggested.
    """
    if name not in numbers:
        raise UserError(
            f"{where}: unknown class {name!r}{did_you_mean(name, numbers)}; {source} has {len(numbers)} classes"
        )
    return numbers[name]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
