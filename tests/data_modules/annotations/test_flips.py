"""Classes that tell left from right are found by their names."""

from __future__ import annotations

import pytest

from data_modules.annotations.flips import sided_classes


@pytest.mark.parametrize(
    ("name", "is_sided"),
    [
        ("Pulling something from left to right", True),
        ("Turning the camera right while filming something", True),
        ("circle clockwise", True),
        ("circle counter-clockwise", True),
        ("Plugging something into something but pulling it right out as you remove your hand", False),
        ("Putting something upright on the table", False),
        ("Moving something up", False),
    ],
)
def test_a_side_is_a_word_of_its_own(name: str, is_sided: bool) -> None:
    assert bool(sided_classes([name])) == is_sided
