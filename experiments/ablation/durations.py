"""How long finished cells took: those of this folder, and of the ablations beside it on the same data and preset."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from experiments.ablation.cells import DONE
from experiments.ablation.spec import FILE, Ablation, load
from vjepa.errors import UserError


@dataclass(frozen=True)
class Duration:
    """Of one finished cell.

    Args:
        variant: its name.
        fit_per_step: seconds of training for each optimizer step; None where it did not train.
        evaluation: seconds; None where it was evaluated otherwise than is planned.
    """

    variant: str
    fit_per_step: float | None
    evaluation: float | None


def durations_near(ablation: Ablation) -> list[Duration]:
    """Durations of comparable cells in the folder of an ablation and in the folders beside it.

    Args:
        ablation: with its shared settings.
    """
    found = []
    for file in sorted(ablation.folder.absolute().parent.glob(f"*/{FILE}")):
        try:
            other = load(file.parent)
        except UserError:
            continue
        if ablation.training and other.training and _shape(other.training) == _shape(ablation.training):
            found += _durations(other, _evaluated_alike(other, ablation))
    return found


def fit_per_step(durations: Sequence[Duration], variant: str) -> float | None:
    """Median of the variant, else of all; None where nothing has been timed."""
    return _median([(each.variant, each.fit_per_step) for each in durations], variant)


def evaluation_seconds(durations: Sequence[Duration], variant: str) -> float | None:
    """As ``fit_per_step``, for a whole evaluation."""
    return _median([(each.variant, each.evaluation) for each in durations], variant)


def _median(timed: Sequence[tuple[str, float | None]], variant: str) -> float | None:
    known = [(name, seconds) for name, seconds in timed if seconds]
    own = [seconds for name, seconds in known if name == variant]
    return median(own or [seconds for _, seconds in known]) if known else None


def _durations(ablation: Ablation, evaluated_alike: bool) -> list[Duration]:
    steps = int((ablation.training or {})["trainer"]["max_steps"])
    found = []
    for mark in sorted((ablation.folder / "cells").glob(f"*/*/*/{DONE}")):
        try:
            seconds = json.loads(mark.read_text())["seconds"]
            fit, evaluation = float(seconds["fit"]), float(seconds["evaluation"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        found.append(
            Duration(mark.parents[2].name, fit / steps if fit else None, evaluation if evaluated_alike else None)
        )
    return found


def _shape(training: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the time of a step depends on, beside the variant."""
    model = training["model"]
    return (
        training["data"],
        *(model.get(key) for key in ("preset", "patch_size", "tubelet_size")),
        *(training["trainer"].get(key) for key in ("accumulate_grad_batches", "precision", "devices")),
    )


def _evaluated_alike(one: Ablation, other: Ablation) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in ("probes", "profile", "benchmarks"))
