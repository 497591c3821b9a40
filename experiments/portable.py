"""What made a run, told without the places of one machine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

_PLACES = ("--run.root", "--data.init_args.root", "--trainer.enable_progress_bar")
"""Options that say nothing about the experiment."""


def portable_command(words: Sequence[str]) -> list[str]:
    """A command line without the places of one machine."""
    kept: list[str] = []
    left_out = False
    for word in words:
        option, equals, _ = word.partition("=")
        if not left_out and option not in _PLACES:
            word = re.sub(r"^.*/(?=experiments/configs/)", "", word)
            kept.append(re.sub(r"^(--[\w.]+=)?/.*/(?=.)", r"\1", word))  # of any other place, its last name
        left_out = option in _PLACES and not equals  # its value is the next word
    return kept


def portable_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without the places of one machine."""
    found = deepcopy(dict(settings))
    found["run"].pop("root", None)
    found["data"].get("init_args", {}).pop("root", None)
    if start := found["model"].get("init_from"):
        found["model"]["init_from"] = Path(start).name
    return found
