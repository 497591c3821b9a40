"""The two readings of the study, in one table.

A switch left at None takes the value of the run's reading: what the study's text says (``as_described``) or what
its released code computes (``as_released``). Setting a switch overrides the reading for that switch alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from vjepa.errors import unknown_name

Reading = Literal["as_described", "as_released"]
T = TypeVar("T")


@dataclass(frozen=True)
class Switch:
    """One place where the study's text, its code or a better practice part ways.

    Args:
        owner: slot, term or protocol that the switch belongs to, as it is named in YAML.
        as_described, as_released: the values that the two readings give it; equal where the text is silent.
        defect: number in docs/defects.md.
        meaning: one line for readers.
        options: values beside those two.
    """

    owner: str
    as_described: Any
    as_released: Any
    defect: int
    meaning: str
    options: tuple[Any, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether the readings part here."""
        return bool(self.as_described != self.as_released)


SWITCHES: dict[str, Switch] = {
    "target.evaluate": Switch(
        "model.target", "online", "init", 1,
        "weights that evaluation reads when the target is the encoder itself", ("teacher",),
    ),
    "latent_dynamics.hard_weighting": Switch(
        "model.objectives.latent_dynamics", "detached_weights", "no_gradient", 2,
        "beside hard-region weighting: weights detached, or the whole term without gradient", ("none",),
    ),
    "layout": Switch(
        "model", "within_level", "by_level", 3,
        "what layout factorized means: first channels of every level, or the shallow levels of the network", ("whole",),
    ),
    "motion.norm": Switch(
        "model.masker.motion", "per_sample", "broadcast_time", 4,
        "maximum that a motion map is divided by: its own, or that of the sample whose number is the time step",
    ),
    "motion.pool": Switch(
        "model.masker.motion", "area", "point", 5,
        "pixels that a token's motion is read from: all of its patch, or the middle four",
    ),
    "motion.ratio_matched": Switch(
        "model.masker.motion", False, False, 6,
        "whether guided masks hide as many tokens as unguided ones would", (True,),
    ),
    "target.stop_gradient": Switch(
        "model.target", False, False, 7,
        "whether the gradient through the targets is cut when the target is the encoder itself", (True,),
    ),
    "context.ramp": Switch(
        "model.objectives.context", "fractions", "steps", 8,
        "ramp of the context loss: share of the run, or fixed steps",
    ),
    "image_mode": Switch(
        "model", "repeat", "repeat", 9, "an image is a still video of 16 frames, or a single frame", ("single",)
    ),
    "probe.ssv2": Switch(
        "probe protocol", "attentive", "study_pooled_attentive", 10,
        "probe on Something-Something V2: attention over tokens, or over one mean vector",
    ),
    "probe.epochs": Switch(
        "probe protocol", "equal", "as_published", 11,
        "probe epochs: 100 for every variant, or 50 for hw_ld, fwm_ld and fwm_hw_ld on Diving-48 and SSv2",
    ),
    "hard_region.temperature": Switch(
        "model.objectives.hard_region", 1.0, 1.0, 15, "softmax temperature; at 1 the weights are nearly uniform"
    ),
    "sigreg.scale": Switch(
        "model.objectives.sigreg", "n", "n", 16, "factor of the statistic: number of rows, or one", ("1",)
    ),
    "sampling.fps_rule": Switch(
        "data", "nearest", "integer_step", 17,
        "frames at a rate: nearest to the asked times, or every k-th with k rounded down",
    ),
    "predictor.mask_token": Switch(
        "model.predictor", "per_mask", "first", 21, "learned mask token: one for each mask, or the first one for all"
    ),
    "masker.trim": Switch(
        "model.masker", "first", "first", 22,
        "tokens kept when a batch is cut to its shortest mask: the earliest, or a random subset", ("random",),
    ),
    "orthogonality.precision": Switch(
        "model.objectives.orthogonality", "float32", "autocast", 24,
        "precision of the cross-covariance under autocast",
    ),
    "action.error": Switch("model.objectives.action", "l1", "l1", 25, "error of the predicted colour change", ("mse",)),
    "spectral.error": Switch("model.objectives.spectral", "l1", "l1", 36, "error of the temporal spectrum", ("mse",)),
}  # fmt: skip
"""Every switch by name. Where the readings agree, the owner's default is their value."""


def resolve(key: str, value: T | None, reading: Reading) -> T:
    """Value of a switch: its own if it is set, else that of the reading.

    Raises:
        UserError: the reading is unknown.
    """
    if reading not in get_args(Reading):
        raise unknown_name("reading", reading, get_args(Reading))
    if value is not None:
        return value
    chosen: T = getattr(SWITCHES[key], reading)
    return chosen
