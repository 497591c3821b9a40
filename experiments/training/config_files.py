"""Reads the ``--config`` files beside the parser, for mistakes that it passes over or tells without naming the file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from experiments.messages import unknown_key
from vjepa.errors import UserError, did_you_mean

_EXPECTED = "expected a mapping with sections like model"


def read_files(arguments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What every ``--config`` file of a command line holds, by its path.

    Raises:
        UserError: a file is missing, is not YAML, or holds no mapping.
    """
    words = [part for word in arguments for part in (word.split("=", 1) if word.startswith("--config=") else [word])]
    return {value: _read(value) for flag, value in itertools.pairwise(words) if flag in ("-c", "--config")}


def _read(path: str) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path} cannot be read: {reason}{_nearest_file(Path(path))}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(loaded, dict):
        raise UserError(f"{path} holds {'nothing' if loaded is None else f'a {type(loaded).__name__}'}: {_EXPECTED}")
    return loaded


def _nearest_file(path: Path) -> str:
    """The YAML file beside a missing one that is nearest by name, as a hint."""
    known = [str(beside) for beside in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
    return did_you_mean(str(path), known)


def refuse_bare_sections(
    files: Mapping[str, Mapping[str, Any]], sections: Sequence[str], known_keys: Sequence[str]
) -> None:
    """Refuse a section without settings, which the parser takes for "no such section".

    Args:
        files: of ``read_files``.
        sections: dotted names that hold settings and cannot be null.
        known_keys: dotted names that the parser accepts.

    Raises:
        UserError: one is there with nothing under it.
    """
    for path, settings in files.items():
        for key, value in _ends(settings):
            if value is None and key in sections:
                raise UserError(f"{path}: {key} holds nothing: put its settings under it, or take the line out")
            if value is None and "." not in key and key not in known_keys:
                raise UserError(f"{path}: {unknown_key(key, [], [], known_keys)}")


def refuse_unknown_empty(
    files: Mapping[str, Mapping[str, Any]], resolved: Mapping[str, Any], known_keys: Sequence[str]
) -> None:
    """Refuse a misspelt name with an empty mapping, ``latent_dynamcs: {}``, which the parser drops without a word.

    Args:
        files: of ``read_files``.
        resolved: the whole configuration that the parser made.
        known_keys: dotted names that the parser accepts.

    Raises:
        UserError: there is one; the nearest name is suggested.
    """
    for path, settings in files.items():
        for key, value in _ends(settings):
            if value == {}:
                _find(path, key.split("."), resolved, known_keys)


def _find(path: str, parts: list[str], resolved: Any, known_keys: Sequence[str]) -> None:
    """Follow a name down the configuration; what lies under a value that is no mapping was replaced later."""
    classes: list[str] = []
    for depth, part in enumerate(parts):
        if not isinstance(resolved, Mapping):
            return
        if "class_path" in resolved:
            classes = [resolved["class_path"]]
        if part not in resolved:
            before = parts[:depth] if classes else []  # names within a class are compared with what it takes
            name = ".".join(parts[len(before) : depth + 1])
            raise UserError(f"{path}: {unknown_key(name, before, classes, known_keys)}")
        resolved = resolved[part]


def _ends(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """As ``experiments.overlays.leaves``, and empty mappings, which hold no settings."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _ends(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
