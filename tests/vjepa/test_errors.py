"""Messages about unknown names."""

from __future__ import annotations

import pytest

from vjepa.errors import UserError, did_you_mean, unknown_name


@pytest.mark.parametrize(("name", "hint"), [("gren", " (did you mean 'green'?)"), ("xyz", "")])
def test_the_nearest_name_is_offered_if_it_is_near(name: str, hint: str) -> None:
    assert did_you_mean(name, ("red", "green")) == hint


def test_unknown_name_lists_what_is_known() -> None:
    error = unknown_name("colour", "gren", iter(("red", "green")))
    assert isinstance(error, UserError)
    assert str(error) == "unknown colour 'gren' (did you mean 'green'?): expected one of red, green"
