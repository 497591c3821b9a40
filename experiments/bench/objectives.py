"""What each term and slot adds to a whole training step: forward, backward, optimizer and teacher."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from experiments.bench.sizes import add_sizes, random_frames, settle, told
from experiments.bench.stepper import Stepper
from experiments.bench.timing import Measurement, interleaved, summarise
from experiments.side_by_side import threads
from vjepa.errors import unknown_name
from vjepa.masking import MotionGuidance, MultiBlockMasker
from vjepa.module import FactorizedVideoJEPA, VideoJEPA
from vjepa.objectives import REGISTRY, Objective, Objectives
from vjepa.objectives.prediction import ContextPrediction, TargetPrediction
from vjepa.targets import TargetOptions

BASELINE, OWN_TARGET = "baseline", "target self"
BASE_TERMS = ("prediction", "context")


@dataclass(frozen=True)
class Case:
    """A model that differs from the baseline by one thing.

    Args:
        terms: beside the base terms.
        slots: arguments of ``VideoJEPA`` beside the common ones.
        reference: name of the case it is compared with.
    """

    terms: tuple[Objective, ...] = ()
    slots: dict[str, Any] = field(default_factory=dict)
    reference: str = BASELINE


def add_options(parser: argparse.ArgumentParser) -> None:
    """Sizes, repeats and cases."""
    add_sizes(parser)
    parser.add_argument("--only", help="cases to time beside the baseline, with commas; default: all")


def run(options: argparse.Namespace) -> Iterator[Measurement]:
    """Time a step of every case in turn; all share one encoder, predictor and teacher, and each has its own heads."""
    options = settle(options)
    cases = choose(all_cases(), options.only)
    frames = random_frames(options)
    with threads(options.threads) as count:
        steps: dict[str, Callable[[int], None]] = {}
        shared: Stepper | None = None
        for name, case in cases.items():
            stepper = Stepper(make_model(case, options).to(options.device), frames, options.precision, shared)
            shared = shared or stepper
            steps[name] = stepper
        durations = interleaved(steps, options.repeats, options.warmup, torch.device(options.device))
    references = {name: case.reference for name, case in cases.items()}
    yield from summarise("objectives", durations, references, {**told(options), "threads": count})


def all_cases() -> dict[str, Case]:
    """The baseline, slots, then every term with its default options, and the headline variant."""
    guided = MultiBlockMasker(motion=MotionGuidance())
    cases = {
        BASELINE: Case(),
        OWN_TARGET: Case(slots={"target": TargetOptions("self")}),
        "masker motion": Case(slots={"masker": guided}),
    }
    for name, cls in REGISTRY.items():
        if name in BASE_TERMS:
            continue
        term = cls()
        if term.needs_target_gradient:
            cases[name] = Case((term,), {"target": TargetOptions("self")}, OWN_TARGET)
        else:
            cases[name] = Case((term,))
    terms = ("static", "orthogonality", "hard_region", "latent_dynamics")
    cases["fwm_hw_ld"] = Case(tuple(REGISTRY[name]() for name in terms))
    return cases


def choose(cases: dict[str, Case], only: str | None) -> dict[str, Case]:
    """The baseline, the named cases and those that they are compared with.

    Raises:
        UserError: a name is unknown; the nearest one is suggested.
    """
    if only is None:
        return cases
    names = {BASELINE}
    for name in only.split(","):
        if name not in cases:
            raise unknown_name("case", name, cases)
        names |= {name, cases[name].reference}
    return {name: case for name, case in cases.items() if name in names}


def make_model(case: Case, options: argparse.Namespace) -> VideoJEPA:
    """The model of a case, in the layout that its terms need."""
    terms: dict[str, Any] = {term.name: term for term in case.terms}
    base = Objectives(prediction=TargetPrediction(), context=ContextPrediction(ramp_fractions=(0.0, 0.0)))
    objectives = replace(base, **terms)
    factorized = any("whole" not in term.layouts for term in case.terms)
    cls, layout = (FactorizedVideoJEPA, "factorized") if factorized else (VideoJEPA, "whole")
    return cls(
        preset=options.preset, patch_size=options.patch, layout=layout, objectives=objectives, **case.slots  # type: ignore[arg-type]
    )  # fmt: skip
