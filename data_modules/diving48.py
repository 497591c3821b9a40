"""Diving-48: one kind of dive a clip, told apart by take-off, somersaults, twists and position."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from data_modules.annotations.published import (
    Annotations,
    Record,
    find_file,
    find_folder,
    place_media,
    plain_name,
    read_json,
    read_records,
)
from data_modules.benchmark import BenchmarkDataModule
from vjepa.errors import UserError, unknown_name

Version = Literal["V1", "V2"]

_FOLDERS = ("diving48", "Diving48", "diving-48", "Diving-48")
_LISTS = ("{}", "annotations/{}", "labels/{}")
_VIDEOS = ("rgb", "Diving48_rgb/rgb", "videos", ".")
_SUFFIXES = (".mp4",)
_PREFIX = {"V1": "Diving48", "V2": "Diving48_V2"}

PUBLISHED = {"V1": (15_943, 2_096), "V2": (15_027, 1_970)}


class Diving48DataModule(BenchmarkDataModule):
    """Diving-48 as it was downloaded: ``rgb/*.mp4``, ``Diving48_V2_{train,test}.json`` and ``Diving48_vocab.json``.

    Train and val are the official training list, divided without parting the clips of one source video (the part of
    the name before its last underscore); test is the official test list.

    Args:
        version: of the labels: V2 (cleaned, October 2020) or V1.
        options: of ``StreamingDataModule``.

    Raises:
        UserError: a value is out of range.
    """

    name = "diving48"
    task = "dive"
    temporal = True
    num_published_classes = 48

    def __init__(self, version: Version = "V2", **options: Any) -> None:
        super().__init__(**options)
        if version not in _PREFIX:
            raise unknown_name("diving48 version", version, _PREFIX)
        self.version = version

    @property
    def published(self) -> dict[str, int]:
        """Number of files of the two official lists, as published."""
        return dict(zip(("train", "test"), PUBLISHED[self.version]))

    def read_annotations(self, root: Path) -> Annotations:
        """Read the vocabulary and the two lists of the version."""
        home = find_folder(root, _FOLDERS)
        prefix = _PREFIX[self.version]
        prefix = _PREFIX[self.version]
        vocabulary, train, test = (
            find_file("diving48", home, [choice.format(name) for choice in _LISTS])
            for name in ("Diving48_vocab.json", f"{prefix}_train.json", f"{prefix}_test.json")
        )
        classes = tuple(_class_name(entry) for entry in read_json(vocabulary, list))
        splits = {"train": _read_list(train, classes, vocabulary), "test": _read_list(test, classes, vocabulary)}
        return Annotations(classes, *place_media("diving48", home, _VIDEOS, _SUFFIXES, splits))


def _class_name(entry: str | Sequence[str]) -> str:
    """The four parts of a class, for example Back 15som 05Twis FREE."""
    return entry if isinstance(entry, str) else " ".join(entry)


def _read_list(path: Path, classes: tuple[str, ...], vocabulary: Path) -> tuple[Record, ...]:
    records: list[Record] = []
    for where, (name, label) in read_records(path, "vid_name", "label"):
        if not isinstance(label, int) or not 0 <= label < len(classes):
            raise UserError(f"{where}: label {label!r}; expected 0 to {len(classes) - 1}, a class of {vocabulary}")
        name = plain_name(name, where)
        records.append(Record(name, name, label, name.rpartition("_")[0]))
    if not records:
        raise UserError(f"{path} lists no clip; download it again")
    return tuple(records)
