"""``vjepa prepare check``: is a data set whole, and can its files be read?"""

from __future__ import annotations

import argparse
import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from data_modules.benchmark import BenchmarkDataModule
from data_modules.clips.videos import VideoFile
from data_modules.generated.datamodule import GeneratedDataModule
from data_modules.generated.workers import available_cores
from data_modules.inspection import Problem, choose_files, find_absent, find_unreadable
from data_modules.named import BENCHMARKS, make_data
from vjepa.errors import UserError
from vjepa.storage import atomic_write_text, digest_file

_SHOWN = 10


@dataclass(frozen=True)
class Listing:
    """What a data set should hold.

    Args:
        folder: of all files.
        splits: files by official split.
        published: how many each should have.
        classes, published_classes: how many there are, and should be.
        notes: lines for the reader.
    """

    folder: Path
    splits: Mapping[str, Sequence[VideoFile]]
    published: Mapping[str, int]
    classes: int
    published_classes: int
    notes: tuple[str, ...]


def main(options: Sequence[str]) -> int:
    """Count the files of a data set by split, compare with the published counts, and open some or all of them."""
    parser = argparse.ArgumentParser("vjepa prepare check", description=main.__doc__)
    parser.add_argument("name", choices=[name for name in BENCHMARKS if name != "videos"])
    parser.add_argument("--root", help="folder of the data sets (DATA_ROOT), or the cache of a generated one")
    parser.add_argument("--decode", default="200", metavar="N", help="how many files to open: a number, or all")
    parser.add_argument("--whole", action="store_true", help="decode every frame of them, not the first alone")
    parser.add_argument("--jobs", type=int, default=available_cores(), help="processes that open files")
    parser.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE", help="of the data, as split=2")
    parser.add_argument("--csv", type=Path, help="also write every problem to this file")
    known = parser.parse_args(list(options))
    most = _number(known.decode)
    if known.jobs < 1:
        raise UserError(f"--jobs is {known.jobs}; expected 1 or more")
    data = make_data(known.name, {"root": known.root} | dict(_assignment(word) for word in known.set))
    if isinstance(data, GeneratedDataModule):
        listing, problems = _generated(data)
    else:
        assert isinstance(data, BenchmarkDataModule)
        listing, problems = _published(data), []
    problems += find_absent(listing.splits, listing.folder)
    chosen = choose_files(listing.splits, problems, most)
    problems += find_unreadable(chosen, known.jobs, known.whole)
    opened = Counter(split for split, _ in chosen)
    print(
        "\n".join([f"{known.name}: {listing.folder}", *_table(listing, problems, opened), *_summary(listing, problems)])
    )
    if known.csv is not None:
        atomic_write_text(known.csv, _as_csv(problems))
    return 1 if problems else 0


def _published(data: BenchmarkDataModule) -> Listing:
    found = data.annotations
    splits = {
        split: [VideoFile(found.folder / record.file, (record.label,), record.id) for record in records]
        for split, records in found.splits.items()
    }
    ours = {split: sum(len(part.files) for part in parts) for split, parts in data.parts.items()}
    notes = [
        f"train and val are the official train, divided: {ours['train']:,} and {ours['val']:,}",
        f"test is the official {data.test_split}: {ours['test']:,}",
    ]
    for split, files in splits.items():
        if unlabelled := sum(file.labels[0] < 0 for file in files):
            notes.append(f"{split}: {unlabelled:,} files without a label")
    seen = {file.labels[0] for file in splits["train"]}
    if empty := [name for label, name in enumerate(found.classes) if label not in seen]:
        notes.append(f"{len(empty)} classes have no training file: {', '.join(empty[:_SHOWN])}")
    return Listing(found.folder, splits, data.published, len(found.classes), data.num_published_classes, tuple(notes))


def _generated(data: GeneratedDataModule) -> tuple[Listing, list[Problem]]:
    store = data.store
    entries = store.manifest()
    if entries is None:
        raise UserError(f"{data.name}: not written in {store.folder} yet; run vjepa prepare {data.name}")
    splits = {
        split: [
            VideoFile(path, tuple(labels), name)
            for path, labels, name in zip(
                store.paths(split), store.label_table(split).tolist(), store.video_ids(split), strict=True
            )
        ]
        for split in store.splits
    }
    problems: list[Problem] = []
    for entry in entries:
        path = store.path(entry.split, entry.index)
        if path.is_file() and digest_file(path) != entry.checksum:
            problems.append(Problem(entry.split, "changed", entry.id, str(path), "is not as the manifest says"))
    counts = {split: store.spec.num_clips(split) for split in store.splits}
    classes = sum(len(task.classes) for task in store.tasks)
    return Listing(store.folder, splits, counts, classes, classes, (f"manifest {data.manifest_hash}",)), problems


def _table(listing: Listing, problems: Sequence[Problem], opened: Mapping[str, int]) -> list[str]:
    lines = [f"  {'split':<12}{'files':>9}{'published':>11}{'missing':>9}{'opened':>9}{'unreadable':>12}"]
    for split, files in listing.splits.items():
        count = Counter(problem.kind for problem in problems if problem.split == split)
        lines.append(
            f"  {split:<12}{len(files):>9,}{listing.published[split]:>11,}{count['missing']:>9,}{opened[split]:>9,}"
            f"{count['unreadable']:>12,}"
        )
    lines += [
        f"  {split:<12}{'not there':>9}{published:>11,}"
        for split, published in listing.published.items()
        if split not in listing.splits
    ]
    lines.append(f"  {'classes':<12}{listing.classes:>9,}{listing.published_classes:>11,}")
    return lines


def _summary(listing: Listing, problems: Sequence[Problem]) -> list[str]:
    lines = [f"  {note}" for note in listing.notes]
    pairs = {split: (len(files), listing.published[split]) for split, files in listing.splits.items()}
    pairs["classes"] = (listing.classes, listing.published_classes)
    lines += [
        f"  {name}: {count:,}, where {published:,} were published"
        for name, (count, published) in pairs.items()
        if count != published
    ]
    lines += [f"  {problem.kind}: {problem.path}: {problem.reason}" for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"  and {len(problems) - _SHOWN:,} more; --csv FILE lists them all")
    kinds = Counter(problem.kind for problem in problems)
    told = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items())
    if problems:
        return [*lines, f"not in order: {told}"]
    differs = any(count != published for count, published in pairs.values())
    return [*lines, "files are in order; counts differ from the published ones" if differs else "in order"]


def _as_csv(problems: Sequence[Problem]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["split", "kind", "id", "file", "reason"])
    writer.writerows([one.split, one.kind, one.id, one.path, one.reason] for one in problems)
    return text.getvalue()


def _number(word: str) -> int | None:
    if word == "all":
        return None
    if not word.isdecimal():
        raise UserError(f"--decode is {word!r}; expected a number, or all")
    return int(word)


def _assignment(word: str) -> tuple[str, Any]:
    name, equals, value = word.partition("=")
    if not equals:
        raise UserError(f"--set {word}: expected OPTION=VALUE, as split=2")
    return name, yaml.safe_load(value)
