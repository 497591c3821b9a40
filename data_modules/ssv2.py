"""Something-Something V2: what hands do with things, labelled by templates that name no object."""

from __future__ import annotations

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
    read_json,
    read_lines,
    read_records,
)
from data_modules.benchmark import BenchmarkDataModule
from vjepa.errors import UserError, unknown_name

TestSplit = Literal["validation", "test"]

_FOLDERS = ("ssv2", "SSv2", "something-something-v2", "something_something_v2", "sthv2")
# The layout of today's download first, then that of 20bn.com.
_LISTS = ("labels/{}.json", "something-something-v2-{}.json", "labels/something-something-v2-{}.json")
_ANSWERS = ("labels/test-answers.csv", "test-answers.csv")
_VIDEOS = ("20bn-something-something-v2", "videos", "videos/20bn-something-something-v2", ".")
_SUFFIXES = (".webm", ".mp4")


class SSv2DataModule(BenchmarkDataModule):
    """Something-Something V2 as it was downloaded: ``20bn-something-something-v2/<id>.webm`` and JSON labels.

    The labels of the official test split were long withheld, so results are reported on the official validation split:
    that is test here. Train and val are the official training split, divided.

    Args:
        test_split: official split that test is: ``validation``, as in the study and nearly everywhere, or ``test``,
            whose labels are -1 unless test-answers.csv is there.
        options: of ``StreamingDataModule``.

    Raises:
        UserError: a value is out of range.
    """

    name = "ssv2"
    task = "template"
    temporal = True
    num_published_classes = 174

    def __init__(self, test_split: TestSplit = "validation", **options: Any) -> None:
        super().__init__(**options)
        if test_split not in ("validation", "test"):
            raise unknown_name("ssv2 test_split", test_split, ("validation", "test"))
        self._test_split = test_split

    @property
    def published(self) -> dict[str, int]:
        """Number of files of the official splits, as published."""
        return {"train": 168_913, "validation": 24_777, "test": 27_157}

    @property
    def test_split(self) -> str:
        """The official split that test is."""
        return self._test_split

    def read_annotations(self, root: Path) -> Annotations:
        """Read the labels and the official splits; the test split may be absent unless it is wanted."""
        home = find_folder(root, _FOLDERS)
        class_file, train, validation = (_find(home, name) for name in ("labels", "train", "validation"))
        numbers = _read_classes(class_file)
        splits = {
            "train": _read_labelled(train, numbers, class_file),
            "validation": _read_labelled(validation, numbers, class_file),
        }
        if self._test_split == "test" or any((home / choice.format("test")).is_file() for choice in _LISTS):
            answers = next((home / choice for choice in _ANSWERS if (home / choice).is_file()), None)
            labels = {} if answers is None else _read_answers(answers, numbers, class_file)
            splits["test"] = _read_test(_find(home, "test"), labels)
        return Annotations(tuple(numbers), *place_media("ssv2", home, _VIDEOS, _SUFFIXES, splits))


def _find(home: Path, name: str) -> Path:
    return find_file("ssv2", home, [choice.format(name) for choice in _LISTS])


def _read_classes(path: Path) -> dict[str, int]:
    """Labels by template, in their order."""
    content = read_json(path, dict)
    numbers: dict[str, int] = {}
    # Labels are numbers as text: the shorter ones are the smaller ones.
    for name, label in sorted(content.items(), key=lambda item: (len(str(item[1])), str(item[1]))):
        if str(label) != str(len(numbers)):
            raise UserError(f"{path}: class {name!r} has label {label!r}; expected {len(numbers)}, one for each class")
        numbers[_template(name)] = len(numbers)
    if not numbers:
        raise UserError(f"{path} names no class; download it again")
    return numbers


def _template(text: Any) -> str:
    """A template without the brackets around its placeholders."""
    return str(text).replace("[", "").replace("]", "")


def _read_labelled(path: Path, numbers: Mapping[str, int], class_file: Path) -> tuple[Record, ...]:
    records = tuple(
        Record(plain_name(name, where), name, class_number(_template(template), numbers, where, class_file))
        for where, (name, template) in read_records(path, "id", "template")
    )
    if not records:
        raise UserError(f"{path} lists no video; download it again")
    return records


def _read_test(path: Path, labels: Mapping[str, int]) -> tuple[Record, ...]:
    return tuple(
        Record(plain_name(name, where), name, labels.get(name, -1)) for where, (name,) in read_records(path, "id")
    )


def _read_answers(path: Path, numbers: Mapping[str, int], class_file: Path) -> dict[str, int]:
    labels: dict[str, int] = {}
    for where, line in read_lines(path):
        name, separator, template = line.partition(";")
        if not separator:
            raise UserError(f"{where}: {line!r}; expected 'id;template'")
        labels[name] = class_number(_template(template), numbers, where, class_file)
    return labels
