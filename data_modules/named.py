"""Data modules by short name, made with typed options."""

from __future__ import annotations

from argparse import ArgumentError
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from jsonargparse import ArgumentParser

import data_modules
from data_modules.base import ClipDataModule
from vjepa.errors import UserError, did_you_mean, unknown_name

BENCHMARKS = {
    "ucf101": "UCF101DataModule",
    "ssv2": "SSv2DataModule",
    "diving48": "Diving48DataModule",
    "imagenet100": "ImageNet100DataModule",
    "kathabench": "KathaBenchDataModule",
    "synth": "SynthDataModule",
    "glyphs": "GlyphsDataModule",
    "videos": "VideoListDataModule",
}
"""Class of every data set that has a short name."""


def find_class(name: str) -> type[ClipDataModule]:
    """Return a data module's class.

    Args:
        name: a short name, or the dotted path of a class.

    Raises:
        UserError: there is no such class, or it is no data module.
    """
    if name in BENCHMARKS:
        found = getattr(data_modules, BENCHMARKS[name])
    else:
        module, _, attribute = name.rpartition(".")
        if not module:
            raise unknown_name("data", name, BENCHMARKS)
        try:
            found = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise UserError(f"data {name!r} cannot be imported ({error})") from error
    if not (isinstance(found, type) and issubclass(found, ClipDataModule)):
        raise UserError(f"data {name!r} is no data module; expected one of {', '.join(BENCHMARKS)} or a dotted path")
    return found


def make_data(name: str, options: Mapping[str, Any], shared: Mapping[str, Any] | None = None) -> ClipDataModule:
    """Make a data module as a configuration file would.

    Args:
        name: as ``find_class``.
        options: its arguments; nested ones may be plain dicts, as in YAML.
        shared: arguments that give way to ``options``; those that it does not take are left out.

    Raises:
        UserError: the class or an option is unknown, or a value is refused.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(find_class(name), "data")
    known = list(parser.get_defaults().data.keys())
    for option in options:
        if option not in known:
            raise UserError(f"{name} has no option {option!r}{did_you_mean(option, known)}")
    settings = {key: value for key, value in (shared or {}).items() if key in known} | dict(options)
    try:
        made: ClipDataModule = parser.instantiate(parser.parse_object({"data": settings})).data
    except (ArgumentError, ValueError) as error:
        raise UserError(f"options of {name}: {' '.join(str(error).split())}") from error
    return made
