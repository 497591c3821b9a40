"""From a command to an ablation: what is asked for now, over what the folder was asked for before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments.ablation.groups import expand
from experiments.ablation.resolve import data_overlay
from experiments.ablation.spec import FILE, Ablation, Grid, load
from experiments.named_options import words
from experiments.overlays import leaves
from vjepa.errors import UserError

CORE = ("core",)
READINGS = ("as_described", "as_released")
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Request:
    """What one command asks for; None where it says nothing.

    Args:
        out: folder.
        variants: names, groups and globs.
        readings, seeds, sweeps: as in ``Grid``.
        settings: those further fields of ``Ablation`` that it names.
    """

    out: Path
    variants: tuple[str, ...] | None = None
    readings: tuple[str, ...] | None = None
    seeds: tuple[int, ...] | None = None
    sweeps: tuple[str, ...] | None = None
    settings: Mapping[str, Any] | None = None


def merge_request(request: Request) -> tuple[Ablation, tuple[Grid, ...]]:
    """Put a request over what its folder holds.

    Whatever the request leaves out is as it was there, and as the defaults say in a new folder. Grids add up: a folder
    grows by variants, readings and seeds.

    Returns:
        The whole ablation, and the grids that this command asks for.

    Raises:
        UserError: an unknown variant or data, or a broken ``ablation.json``.
    """
    stored = load(request.out) if (request.out / FILE).exists() else None
    asked = _grids(request, stored)
    earlier = () if stored is None else stored.grids
    grids = (*earlier, *(grid for grid in asked if not any(other.covers(grid) for other in earlier)))
    base = Ablation(grids, str(request.out)) if stored is None else stored
    ablation = replace(base, **(request.settings or {}), grids=grids, out=str(request.out))
    data_overlay(ablation.data)
    return ablation, asked


def check_growth(ablation: Ablation, training: Mapping[str, Any]) -> None:
    """Refuse to train cells of other settings beside those that the folder was planned with.

    Args:
        ablation: with the settings of the folder, if it has been used.
        training: shared settings as they are now.

    Raises:
        UserError: they differ; the options are named.
    """
    if ablation.training is None:
        return
    there, here = dict(leaves(ablation.training)), dict(leaves(training))
    other = [key for key in {**there, **here} if there.get(key) != here.get(key)]
    if other:
        told = ", ".join(
            f"{key} {there.get(key, 'unset')} there and {here.get(key, 'unset')} here" for key in other[:6]
        )
        more = f" and {len(other) - 6} more" if len(other) > 6 else ""
        raise UserError(
            f"{ablation.folder} holds an ablation trained with other settings: {told}{more}; "
            f"variants, readings and seeds may be added to a folder, other settings need another --out (or remove "
            f"{ablation.file} to plan it afresh; its runs are kept)"
        )


def _grids(request: Request, stored: Ablation | None) -> tuple[Grid, ...]:
    variants = None if request.variants is None else expand(request.variants)
    if stored is None:
        return (
            Grid(
                expand(CORE) if variants is None else variants,
                READINGS if request.readings is None else request.readings,
                SEEDS if request.seeds is None else request.seeds,
                request.sweeps or (),
            ),
        )
    readings, seeds = request.readings, request.seeds
    if variants is None and request.sweeps is None:
        return tuple(
            replace(
                grid,
                readings=grid.readings if readings is None else readings,
                seeds=grid.seeds if seeds is None else seeds,
            )
            for grid in stored.grids
        )
    return (
        Grid(
            stored.variants if variants is None else variants,
            stored.readings if readings is None else readings,
            stored.seeds if seeds is None else seeds,
            request.sweeps or (),
        ),
    )


def seeds_of(text: str) -> tuple[int, ...]:
    """Seeds between commas.

    Raises:
        UserError: one is no whole number from 0.
    """
    try:
        found = tuple(int(word) for word in words(text))
    except ValueError as error:
        raise UserError(f"--seeds {text!r}: expected whole numbers with commas, for example 0,1,2") from error
    if any(seed < 0 for seed in found):
        raise UserError(f"--seeds {text!r}: expected numbers from 0")
    return found
