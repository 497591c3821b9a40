"""``vjepa prepare check``: counts, missing and unreadable files, exit codes."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from experiments.cli import main
from tests.data_modules.layouts import write_diving48, write_imagenet100, write_ssv2, write_ucf101


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four data sets that tests read but never change."""
    root = tmp_path_factory.mktemp("data")
    for write in (write_ucf101, write_ssv2, write_diving48, write_imagenet100):
        write(root)
    return root


def check(root: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[list[str]]]:
    """Exit code and the words of every line."""
    code = main(["prepare", "check", *options, "--root", str(root)])
    told = capsys.readouterr()
    return code, [line.split() for line in (told.err if code == 2 else told.out).splitlines()]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("ucf101", [["train", "54", "9,537", "0"], ["test", "18", "3,783", "0"]]),
        ("ssv2", [["train", "40", "168,913", "0"], ["validation", "8", "24,777", "0"], ["test", "4", "27,157", "0"]]),
        ("diving48", [["train", "40", "15,027", "0"], ["test", "6", "1,970", "0"]]),
        ("imagenet100", [["train", "300", "126,689", "0"], ["val", "100", "5,000", "0"]]),
    ],
)
def test_counts_stand_beside_the_published_ones(
    root: Path, capsys: pytest.CaptureFixture[str], name: str, rows: list[list[str]]
) -> None:
    code, lines = check(root, capsys, name, "--decode", "12")
    assert code == 0 and lines[0][0] == f"{name}:"
    table = lines[2 : 2 + len(rows)]
    assert [line[:4] for line in table] == rows
    assert sum(int(line[4]) for line in table) == 12 and {line[5] for line in table} == {"0"}
    assert lines[-1] == ["files", "are", "in", "order;", "counts", "differ", "from", "the", "published", "ones"]
    assert [*rows[0][:1], *f"{rows[0][1]}, where {rows[0][2]} were published".split()] in [
        [line[0].rstrip(":"), *line[1:]] for line in lines if line
    ]


def test_missing_and_damaged_files_are_listed(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(root / "ssv2", tmp_path / "ssv2")
    videos = tmp_path / "ssv2" / "20bn-something-something-v2"
    (videos / "3.webm").unlink()
    (videos / "41.webm").write_bytes(b"")
    (videos / "8.webm").write_bytes((videos / "8.webm").read_bytes()[:-700])
    (videos / "50.webm").unlink()
    (videos / "50.webm").symlink_to(root / "ssv2" / "20bn-something-something-v2" / "50.webm")
    found = tmp_path / "found.csv"
    code, lines = check(tmp_path, capsys, "ssv2", "--decode", "all", "--csv", str(found))
    assert code == 1
    assert lines[2:5] == [
        ["train", "40", "168,913", "1", "39", "1"],
        ["validation", "8", "24,777", "0", "8", "1"],
        ["test", "4", "27,157", "0", "4", "0"],
    ]
    assert lines[-1] == ["not", "in", "order:", "1", "missing,", "1", "outside,", "2", "unreadable"]
    with open(found, newline="") as file:
        rows = {row["id"]: (row["split"], row["kind"], row["reason"]) for row in csv.DictReader(file)}
    assert rows["3"] == ("train", "missing", "no such file")
    assert rows["41"] == ("validation", "unreadable", "the file is empty")
    assert rows["8"][:2] == ("train", "unreadable") and "cut short" in rows["8"][2]
    assert rows["50"][:2] == ("test", "outside") and len(rows) == 4


def test_damage_in_the_middle_is_found_by_decoding_all_of_it(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(root / "diving48", tmp_path / "diving48")
    path = tmp_path / "diving48" / "rgb" / "test_00001.mp4"
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start + (len(data) - start) // 2 :] = bytes(len(data) - start - (len(data) - start) // 2)
    path.write_bytes(bytes(data))
    first, _ = check(tmp_path, capsys, "diving48", "--decode", "all")
    whole, lines = check(tmp_path, capsys, "diving48", "--decode", "all", "--whole")
    assert whole == 1 and lines[-1] == ["not", "in", "order:", "1", "unreadable"]
    assert first in (0, 1)


def test_what_is_not_there_is_said(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = check(tmp_path, capsys, "ssv2")
    assert code == 2 and " ".join(lines[0]).startswith("error: ssv2: labels.json not found in")
    assert check(root, capsys, "ucf101", "--set", "split=2")[0] == 0
    code, lines = check(root, capsys, "ucf101", "--set", "split=3")
    assert code == 2 and "trainlist03.txt" in " ".join(lines[0])
    for words, message in (
        (["ucf101", "--set", "splitt=2"], "ucf101 has no option 'splitt'"),
        (["ucf101", "--set", "split"], "expected OPTION=VALUE"),
        (["ucf101", "--decode", "some"], "--decode is 'some'; expected a number, or all"),
        (["ucf101", "--jobs", "0"], "--jobs is 0"),
    ):
        code, lines = check(root, capsys, *words)
        assert code == 2 and message in " ".join(lines[0])


def test_generated_sets_are_compared_with_their_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--set", "clips=40"]
    code, lines = check(tmp_path, capsys, "kathabench", *sizes)
    assert code == 2 and "run vjepa prepare kathabench" in " ".join(lines[0])
    assert main(["prepare", "kathabench", "--clips", "40", "--root", str(tmp_path)]) == 0
    capsys.readouterr()
    code, lines = check(tmp_path, capsys, "kathabench", *sizes)
    assert code == 0 and lines[2][:3] == ["train", "28", "28"] and lines[-1] == ["in", "order"]
    files = sorted(tmp_path.rglob("train/*.mp4"))
    files[0].write_bytes(files[1].read_bytes())
    files[2].unlink()
    code, lines = check(tmp_path, capsys, "kathabench", *sizes)
    assert code == 1 and lines[-1] == ["not", "in", "order:", "1", "changed,", "1", "missing"]
