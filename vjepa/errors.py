"""The one exception that means: the input is wrong, and here is how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input. Its message names the thing, what was seen, what was expected and the fix.

    The command line prints the message alone and exits with code 2.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the closest of ``known``, or nothing if none is close."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {found[0]!r}?)" if found else ""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not one of ``known``, with the nearest of them."""
    names = list(known)
    return UserError(f"unknown {kind} {name!r}{did_you_mean(name, names)}: expected one of {', '.join(names)}")
