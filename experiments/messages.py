"""Parser errors, told in one line with the nearest valid name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from vjepa.errors import did_you_mean

DATA_PACKAGE = "data_modules"
_KEY = re.compile(r'Parser key "([^"]+)"')
_CLASS = re.compile(r"Problem with given class_path '([^']+)'")
_UNKNOWN = (
    re.compile(r"Option '([^']+)' is not accepted"),
    re.compile(r"does not accept option '([^']+)'"),
    re.compile(r"unrecognized arguments: --([^\s=]+)"),
    re.compile(r"does not accept nested key '([^']+)'"),
)
_UNKNOWN_CLASS = (
    re.compile(r"module '([^']+)' has no attribute '([^']+)'"),
    re.compile(r"Expected a dot import path string: ()([^\s.]+)$"),
)
_NOISE = ("Subtypes:", "Errors:", "Given value", "Does not validate", "Expected a <class 'NoneType'>")


def explain(message: str, known_keys: Sequence[str]) -> str:
    """Shorten a parser's message to the one thing that is wrong.

    Args:
        message: what the parser said, possibly a tree of union subtypes.
        known_keys: dotted names that the parser accepts.

    Returns:
        One line, or the message itself where it is one already.
    """
    keys: list[str] = []
    classes: list[str] = []
    for line in message.splitlines():
        keys += _KEY.findall(line)
        classes += _CLASS.findall(line)
        for pattern in _UNKNOWN:
            if unknown := pattern.search(line):
                return unknown_key(unknown[1], keys, classes, known_keys)
        for pattern in _UNKNOWN_CLASS:
            if unknown := pattern.search(line):
                return _unknown_class(unknown[1] or DATA_PACKAGE, unknown[2])
    lines = [line.strip(" -") for line in message.splitlines()]
    told = [line for line in lines if line and not line.startswith(_NOISE) and not _KEY.match(line)]
    reason = next((line for line in told if not _CLASS.match(line)), " ".join(lines))
    reason = reason.replace("<class '", "").replace("'>", "")
    where = ".".join(keys)
    return reason if not where or where in reason else f"{where}: {reason}"


def _unknown_class(package: str, name: str) -> str:
    """Message for a class that a package does not have, with the nearest one of those it has."""
    known = getattr(import_module(package), "__all__", ())
    return f"{package} has no class {name!r}{did_you_mean(name, known)}: expected a dotted path, as {package}.CLASS"


def unknown_key(name: str, keys: Sequence[str], classes: Sequence[str], known_keys: Sequence[str]) -> str:
    """Message for a name that is not accepted, with the nearest one of its siblings.

    Args:
        name: the name, dotted from where ``keys`` end.
        keys: names that lead to it.
        classes: dotted paths of the classes around it, outermost first.
        known_keys: dotted names that the parser accepts.
    """
    if classes:
        siblings = _parameters(classes[-1])
        hint = did_you_mean(name.partition(".")[0], siblings) or f"; {_short(classes[-1])} takes {', '.join(siblings)}"
        return f"unknown key {'.'.join([*keys, name])!r}{hint}"
    return f"unknown key {name!r}{did_you_mean(_longest_unknown(name, known_keys), known_keys)}"


def _longest_unknown(name: str, known_keys: Sequence[str]) -> str:
    """Cut a nested key after its first part that is not known: a typo in a group hides its members."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        prefix = ".".join(parts[:length])
        if not any(key == prefix or key.startswith(prefix + ".") for key in known_keys):
            return prefix
    return name


def _parameters(class_path: str) -> list[str]:
    """Names that a class takes, those that it hands on to its bases too."""
    names: list[str] = []
    for base in import_class(class_path).__mro__:
        parameters = inspect.signature(base.__init__).parameters.values()
        named = [parameter.name for parameter in parameters if parameter.kind != parameter.VAR_KEYWORD]
        names += [name for name in named if name not in ("self", *names)]
        if len(named) == len(parameters):
            break
    return names


def import_class(class_path: str) -> Any:
    """The class that a dotted path names."""
    module, _, name = class_path.rpartition(".")
    return getattr(import_module(module), name)


def _short(class_path: str) -> str:
    return class_path.rpartition(".")[2]


def first_line(error: Exception) -> str:
    """What an error says first, on one line; its class where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
