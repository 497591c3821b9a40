"""List files in both spellings; what is wrong with one is named with its line; the validation share is stratified."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_modules.annotations.lists import ListEntry, data_root, read_list, split_validation
from vjepa.errors import UserError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def write(root: Path, text: str) -> Path:
    path = root / "train.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("ucf/a.avi 3", ListEntry("ucf/a.avi", 3)),
        ("ucf/a.avi::3", ListEntry("ucf/a.avi", 3)),
        ("a clip with spaces.mp4 0", ListEntry("a clip with spaces.mp4", 0)),
        ("a clip.mp4::12", ListEntry("a clip.mp4", 12)),
        ('"a clip.mp4" 12', ListEntry("a clip.mp4", 12)),
        ("a.mp4\t7", ListEntry("a.mp4", 7)),
        ("a.mp4 -1", ListEntry("a.mp4", -1)),
        ("./x//a.mp4 1", ListEntry("x/a.mp4", 1)),
        ("{root}/x/a.mp4 1", ListEntry("x/a.mp4", 1)),
        ("клип.mp4 1", ListEntry("клип.mp4", 1)),
    ],
)
def test_lines_that_are_read(line: str, entry: ListEntry, root: Path) -> None:
    assert read_list(write(root, line.format(root=root)), root) == (entry,)


def test_order_is_kept_and_empty_lines_are_skipped(root: Path) -> None:
    entries = read_list(write(root, "\ufeffb.mp4 1\r\n\r\na.mp4 0\n  \nc.mp4::2\n"), root)
    assert [entry.id for entry in entries] == ["b.mp4", "a.mp4", "c.mp4"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.mp4 1\npath label\n", "line 2: 'path label'; expected 'path label' with a whole number"),
        ("a.mp4,1\n", "line 1: 'a.mp4,1'; expected"),
        ("a.mp4\n", "line 1: 'a.mp4'; expected"),
        ("a.mp4 1.5\n", "line 1: 'a.mp4 1.5'; expected"),
        ("a.mp4 -2\n", "line 1: label -2"),
        ("a.mp4 100000\n", "line 1: label 100000"),
        ("a.mp4 1\n\nb.mp4 1\na.mp4 2\n", "line 4: a.mp4 is on line 1 already"),
        ("../a.mp4 1\n", "line 1: '../a.mp4' is not a path inside the data root"),
        ("x/../../a.mp4 1\n", "is not a path inside the data root"),
        ("/etc/passwd 1\n", "line 1: '/etc/passwd' is not a path inside the data root"),
        ("{root}/../a.mp4 1\n", "is not a path inside the data root"),
        ("{root}-other/a.mp4 1\n", "is not a path inside the data root"),
        ('"" 1\n', "is not a path inside the data root"),
        (". 1\n", "is not a path inside the data root"),
        ("\n \n", "the list is empty"),
    ],
)
def test_lines_that_are_refused(text: str, message: str, root: Path) -> None:
    path = write(root, text.format(root=root))
    with pytest.raises(UserError) as caught:
        read_list(path, root)
    assert message in str(caught.value) and str(path) in str(caught.value)


def test_a_list_that_is_not_there_or_no_text(root: Path) -> None:
    with pytest.raises(UserError, match=r"none\.csv: no such list file"):
        read_list(root / "none.csv", root)
    (root / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"binary\.csv: cannot be read as a list file"):
        read_list(root / "binary.csv", root)
    with pytest.raises(UserError, match="cannot be read as a list file"):
        read_list(root, root)


def test_the_data_root_comes_from_the_option_or_the_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATA_ROOT", raising=False)
    with pytest.raises(UserError, match="DATA_ROOT is not set: set it"):
        data_root(None)
    monkeypatch.setenv("DATA_ROOT", str(root / "none"))
    with pytest.raises(UserError, match=r"DATA_ROOT is .*/none: no such folder"):
        data_root(None)
    assert data_root(str(root)) == root
    monkeypatch.setenv("DATA_ROOT", str(root))
    assert data_root(None) == root
    with pytest.raises(UserError, match=r"^root is .*/none: no such folder"):
        data_root(str(root / "none"))


def test_the_validation_share_holds_every_class_in_proportion() -> None:
    labels = np.random.default_rng(0).permutation([0] * 400 + [1] * 200 + [2] * 40)
    chosen = split_validation(labels.tolist(), 0.1, seed=0)
    assert chosen.sum() == 64
    assert [int(chosen[labels == label].sum()) for label in range(3)] == [40, 20, 4]
    assert np.array_equal(chosen, split_validation(labels.tolist(), 0.1, seed=0))
    assert not np.array_equal(chosen, split_validation(labels.tolist(), 0.1, seed=1))


@pytest.mark.parametrize(("count", "ratio"), [(2, 0.01), (2, 0.99), (3, 0.5), (101, 0.03)])
def test_neither_side_of_the_split_is_empty(count: int, ratio: float) -> None:
    chosen = split_validation([0] * count, ratio, seed=0)
    assert 0 < chosen.sum() < count
