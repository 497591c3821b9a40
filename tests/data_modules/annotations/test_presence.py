"""Files are found by listing folders; links that lead out are seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_modules.annotations.presence import look_for


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with two files, and one outside."""
    (tmp_path / "root" / "a").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    for path in ("root/a/1", "root/2", "elsewhere/3"):
        (tmp_path / path).write_text(path)
    return tmp_path / "root"


def test_missing_files_are_found(root: Path) -> None:
    paths = [root / name for name in ("a/1", "a/2", "2", "b/1", "2/1", "a")]
    found = look_for(paths, root)
    assert found.missing == (1, 3, 4, 5) and found.outside == ()


def test_links_may_lead_anywhere_inside(root: Path) -> None:
    (root / "b").symlink_to(root / "a")
    (root / "1").symlink_to(root / "a" / "1")
    (root / "gone").symlink_to(root / "nothing")
    found = look_for([root / "b" / "1", root / "1", root / "gone"], root)
    assert found.missing == (2,) and found.outside == ()


def test_links_that_lead_out_are_named(root: Path) -> None:
    (root / "file").symlink_to(root.parent / "elsewhere" / "3")
    (root / "folder").symlink_to(root.parent / "elsewhere")
    (root.parent / "root2").mkdir()
    (root.parent / "root2" / "4").write_text("beside, not inside")
    (root / "beside").symlink_to(root.parent / "root2" / "4")
    paths = [root / name for name in ("file", "2", "folder/3", "folder/4", "beside")]
    found = look_for(paths, root)
    assert found.outside == (0, 2, 4) and found.missing == (3,)


def test_the_root_itself_may_be_a_link(root: Path) -> None:
    (root.parent / "link").symlink_to(root)
    assert look_for([root.parent / "link" / "2"], root.parent / "link").outside == ()
