"""List files: one ``path label`` a line, paths under the data root."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_modules.annotations.roots import data_root, inside_root
from vjepa.errors import UserError

__all__ = ["ListEntry", "ListSource", "data_root", "read_list", "split_validation"]

_MAX_LABEL = 99_999


@dataclass(frozen=True)
class ListSource:
    """A list file and its part in a mixture.

    Args:
        path: of the list file; a relative path is looked for under the data root.
        weight: share of training clips, relative to the other lists, >= 0.
        task: name of the task that the labels answer. None is ``label`` beside a single training list; in a mixture,
            where each list may count its own classes, labels without a name are not used.
        num_classes: labels must lie below it; None takes any.
    """

    path: str
    weight: float = 1.0
    task: str | None = None
    num_classes: int | None = None

    def __post_init__(self) -> None:
        if self.num_classes is not None and self.num_classes < 1:
            raise UserError(f"{self.path}: num_classes is {self.num_classes}; expected 1 or more")


@dataclass(frozen=True)
class ListEntry:
    """One line of a list file.

    Args:
        id: path relative to the data root, with forward slashes.
        label: class, >= 0; -1 where there is none.
    """

    id: str
    label: int


def read_list(path: Path, root: Path, num_classes: int | None = None) -> tuple[ListEntry, ...]:
    """Read a list file.

    A line is ``path label``; where that fails, ``path::label``. There is no header; empty lines are skipped.

    Args:
        path: the list file.
        root: the data root; no entry may lie outside.
        num_classes: labels must lie below it; None takes any.

    Returns:
        The entries in order.

    Raises:
        UserError: the file is missing or empty, or a line is malformed, repeated or points outside ``root``.

    Source: the study's list files.
    Differs: a malformed line is an error; labels are whole numbers, -1 for none.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such list file; a list has one 'path label' a line") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a list file ({error})") from error
    entries: dict[str, ListEntry] = {}
    first_line: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        name, label = _parse(line.strip(), where, _MAX_LABEL if num_classes is None else num_classes - 1)
        name = inside_root(name, root, where)
        if name in entries:
            raise UserError(f"{where}: {name} is on line {first_line[name]} already; list a file once")
        entries[name], first_line[name] = ListEntry(name, label), number
    if not entries:
        raise UserError(f"{path}: the list is empty; expected one 'path label' a line")
    return tuple(entries.values())


def split_validation(labels: Sequence[int], ratio: float, seed: int) -> NDArray[np.bool_]:
    """Choose a validation share in which every class has its part.

    Args:
        labels: n classes, n >= 2.
        ratio: share, in (0, 1).
        seed: of the choice, >= 0.

    Returns:
        (n,) bool, at least one of each kind.
    """
    values = np.asarray(labels)
    count = min(len(values) - 1, max(1, round(len(values) * ratio)))
    order = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed]))).permutation(len(values))
    # Evenly spaced places in the order by class, which is random within a class.
    order = order[np.argsort(values[order], kind="stable")]
    chosen = np.zeros(len(values), dtype=bool)
    chosen[order[((np.arange(count) + 0.5) * len(values) / count).astype(np.int64)]] = True
    return chosen


def _parse(line: str, where: str, most: int) -> tuple[str, int]:
    for parts in (line.rsplit(maxsplit=1), line.rsplit("::", 1)):
        if len(parts) == 2:
            try:
                label = int(parts[1])
            except ValueError:
                continue
            if not -1 <= label <= most:
                raise UserError(f"{where}: label {label}; expected 0 to {most}, or -1 for none")
            return parts[0].strip().strip('"'), label
    raise UserError(f"{where}: {line!r}; expected 'path label' with a whole number as label, and no header")
