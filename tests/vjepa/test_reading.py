"""Every switch between the two readings: the table, the owners' defaults and overrides, and that something obeys it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.vjepa.runs import model_of
from vjepa.errors import UserError
from vjepa.layout import Layout
from vjepa.masking import MultiBlockMasker
from vjepa.motion import MotionGuidance, MotionMaps
from vjepa.nn import Encoder, Preset
from vjepa.objectives import REGISTRY
from vjepa.objectives.base import ModelFacts
from vjepa.objectives.factorization import Orthogonality
from vjepa.objectives.latent_dynamics import LatentDynamics
from vjepa.objectives.prediction import ContextPrediction
from vjepa.reading import SWITCHES, resolve
from vjepa.targets import Target, TargetOptions

ROOT = Path(__file__).parents[2]
READINGS = ("as_described", "as_released")
DIFFERING = {
    "target.evaluate": ("online", "init"),
    "latent_dynamics.hard_weighting": ("detached_weights", "no_gradient"),
    "layout": ("within_level", "by_level"),
    "motion.norm": ("per_sample", "broadcast_time"),
    "motion.pool": ("area", "point"),
    "context.ramp": ("fractions", "steps"),
    "probe.ssv2": ("attentive", "study_pooled_attentive"),
    "probe.epochs": ("equal", "as_published"),
    "sampling.fps_rule": ("nearest", "integer_step"),
    "predictor.mask_token": ("per_mask", "first"),
    "orthogonality.precision": ("float32", "autocast"),
}
AGREEING = {
    "motion.ratio_matched": False,
    "target.stop_gradient": False,
    "image_mode": "repeat",
    "hard_region.temperature": 1.0,
    "sigreg.scale": "n",
    "masker.trim": "first",
    "action.error": "l1",
    "spectral.error": "l1",
}


def built(term: Any, reading: Any) -> Any:
    layout = Layout("within_level", 8)
    term.build(ModelFacts(32, layout, reading, hard_region_temperature=1.0))
    return term


OBEYS: dict[str, Callable[[Any, Any], Any]] = {
    "target.evaluate": lambda reading, value: (
        Target(TargetOptions("self", evaluate=value), Encoder(Preset(8, 4, 1, 8, 1, 1), 8), reading).evaluate
    ),
    "latent_dynamics.hard_weighting": lambda reading, value: (
        built(LatentDynamics(hidden=2, hard_weighting=value), reading).hard_weighting
    ),
    "motion.norm": lambda reading, value: MotionMaps(MotionGuidance(norm=value), reading).norm,
    "motion.pool": lambda reading, value: MotionMaps(MotionGuidance(pool=value), reading).pool,
    "context.ramp": lambda reading, value: built(ContextPrediction(ramp=value), reading).ramp,
    "orthogonality.precision": lambda reading, value: built(Orthogonality(precision=value), reading).precision,
}
"""What an owner settles on, given the reading and its own value."""

TESTED_WITH_THEIR_OWNER = {"layout", "predictor.mask_token", "probe.ssv2", "probe.epochs", "sampling.fps_rule"}

OWNERS: dict[str, tuple[Callable[..., Any], str]] = {
    "motion.ratio_matched": (MotionGuidance, "ratio_matched"),
    "target.stop_gradient": (TargetOptions, "stop_gradient"),
    "image_mode": (model_of, "image_mode"),
    "hard_region.temperature": (REGISTRY["hard_region"], "temperature"),
    "sigreg.scale": (REGISTRY["sigreg"], "scale"),
    "masker.trim": (MultiBlockMasker, "trim"),
    "action.error": (REGISTRY["action"], "error"),
    "spectral.error": (REGISTRY["spectral"], "error"),
}
"""Who holds a switch on which the readings agree, and under which name."""


def test_table() -> None:
    expected = {**DIFFERING, **{key: (value, value) for key, value in AGREEING.items()}}
    assert {key: (switch.as_described, switch.as_released) for key, switch in SWITCHES.items()} == expected
    assert {key for key, switch in SWITCHES.items() if switch.differs} == set(DIFFERING)


def test_every_switch_has_an_owner_under_test() -> None:
    assert set(OBEYS) | TESTED_WITH_THEIR_OWNER == set(DIFFERING)
    assert set(OWNERS) == set(AGREEING)


@pytest.mark.parametrize("key", DIFFERING)
@pytest.mark.parametrize(("place", "reading"), list(enumerate(READINGS)))
def test_an_open_switch_takes_the_value_of_the_reading(key: str, place: int, reading: Any) -> None:
    assert resolve(key, None, reading) == DIFFERING[key][place]
    assert resolve(key, "mine", reading) == "mine"


@pytest.mark.parametrize("key", OBEYS)
@pytest.mark.parametrize(("place", "reading"), list(enumerate(READINGS)))
def test_its_owner_obeys_the_reading_and_the_override(key: str, place: int, reading: str) -> None:
    assert OBEYS[key](reading, None) == DIFFERING[key][place]
    other = DIFFERING[key][1 - place]
    assert OBEYS[key](reading, other) == other


@pytest.mark.parametrize("key", AGREEING)
def test_where_the_readings_agree_the_default_is_their_value(key: str) -> None:
    owner, name = OWNERS[key]
    assert getattr(owner(), name) == AGREEING[key]
    for option in SWITCHES[key].options:
        assert getattr(owner(**{name: option}), name) == option


@pytest.mark.parametrize("key", DIFFERING)
def test_every_switch_is_read_somewhere(key: str) -> None:
    sources = (path for package in ("vjepa", "data_modules", "experiments") for path in (ROOT / package).rglob("*.py"))
    assert any(f'"{key}"' in path.read_text() for path in sources if path.name != "reading.py")


@pytest.mark.parametrize("value", [None, "mine"])
def test_an_unknown_reading_is_refused(value: Any) -> None:
    with pytest.raises(UserError, match=r"unknown reading 'published'.*as_described, as_released"):
        resolve("layout", value, "published")  # type: ignore[arg-type]
