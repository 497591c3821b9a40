"""A whole training step of the study: losses and every gradient norm, with a teacher and without."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.conftest import Golden
from vjepa.latents import Masks
from vjepa.module import VideoJEPA
from vjepa.nn import PRESETS, Preset
from vjepa.objectives import Objectives
from vjepa.objectives.prediction import ContextPrediction, TargetPrediction
from vjepa.targets import TargetOptions


def weights(state: dict[str, Any], part: str) -> dict[str, torch.Tensor]:
    prefix = f"{part}/backbone."
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


@pytest.mark.parametrize(("tag", "kind"), [("ema", "ema"), ("noema", "self")])
def test_step_equals_the_study(golden: Golden, monkeypatch: pytest.MonkeyPatch, tag: str, kind: Any) -> None:
    state, case = golden("tiny_state"), golden("tiny_forward")
    monkeypatch.setitem(PRESETS, "studied", Preset(64, 12, 2, 32, 8, 4))
    terms = Objectives(prediction=TargetPrediction(), context=ContextPrediction(0.5, ramp_fractions=(0.0, 0.0)))
    model = VideoJEPA("studied", target=TargetOptions(kind), objectives=terms, reading="as_released")
    model.objectives["context"].ramp = "fractions"
    model.encoder.load_state_dict(weights(state, "encoder"))
    model.predictor.load_state_dict(weights(state, "predictor"))
    if model.target.teacher is not None:
        model.target.teacher.load_state_dict(weights(state, "encoder"))
    masks = Masks(*(tuple(case[f"masks_{name}_{mask}"] for mask in (0, 1)) for name in ("enc", "pred")))
    monkeypatch.setattr(model, "pixels", lambda frames: frames)
    monkeypatch.setattr(model, "masks", lambda *args, **key: masks)

    latents = model.latents(case["clip"], step=0)
    if tag == "ema":
        torch.testing.assert_close(latents.targets, case["h"], atol=1e-4, rtol=0)
    assert latents.targets.requires_grad == bool(case[f"{tag}_h_requires_grad"])
    report = model.loss(latents)
    for ours, theirs in (
        (report.total, "loss"), (report.terms["prediction"].loss, "loss_pred"),
        (report.terms["context"].loss, "loss_context"),
    ):  # fmt: skip
        torch.testing.assert_close(ours, case[f"{tag}_{theirs}"].float(), rtol=1e-5, atol=0)

    report.total.backward()
    for part, module in (("encoder", model.encoder), ("predictor", model.predictor)):
        for name, parameter in module.named_parameters():
            expected = float(case[f"{tag}_gradnorm/{part}/backbone.{name}"])
            norm = -1.0 if parameter.grad is None else float(parameter.grad.norm())
            assert norm == pytest.approx(expected, rel=1e-3, abs=1e-6), name
