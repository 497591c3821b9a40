"""UCF-101: human actions from the web, three official splits in which clips of one source video stay together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from data_modules.annotations.published import (
    Annotations,
    Record,
    class_number,
    find_file,
    find_folder,
    place_media,
    plain_name,
    read_lines,
)
from data_modules.benchmark import BenchmarkDataModule
from vjepa.errors import UserError

_FOLDERS = ("ucf101", "UCF101", "ucf-101")
_LISTS = ("ucfTrainTestlist/{}", "UCF101TrainTestSplits-RecognitionTask/ucfTrainTestlist/{}", "annotations/{}")
_VIDEOS = ("UCF-101", "videos", ".")
_SUFFIXES = (".avi", ".mp4")
_GROUP = re.compile(r"v_.+_(g\d+)_c\d+")

PUBLISHED = {1: (9_537, 3_783), 2: (9_586, 3_734), 3: (9_624, 3_696)}


class UCF101DataModule(BenchmarkDataModule):
    """UCF-101 as it was downloaded: ``UCF-101/<class>/v_*.avi`` and ``ucfTrainTestlist/*.txt``, see docs/data.md.

    Train and val are the official training list, divided without parting a group (clips of one source video); test is
    the official test list.

    Args:
        split: official split, 1 to 3.
        options: of ``StreamingDataModule``.

    Raises:
        UserError: a value is out of range.
    """

    name = "ucf101"
    task = "action"
    temporal = False
    num_published_classes = 101

    def __init__(self, split: Literal[1, 2, 3] = 1, **options: Any) -> None:
        super().__init__(**options)
        if split not in PUBLISHED:
            raise UserError(f"ucf101: split is {split}; expected 1, 2 or 3")
        self.split = split

    @property
    def published(self) -> dict[str, int]:
        """Number of files of the two official lists, as published."""
        return dict(zip(("train", "test"), PUBLISHED[self.split]))

    def read_annotations(self, root: Path) -> Annotations:
        """Read classInd.txt and the two lists of the split."""
        home = find_folder(root, _FOLDERS)
        class_file, train, test = (
            find_file("ucf101", home, [choice.format(name) for choice in _LISTS])
            for name in ("classInd.txt", f"trainlist0{self.split}.txt", f"testlist0{self.split}.txt")
        )
        classes = _read_classes(class_file)
        numbers = {name: number for number, name in enumerate(classes)}
        splits = {"train": _read_list(train, numbers, class_file), "test": _read_list(test, numbers, class_file)}
        return Annotations(classes, *place_media("ucf101", home, _VIDEOS, _SUFFIXES, splits))


def _read_classes(path: Path) -> tuple[str, ...]:
    classes: list[str] = []
    for where, line in read_lines(path):
        number, _, name = line.partition(" ")
        if number != str(len(classes) + 1) or not name.strip():
            raise UserError(f"{where}: {line!r}; expected number {len(classes) + 1} and the name of a class")
        classes.append(plain_name(name.strip(), where))
    if not classes:
        raise UserError(f"{path} names no class; download it again")
    return tuple(classes)


def _read_list(path: Path, numbers: Mapping[str, int], class_file: Path) -> tuple[Record, ...]:
    records: list[Record] = []
    for where, line in read_lines(path):
        file, _, stated = line.partition(" ")
        parts = file.split("/")
        if len(parts) != 2:
            raise UserError(f"{where}: {line!r}; expected Class/v_Class_g01_c01.avi, and its number in a training list")
        label = class_number(plain_name(parts[0], where), numbers, where, class_file)
        if stated and stated.strip() != str(label + 1):
            raise UserError(f"{where}: {parts[0]} is labelled {stated.strip()}, but it is {label + 1} in {class_file}")
        stem = plain_name(parts[1], where).removesuffix(".avi")
        group = _GROUP.fullmatch(stem)
        if group is None:
            raise UserError(f"{where}: {parts[1]!r} names no group; expected a name like v_{parts[0]}_g01_c01.avi")
        records.append(Record(file, f"{parts[0]}/{stem}", label, f"{parts[0]}/{group[1]}"))
    if not records:
        raise UserError(f"{path} lists no file; download it again")
    return tuple(records)
