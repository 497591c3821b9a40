"""Every switch between the two readings: its defaults, its override, and that something obeys it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import vjepa
from vjepa.errors import UserError
from vjepa.layout import Layout
from vjepa.nn import Encoder, Preset
from vjepa.objectives.base import ModelFacts
from vjepa.objectives.factorization import Orthogonality
from vjepa.objectives.latent_dynamics import LatentDynamics
from vjepa.objectives.prediction import ContextPrediction
from vjepa.reading import SWITCHES, resolve
from vjepa.targets import Target, TargetOptions

READINGS = ("as_described", "as_released")
VALUES = {
    "target.evaluate": ("online", "init"),
    "latent_dynamics.hard_weighting": ("detached_weights", "no_gradient"),
    "layout": ("within_level", "by_level"),
    "context.ramp": ("fractions", "steps"),
    "predictor.mask_token": ("per_mask", "first"),
    "orthogonality.precision": ("float32", "autocast"),
}


def built(term: Any, reading: Any) -> Any:
    layout = Layout("within_level", 8)
    term.build(ModelFacts(32, layout, reading, hard_region_temperature=1.0))
    return term


OWNERS = {
    "target.evaluate": lambda reading, value: (
        Target(TargetOptions("self", evaluate=value), Encoder(Preset(8, 4, 1, 8, 1, 1), 8), reading).evaluate
    ),
    "latent_dynamics.hard_weighting": lambda reading, value: (
        built(LatentDynamics(hidden=2, hard_weighting=value), reading).hard_weighting
    ),
    "context.ramp": lambda reading, value: built(ContextPrediction(ramp=value), reading).ramp,
    "orthogonality.precision": lambda reading, value: built(Orthogonality(precision=value), reading).precision,
}
"""What an owner settles on, given the reading and its own value. The LightningModule owns the two other switches."""


def test_table() -> None:
    assert {key: (switch.as_described, switch.as_released) for key, switch in SWITCHES.items()} == VALUES


@pytest.mark.parametrize("key", VALUES)
@pytest.mark.parametrize(("place", "reading"), list(enumerate(READINGS)))
def test_an_open_switch_takes_the_value_of_the_reading(key: str, place: int, reading: Any) -> None:
    assert resolve(key, None, reading) == VALUES[key][place]
    assert resolve(key, "mine", reading) == "mine"


@pytest.mark.parametrize("key", OWNERS)
@pytest.mark.parametrize(("place", "reading"), list(enumerate(READINGS)))
def test_its_owner_obeys_the_reading_and_the_override(key: str, place: int, reading: str) -> None:
    assert OWNERS[key](reading, None) == VALUES[key][place]
    other = VALUES[key][1 - place]
    assert OWNERS[key](reading, other) == other


@pytest.mark.parametrize("key", VALUES)
def test_every_switch_is_read_somewhere(key: str) -> None:
    sources = (path for path in Path(vjepa.__file__).parent.rglob("*.py") if path.name != "reading.py")
    assert any(f'"{key}"' in path.read_text() for path in sources)


@pytest.mark.parametrize("value", [None, "mine"])
def test_an_unknown_reading_is_refused(value: Any) -> None:
    with pytest.raises(UserError, match=r"unknown reading 'published'.*as_described, as_released"):
        resolve("layout", value, "published")  # type: ignore[arg-type]
