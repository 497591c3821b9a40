"""ImageNet-100: images of 100 classes, each a clip of one frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_modules.annotations.published import HELP, Annotations, Record, find_folder, plain_name, read_lines
from data_modules.benchmark import BenchmarkDataModule
from data_modules.decode.images import is_image
from vjepa.errors import UserError, did_you_mean

_FOLDERS = ("imagenet100", "imagenet-100", "ImageNet100", "ImageNet-100")
_FULL = ("imagenet", "ImageNet", "imagenet1k", "imagenet-1k", "ILSVRC2012", "ILSVRC/Data/CLS-LOC")
_TRAIN, _TEST = ("train", "train.X*"), ("val", "val.X", "validation")
NUM_CLASSES = 100


class ImageNet100DataModule(BenchmarkDataModule):
    """ImageNet-100: ``train/<class>/*.JPEG`` and ``val/<class>/*.JPEG``, alone or within ImageNet-1k.

    Labels number the class folders in the order of their names as text. Test is the official val; train and val are
    the official train, divided. JPEG and PNG files, grey and CMYK ones too, become RGB; other files are left out.

    Args:
        classes: file with the 100 class folders to use, one at the start of a line; a relative path is looked for under
            the data root. None needs folders of exactly 100 classes.
        options: of ``StreamingDataModule``; those about time play no part.

    Raises:
        UserError: a value is out of range.
    """

    name = "imagenet100"
    task = "object"
    temporal = False
    num_published_classes = NUM_CLASSES

    def __init__(self, classes: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.classes = classes

    @property
    def published(self) -> dict[str, int]:
        """Number of files of the official splits, as published."""
        return {"train": 126_689, "val": 5_000}

    @property
    def test_split(self) -> str:
        """The official split that test is: val, since the real test labels are withheld."""
        return "val"

    def read_annotations(self, root: Path) -> Annotations:
        """List the files of the 100 classes."""
        home = find_folder(root, _FOLDERS if self.classes is None else (*_FULL, *_FOLDERS))
        train, test = _find_split(home, _TRAIN), _find_split(home, _TEST)
        held = _class_folders(train)
        names = tuple(sorted(held)) if self.classes is None else _read_class_list(root / self.classes)
        if len(names) != NUM_CLASSES:
            source = self.classes or ", ".join(map(str, train))
            raise UserError(
                f"imagenet100: {source} has {len(names)} classes; expected {NUM_CLASSES}: set classes to a file that "
                f"lists the {NUM_CLASSES} folders to use; {HELP}"
            )
        splits = {"train": _list_split(home, train, names), "val": _list_split(home, test, names)}
        return Annotations(names, home, splits)


def _find_split(home: Path, choices: Sequence[str]) -> list[Path]:
    """The folders that together hold a split."""
    for choice in choices:
        found = sorted(path for path in home.glob(choice) if path.is_dir())
        if found:
            return found
    raise UserError(
        f"imagenet100: no folder {choices[0]} in {home} (looked for {' and '.join(choices)}, each with a folder a "
        f"class); {HELP}"
    )


def _class_folders(parents: Sequence[Path]) -> dict[str, Path]:
    entries = [entry for parent in parents for entry in os.scandir(parent)]
    return {entry.name: Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith(".")}


def _read_class_list(path: Path) -> tuple[str, ...]:
    names: set[str] = set()
    for where, line in read_lines(path):
        name = plain_name(line.split()[0], where)
        if name in names:
            raise UserError(f"{where}: {name} is listed twice")
        names.add(name)
    return tuple(sorted(names))


def _list_split(home: Path, parents: Sequence[Path], names: Sequence[str]) -> tuple[Record, ...]:
    folders = _class_folders(parents)
    records: list[Record] = []
    for label, name in enumerate(names):
        if name not in folders:
            raise UserError(
                f"imagenet100: no class folder {name} in {', '.join(map(str, parents))}{did_you_mean(name, folders)}; "
                f"{HELP}"
            )
        below = folders[name].relative_to(home).as_posix()
        with os.scandir(folders[name]) as entries:
            files = sorted(entry.name for entry in entries if is_image(entry.name) and not entry.name.startswith("."))
        if not files:
            raise UserError(f"imagenet100: {folders[name]} holds no JPEG or PNG file; {HELP}")
        records += [Record(f"{below}/{file}", f"{below}/{file}", label) for file in files]
    return tuple(records)
