"""The two readings of the study, in one table.

A switch left at None takes the value of the run's reading: what the study's text says (``as_described``) or what
its released code computes (``as_released``). Setting a switch overrides the reading for that switch alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from vjepa.errors import unknown_name

Reading = Literal["as_described", "as_released"]
T = TypeVar("T")


@dataclass(frozen=True)
class Switch:
    """One defect of the study that changes a number.

    Args:
        owner: slot or term the switch belongs to, as it is named in YAML.
        as_described, as_released: its two values.
        defect: number in docs/defects.md.
        meaning: one line for readers.
    """

    owner: str
    as_described: str
    as_released: str
    defect: int
    meaning: str


SWITCHES: dict[str, Switch] = {
    "target.evaluate": Switch(
        "target", "online", "init", 1, "weights that evaluation reads when the target is the encoder itself"
    ),
    "latent_dynamics.hard_weighting": Switch(
        "objectives.latent_dynamics", "detached_weights", "no_gradient", 2,
        "latent dynamics beside hard-region weighting: weights detached, or the whole term without gradient",
    ),
    "layout": Switch(
        "layout", "within_level", "by_level", 3,
        "factorized: first channels of every level, or the shallow levels of the network",
    ),
    "context.ramp": Switch(
        "objectives.context", "fractions", "steps", 8, "ramp of the context loss: share of the run, or fixed steps"
    ),
    "predictor.mask_token": Switch(
        "predictor", "per_mask", "first", 21, "learned mask token: one for each mask, or the first one for all"
    ),
    "orthogonality.precision": Switch(
        "objectives.orthogonality", "float32", "autocast", 24, "precision of the cross-covariance under autocast"
    ),
}  # fmt: skip


def resolve(key: str, value: T | None, reading: Reading) -> T:
    """Value of a switch: its own if it is set, else that of the reading.

    Raises:
        UserError: the reading is unknown.
    """
    if reading not in get_args(Reading):
        raise unknown_name("reading", reading, get_args(Reading))
    if value is not None:
        return value
    return getattr(SWITCHES[key], reading)
