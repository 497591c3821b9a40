"""Names with options on the command line: ``NAME[:KEY=VALUE,...]``."""

from __future__ import annotations

from typing import Any

import yaml

from vjepa.errors import UserError


def words(text: str) -> tuple[str, ...]:
    """``a,b`` as words, without blanks around them; empty ones are left out."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def named_options(text: str, place: str) -> tuple[str, dict[str, Any]]:
    """``ssv2:version=2,size=224`` as a name and options; values are read as YAML.

    Args:
        text: what was written.
        place: where, for messages.

    Raises:
        UserError: an option is not of the form KEY=VALUE.
    """
    name, _, options = text.partition(":")
    pairs: dict[str, Any] = {}
    for option in words(options):
        key, equals, value = option.partition("=")
        if not (key and equals):
            raise UserError(f"{place} {text!r}: expected NAME or NAME:KEY=VALUE,KEY=VALUE, got {option!r}")
        pairs[key] = yaml.safe_load(value)
    return name, pairs
