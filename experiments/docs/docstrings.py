"""Reads the project's docstrings: a sentence, the definition, ``Args``, ``Source`` and ``Differs``."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass

_SECTIONS = ("Args", "Returns", "Raises", "Source", "Differs")
_GOLDEN = re.compile(r"golden (?:cases? )?((?:[\w*]+(?:\.npz)?)(?:(?:, and |, | and )[\w*]+(?:\.npz)?)*)")


@dataclass(frozen=True)
class Docstring:
    """A docstring in parts, empty where it has none; all but the definition on one line.

    Args:
        summary: its first paragraph.
        definition: what stands between that and the first section, line by line.
        args: description of each argument.
        source, differs: the sections of these names.
    """

    summary: str
    definition: str
    args: dict[str, str]
    source: str
    differs: str

    @property
    def equation(self) -> str:
        """The clause ``L = ...`` to the end of its sentence, or the whole definition where there is none."""
        text = _joined(self.definition)
        found = re.search(r"\bL = .*?(?=\.(?:\s|$))", text)
        return found.group() if found else text

    @property
    def golden(self) -> tuple[str, ...]:
        """Names of golden cases in the source, without ``.npz``; ``*`` stands for any ending."""
        listed = ", ".join(_GOLDEN.findall(self.source))
        names = [name.removesuffix(".npz") for name in re.split(r", and | and |, ", listed) if name]
        return tuple(dict.fromkeys(names))


def parse(documented: object) -> Docstring:
    """The docstring of a class or function in parts."""
    text = inspect.getdoc(documented) or ""
    pieces = re.split(rf"(?:^|(?<=\s))({'|'.join(_SECTIONS)}):(?=\s)", text)
    sections = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    summary, _, definition = pieces[0].strip().partition("\n\n")
    return Docstring(
        _joined(summary),
        definition.strip(),
        _arguments(sections.get("Args", "")),
        _joined(sections.get("Source", "")),
        _joined(sections.get("Differs", "")),
    )


def _joined(text: str) -> str:
    return " ".join(text.split())


def _arguments(section: str) -> dict[str, str]:
    """``a, b: text`` with indented continuation lines, as a description for each of the names."""
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=    \S)", section.strip("\n")):
        names, colon, text = entry.strip().partition(": ")
        if colon:
            found |= dict.fromkeys(names.split(", "), _joined(text))
    return found
