"""What each term and slot adds to a whole training step: forward, backward, optimizer and teacher."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from experiments.bench.timing import Measurement, interleaved, summarise, threads
from vjepa.errors import UserError, unknown_name
from vjepa.masking import MotionGuidance, MultiBlockMasker
from vjepa.module import FactorizedVideoJEPA, VideoJEPA
from vjepa.objectives import REGISTRY, Objective, Objectives
from vjepa.objectives.prediction import ContextPrediction, TargetPrediction
from vjepa.targets import TargetOptions

BASELINE, OWN_TARGET = "baseline", "target self"
BASE_TERMS = ("prediction", "context")
TOTAL_STEPS = 1000
DEFAULTS: dict[str, dict[str, Any]] = {
    "cuda": {"preset": "base", "batch": 8, "size": 224, "precision": "bf16", "repeats": 30},
    "cpu": {"preset": "small", "batch": 2, "size": 112, "precision": "float32", "repeats": 5},
}
"""What is measured where nothing is said; a step at 224 pixels takes tens of seconds on a core."""


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
    """Sizes and repeats."""
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: cuda where there is one")
    parser.add_argument("--preset", help="default: base on cuda, small on the cpu")
    parser.add_argument("--batch", type=int, help="clips of a micro-batch; default: 8 on cuda, 2 on the cpu")
    parser.add_argument("--precision", choices=("bf16", "float32"), help="default: bf16 on cuda, float32 on the cpu")
    parser.add_argument("--frames", type=int, default=16, help="frames of a clip")
    parser.add_argument("--size", type=int, help="side in pixels; default: 224 on cuda, 112 on the cpu")
    parser.add_argument("--patch", type=int, default=16, help="side of a patch in pixels")
    parser.add_argument("--repeats", type=int, help="timed rounds of all cases; default: 30 on cuda, 5 on the cpu")
    parser.add_argument("--warmup", type=int, default=1, help="rounds before those")
    parser.add_argument("--threads", type=int, help="of torch; default: as it chooses")
    parser.add_argument("--only", help="cases to time beside the baseline, with commas; default: all")


def run(options: argparse.Namespace) -> Iterator[Measurement]:
    """Time a step of every case in turn; all share one encoder, predictor and teacher, and each has its own heads."""
    options = settle(options)
    cases = choose(all_cases(), options.only)
    generator = torch.Generator().manual_seed(0)
    shape = (options.batch, options.frames, options.size, options.size, 3)
    frames = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8).to(options.device)
    with threads(options.threads) as count:
        steps: dict[str, Callable[[int], None]] = {}
        shared: Stepper | None = None
        for name, case in cases.items():
            stepper = Stepper(make_model(case, options).to(options.device), frames, options.precision, shared)
            shared = shared or stepper
            steps[name] = stepper
        durations = interleaved(steps, options.repeats, options.warmup, torch.device(options.device))
    settings = {
        key: getattr(options, key) for key in ("preset", "batch", "frames", "size", "patch", "precision", "device")
    }
    references = {name: case.reference for name, case in cases.items()}
    yield from summarise("objectives", durations, references, {**settings, "threads": count})


def settle(options: argparse.Namespace) -> argparse.Namespace:
    """Fill in what depends on the device, and say it.

    Raises:
        UserError: a device that is not there, or a size out of range.
    """
    has_cuda = torch.cuda.is_available()
    if options.device == "cuda" and not has_cuda:
        raise UserError("--device cuda: there is no CUDA here; leave it out to measure on the CPU")
    device = options.device or ("cuda" if has_cuda else "cpu")
    chosen = argparse.Namespace(**{**vars(options), "device": device})
    for name, value in DEFAULTS[device].items():
        if getattr(options, name) is None:
            setattr(chosen, name, value)
    for name in ("batch", "frames", "size", "patch", "threads"):
        value = getattr(chosen, name)
        if value is not None and value < 1:
            raise UserError(f"--{name} {value}: expected at least 1")
    note = "" if has_cuda else " (no CUDA here)"
    clips = f"batch {chosen.batch}, {chosen.frames} frames of {chosen.size} pixels"
    print(f"{device}{note}: preset {chosen.preset}, {clips}, {chosen.precision}, {chosen.repeats} repeats", flush=True)
    return chosen


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
    terms = {"prediction": TargetPrediction(), "context": ContextPrediction(ramp_fractions=(0.0, 0.0))}
    objectives = Objectives(**terms, **{term.name: term for term in case.terms})
    factorized = any("whole" not in term.layouts for term in case.terms)
    cls, layout = (FactorizedVideoJEPA, "factorized") if factorized else (VideoJEPA, "whole")
    return cls(
        preset=options.preset, patch_size=options.patch, layout=layout, objectives=objectives, **case.slots  # type: ignore[arg-type]
    )  # fmt: skip


class Stepper:
    """Trains a model by one step a call, as the trainer does.

    Args:
        model: on its device.
        frames: (B, F, H_px, W_px, 3) uint8, the same at every step.
        precision: ``bf16`` autocast or ``float32``.
        shared: another whose encoder, predictor, teacher and optimizer state are used in place of the model's own, so
            that any number of cases fits in memory. Both must read the predictor alike, as all cases here do.
    """

    def __init__(self, model: VideoJEPA, frames: Tensor, precision: str, shared: Stepper | None = None) -> None:
        if shared is not None:
            model.encoder, model.predictor = shared.model.encoder, shared.model.predictor
            if model.target.teacher is not None:
                model.target.teacher = shared.model.target.teacher
        model.total_steps = TOTAL_STEPS
        self.model: VideoJEPA = model.train()
        self.frames = frames
        self.autocast = torch.autocast(frames.device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
        self.optimizer = model.configure_optimizers()
        if shared is not None:
            # Moments belong to a parameter: the same dictionaries serve every optimizer that holds it.
            self.optimizer.state = shared.optimizer.state

    def __call__(self, step: int) -> None:
        """Forward, backward, optimizer and teacher; ``step`` sets the masks."""
        model = self.model
        with self.autocast:
            loss = model.loss(model.latents(self.frames, step=step)).total
        loss.backward()
        model.optimizer_options.apply(self.optimizer, step + 1, TOTAL_STEPS)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        model.target.update(model.encoder, step, TOTAL_STEPS)
