"""Paths of annotations stay inside the data root."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_modules.annotations.roots import inside_root
from vjepa.errors import UserError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.mp4", "a/b.mp4"),
        ("./a//b.mp4", "a/b.mp4"),
        ("/data/ucf/x.avi", "ucf/x.avi"),
        ("a b/..c.mp4", "a b/..c.mp4"),
    ],
)
def test_a_path_has_one_form(name: str, expected: str) -> None:
    assert inside_root(name, Path("/data"), "list.csv, line 3") == expected


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a.mp4", "a/../../b.mp4", "a/../b.mp4", "/etc/passwd", "/data", "/database/a", "a\0.mp4"]
)
def test_no_path_leads_out(name: str) -> None:
    with pytest.raises(UserError, match=r"list\.csv, line 3: .* is not a path inside the data root /data"):
        inside_root(name, Path("/data"), "list.csv, line 3")
