"""Where the data sets lie, and the one rule for paths that annotations name: they stay below that folder."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from vjepa.errors import UserError


def data_root(root: str | None) -> Path:
    """Return the folder that holds the data sets: ``root``, else DATA_ROOT.

    Raises:
        UserError: neither is set, or it is no folder.
    """
    chosen = root or os.environ.get("DATA_ROOT")
    if not chosen:
        raise UserError("DATA_ROOT is not set: set it, or root of the data module, to the folder of your data sets")
    path = Path(chosen).expanduser().absolute()
    if not path.is_dir():
        name = "root" if root else "DATA_ROOT"
        raise UserError(f"{name} is {path}: no such folder; set it to the folder of your data sets")
    return path


def inside_root(name: str, root: Path, where: str) -> str:
    """Return a path of an annotation file in its one form: relative to ``root``, with forward slashes.

    It looks at the name alone, so it is fast on any number of entries; links that lead out of ``root`` are found when
    the files are looked for, folder by folder (``presence.look_for``).

    Args:
        name: as written, relative to ``root`` or absolute below it.
        root: folder that the file must lie in.
        where: place of the entry, for the message, such as ``train.csv, line 3``.

    Raises:
        UserError: the path is empty, or leads out of ``root``.
    """
    path = PurePosixPath(name)
    if path.is_absolute() and path.is_relative_to(root.as_posix()):
        path = path.relative_to(root.as_posix())
    if not name or "\0" in name or path.is_absolute() or ".." in path.parts or path == PurePosixPath("."):
        raise UserError(f"{where}: {name!r} is not a path inside the data root {root}")
    return path.as_posix()
