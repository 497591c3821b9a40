"""Which files exist, and which lead out of a folder through a link: one listing per folder, no look at each file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from vjepa.errors import UserError


@dataclass(frozen=True)
class Presence:
    """What was found of n files.

    Args:
        missing: positions of those that are no files, ascending.
        outside: positions of those that a link leads out of the root, ascending.
    """

    missing: tuple[int, ...]
    outside: tuple[int, ...]


def look_for(paths: Sequence[str | Path], root: Path, title: str = "looking for files") -> Presence:
    """Look for files by listing the folders that they should be in.

    Args:
        paths: n absolute paths.
        root: links may lead anywhere inside of what this folder is.
        title: of the progress bar that a long look shows.

    Raises:
        UserError: a folder cannot be listed.
    """
    real_root = os.path.realpath(root)
    places: dict[str, list[int]] = {}
    for place, path in enumerate(paths):
        places.setdefault(os.path.dirname(path), []).append(place)
    missing: list[int] = []
    outside: list[int] = []
    for folder, members in tqdm(places.items(), desc=title, unit="folder", delay=2.0, leave=False):
        leaves = not _is_inside(os.path.realpath(folder), real_root)
        is_link = _files_in(folder)
        for place in members:
            name = os.path.basename(paths[place])
            if name not in is_link:
                missing.append(place)
            elif leaves or (is_link[name] and not _is_inside(os.path.realpath(paths[place]), real_root)):
                outside.append(place)
    return Presence(tuple(sorted(missing)), tuple(sorted(outside)))


def _is_inside(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def _files_in(folder: str) -> dict[str, bool]:
    """Names of the files in a folder, and whether each is a link; none where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.is_symlink() for entry in entries if entry.is_file()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UserError(f"{folder} cannot be listed ({error.strerror or error}); check its permissions") from error
