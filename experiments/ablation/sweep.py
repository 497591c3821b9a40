"""Sweeps of ``vjepa ablation --set``: any option of the model at several values, each a cell."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vjepa.errors import UserError, unknown_name

_FIXED = {
    "reading": "choose readings with --readings",
    "seed": "choose seeds with --seeds",
    "preset": "an ablation compares with one random initialisation; use one folder for each",
    "patch_size": "an ablation compares with one random initialisation; use one folder for each",
    "tubelet_size": "an ablation compares with one random initialisation; use one folder for each",
}


@dataclass(frozen=True)
class Sweep:
    """One ``--set``.

    Args:
        text: as it was typed.
        key: dotted name below ``model``.
        values: as text.
        variant: the only variant it concerns; None: all of the grid.
    """

    text: str
    key: str
    values: tuple[str, ...]
    variant: str | None = None


Setting = tuple[str, str]
"""A dotted name below ``model`` and its value."""


def parse_sweep(text: str) -> Sweep:
    """Read ``[VARIANT:]KEY=VALUE[,VALUE...]``; a list in brackets is one value.

    Raises:
        UserError: it has no key or no value, or sets what an ablation sets otherwise.
    """
    target, _, values = text.partition("=")
    variant, _, key = target.rpartition(":")
    key = key.removeprefix("model.")
    found = tuple(dict.fromkeys(_split(values)))
    if not key or not all(found) or any(set(value) & set("/@ ") for value in found):
        raise UserError(
            f"--set {text!r}: expected [VARIANT:]KEY=VALUE,VALUE, for example objectives.latent_dynamics.weight=0.1,0.3"
        )
    if key in _FIXED:
        raise UserError(f"--set {key}: {_FIXED[key]}")
    return Sweep(text, key, found, variant or None)


def combinations(sweeps: Sequence[Sweep], variant: str, model: Mapping[str, Any]) -> list[tuple[Setting, ...]]:
    """Settings of each cell of a variant: every value with every value; one empty combination without sweeps.

    Args:
        sweeps: all of the grid; those of other variants are passed over.
        variant: name of the variant.
        model: its resolved options.

    Raises:
        UserError: a key is unknown, given twice, or belongs to a term or slot that the variant lacks.
    """
    chosen = [sweep for sweep in sweeps if sweep.variant in (None, variant)]
    keys = [sweep.key for sweep in chosen]
    for sweep in chosen:
        if keys.count(sweep.key) > 1:
            raise UserError(f"--set {sweep.key} is given twice for {variant}: put its values into one, with commas")
        _check(sweep, variant, model)
    return list(itertools.product(*([(sweep.key, value) for value in sweep.values] for sweep in chosen)))


def swept_name(variant: str, settings: Sequence[Setting]) -> str:
    """Name of a cell, which becomes a folder: ``ld@latent_dynamics.weight=0.3``."""
    return "@".join([variant, *(f"{key.removeprefix('objectives.')}={value}" for key, value in settings)])


def _check(sweep: Sweep, variant: str, model: Mapping[str, Any]) -> None:
    found: Any = model
    parts = sweep.key.split(".")
    for depth, part in enumerate(parts):
        if found is None:
            raise UserError(
                f"--set {sweep.key}: variant {variant} has no {'.'.join(parts[:depth])}; name the variant that has it, "
                f"as in --set VARIANT:{sweep.text}, or leave {variant} out of --variants"
            )
        if not isinstance(found, Mapping) or part not in found:
            known = list(found) if isinstance(found, Mapping) else []
            raise unknown_name(f"key of --set {sweep.key}:", part, known)
        found = found[part]


def _split(text: str) -> list[str]:
    """Values between the commas that are not inside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "[{(") - (character in ")}]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
