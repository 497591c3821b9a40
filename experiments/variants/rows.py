"""What each variant is, row by row: its slots and terms against the baseline, its switches, its published results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from experiments.overlays import leaves, look_up, merged
from experiments.published import MAIN_PROBES, PublishedConfig, PublishedResult, results_of
from experiments.published.notes import defects_of
from vjepa.reading import SWITCHES, Reading, resolve

Settings = Mapping[str, Any]

_TERMS = "model.objectives."
_EQUAL_EPOCHS = ("hw_ld", "fwm_ld", "fwm_hw_ld")
_WITH_IMAGES = ("mixed",)


@dataclass(frozen=True)
class VariantRow:
    """One line of ``vjepa variants``.

    Args:
        variant: name of the objective overlay.
        kind: ``study`` for one of the study's configurations, ``control`` for a variant that nobody has run.
        regime: name of the regime overlay; None where none is chosen.
        config: the study's name of the configuration; None for a control.
        seed, processes: of the study's run.
        reading: the one that ``switches`` are resolved by; None: the switches on which the readings part, unresolved.
        slots: choices of slots that differ from the baseline's.
        terms: terms that differ from the baseline's, with weight and options.
        switches: name -> value of each switch that this variant touches.
        results: published results; those of an as_described row are none, since released code made them.
        defects: numbers in docs/defects.md that change what the published results mean.
    """

    variant: str
    kind: Literal["study", "control"]
    regime: str | None
    config: str | None
    seed: int | None
    processes: int | None
    reading: Reading | None
    slots: tuple[str, ...]
    terms: tuple[str, ...]
    switches: Mapping[str, Any]
    results: tuple[PublishedResult, ...]
    defects: tuple[int, ...]

    @property
    def top1(self) -> dict[str, float]:
        """Benchmark -> published accuracy in %, by the probe of the study's tables."""
        return {r.benchmark: r.accuracy_percent for r in self.results if r.probe in MAIN_PROBES}


def study_rows(config: PublishedConfig, readings: Sequence[Reading]) -> list[VariantRow]:
    """Rows of one configuration of the study: one, or one for each reading."""
    return [_row(config.objective, config.regime, config, reading) for reading in readings or (None,)]


def control_rows(variant: str, regime: str | None, readings: Sequence[Reading]) -> list[VariantRow]:
    """Rows of a variant of this project."""
    return [_row(variant, regime, None, reading) for reading in readings or (None,)]


def common_switches(regime: str | None) -> tuple[str, ...]:
    """Switches on which the readings part in every run of a regime, whatever the variant."""
    return tuple(key for key in touched(_settings("baseline", regime)) if SWITCHES[key].differs)


def touched(settings: Settings) -> tuple[str, ...]:
    """Switches that a run with these settings depends on."""
    return tuple(key for key, switch in SWITCHES.items() if _CONDITIONS.get(key, _has_owner(switch.owner))(settings))


def resolved(key: str, settings: Settings, reading: Reading) -> Any:
    """Value of a switch: the overlay's if it sets one, else the reading's."""
    owner = SWITCHES[key].owner
    place = "data.init_args" if owner == "data" else owner
    own = look_up(settings, f"{place}.{key.rpartition('.')[2]}")
    return resolve(key, None if own == "factorized" else own, reading)


def _has_owner(owner: str) -> Callable[[Settings], bool]:
    """Whether the settings have the term or slot; the other owners are part of every run."""
    if owner.startswith((_TERMS, "model.masker.")):
        return lambda settings: look_up(settings, owner) is not None
    return lambda settings: True


def _is_self(settings: Settings) -> bool:
    return bool(look_up(settings, "model.target.kind") == "self")


_CONDITIONS: dict[str, Callable[[Settings], bool]] = {
    "target.evaluate": _is_self,
    "target.stop_gradient": _is_self,
    "latent_dynamics.hard_weighting": lambda s: all(
        look_up(s, _TERMS + term) is not None for term in ("latent_dynamics", "hard_region")
    ),
    "layout": lambda s: look_up(s, "model.layout") not in (None, "whole"),
    "image_mode": lambda s: look_up(s, "run.regime") in _WITH_IMAGES or look_up(s, "model.image_mode") is not None,
    "probe.epochs": lambda s: look_up(s, "run.variant") in _EQUAL_EPOCHS,
    "sampling.fps_rule": lambda s: look_up(s, "data.init_args.fps") is not None,
}


@lru_cache
def _settings(variant: str, regime: str | None) -> Settings:
    return merged(variant, regime)


def _row(variant: str, regime: str | None, config: PublishedConfig | None, reading: Reading | None) -> VariantRow:
    settings = _settings(variant, regime)
    results = () if config is None or reading == "as_described" else results_of(config.config)
    if reading is None:
        common = common_switches(regime)
        switches = {key: None for key in touched(settings) if SWITCHES[key].differs and key not in common}
    else:
        switches = {key: resolved(key, settings, reading) for key in touched(settings)}
    return VariantRow(
        variant=variant,
        kind="control" if config is None else "study",
        regime=regime,
        config=None if config is None else config.config,
        seed=None if config is None else config.seed,
        processes=None if config is None else config.processes,
        reading=reading,
        slots=_slots(settings, _settings("baseline", regime)),
        terms=_terms(settings, _settings("baseline", regime)),
        switches=switches,
        results=results,
        defects=defects_of(variant) if results else (),
    )


def _slots(settings: Settings, baseline: Settings) -> tuple[str, ...]:
    ours, theirs = dict(leaves(settings["model"])), dict(leaves(baseline["model"]))
    changed = (key for key in ours if not key.startswith("objectives.") and ours[key] != theirs.get(key))
    return tuple(f"{key.removeprefix('masker.')} {_text(ours[key])}" for key in changed)


def _terms(settings: Settings, baseline: Settings) -> tuple[str, ...]:
    ours, theirs = settings["model"]["objectives"], baseline["model"]["objectives"]
    found = []
    for name, options in ours.items():
        if options == theirs.get(name):
            continue
        rest = ", ".join(f"{key} {_text(value)}" for key, value in options.items() if key != "weight")
        found.append(f"{name} {options['weight']}" + (f" ({rest})" if rest else ""))
    return tuple(found)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
