"""Losses and gradients of the study, case by case, as released."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.conftest import Golden
from vjepa.grid import Grid
from vjepa.latents import Latents, Masks
from vjepa.layout import Layout
from vjepa.objectives import ModelFacts, Objective
from vjepa.objectives.action import ActionPrediction
from vjepa.objectives.delta import DeltaPrediction
from vjepa.objectives.factorization import Orthogonality, StaticAppearance
from vjepa.objectives.hamiltonian import HamiltonianDynamics
from vjepa.objectives.hard_region import HardRegionWeighting
from vjepa.objectives.kinematic import KinematicSmoothness
from vjepa.objectives.latent_dynamics import LatentDynamics
from vjepa.objectives.prediction import ContextPrediction, TargetPrediction
from vjepa.objectives.sigreg import SketchedIsotropy
from vjepa.objectives.spectral import SpectralPrediction
from vjepa.objectives.temporal_contrast import TemporalContrast
from vjepa.objectives.velocity_gate import VelocityGate

CASES = [
    "base", "base_ctx_full", "base_ctx_halfwarm", "base_ctx_unweighted", "hw", "hw_t0p1", "fwm", "fwm_orth_only",
    "fwm_static_only", "ld", "fwm_ld", "hw_ld", "fwm_hw_ld", "delta", "combo_losses", "spectral", "ltc", "ac", "ac_hw",
    "fac", "kin_l1", "kin_l1_0p1", "kin_huber", "kin_accel", "kin_split", "kin_anneal_e37", "velgate", "hamiltonian",
    "sigreg",
]  # fmt: skip

AUXILIARY: dict[str, tuple[str, Callable[[dict[str, Any]], Objective]]] = {
    "hw_coeff": ("hw_loss", lambda o: HardRegionWeighting(o["hw_coeff"], o.get("hw_temp", 1.0))),
    "fwm_static_coeff": ("fwm_static_loss", lambda o: StaticAppearance(o["fwm_static_coeff"])),
    "fwm_orth_coeff": ("fwm_orth_loss", lambda o: Orthogonality(o["fwm_orth_coeff"])),
    "ld_coeff": ("ld_loss", lambda o: LatentDynamics(o["ld_coeff"], hidden=16)),
    "delta_coeff": ("delta_loss", lambda o: DeltaPrediction(o["delta_coeff"])),
    "spectral_coeff": ("spectral_loss", lambda o: SpectralPrediction(o["spectral_coeff"])),
    "ltc_coeff": ("ltc_loss", lambda o: TemporalContrast(o["ltc_coeff"])),
    "ac_coeff": ("ac_loss", lambda o: ActionPrediction(o["ac_coeff"], hidden=16)),
    "kinematic_coeff": (
        "kinematic_loss",
        lambda o: KinematicSmoothness(
            o["kinematic_coeff"], o.get("kinematic_type", "l1"), share=o.get("kinematic_split_ratio", 1.0),
            anneal=o.get("kinematic_anneal", False),
        ),
    ),
    "velgate_coeff": ("velgate_loss", lambda o: VelocityGate(o["velgate_coeff"])),
    "hamiltonian_coeff": ("hamiltonian_loss", lambda o: HamiltonianDynamics(o["hamiltonian_coeff"], hidden=16)),
    "sigreg_coeff": ("sigreg_loss", lambda o: SketchedIsotropy(o["sigreg_coeff"])),
}  # fmt: skip
"""The study's coefficient: its name for the term, and ours with the same options."""

HEADS = {
    "dyn_head/": ("ld_loss", "dynamics_head"),
    "action_head/": ("ac_loss", "action_head"),
    "hamiltonian_net/net.": ("hamiltonian_loss", "energy"),
}
"""Prefix of the study's head: the term that owns it, and its name there."""

STEPS_PER_EPOCH, TOTAL_STEPS = 300, 30_000


def terms_of(case: dict[str, Any], layout: Layout) -> dict[str, Objective]:
    overrides = json.loads(str(case["overrides"]))
    terms: dict[str, Objective] = {
        "loss_pred": TargetPrediction(),
        "loss_context": ContextPrediction(distance_weighted=overrides.get("weight_distance_loss", True)),
    }
    terms |= {AUXILIARY[key][0]: AUXILIARY[key][1](overrides) for key in AUXILIARY if overrides.get(key)}
    temperature = overrides.get("hw_temp", 1.0) if "hw_coeff" in overrides else None
    for term in terms.values():
        term.build(ModelFacts(32, layout, "as_released", temperature, targets_have_gradient=True))
    for head, (owner, attribute) in HEADS.items():
        weights = {key.removeprefix(head): value for key, value in case.items() if key.startswith(head)}
        if weights:
            getattr(terms[owner], attribute).load_state_dict(weights)
    return terms


def latents_of(inputs: dict[str, Any], layout: Layout, epoch: int) -> Latents:
    def pair(name: str) -> tuple[torch.Tensor, torch.Tensor]:
        first, second = (inputs[f"{name}_{mask}"].clone() for mask in (0, 1))
        return (first, second) if name.startswith("masks") else (first.requires_grad_(), second.requires_grad_())

    return Latents(
        inputs["clips"], Grid(4, 3, 3), layout, Masks(pair("masks_enc"), pair("masks_pred")),
        inputs["h"].clone().requires_grad_(), pair("z_enc"), pair("z_pred"), pair("z_context"),
        epoch * STEPS_PER_EPOCH, TOTAL_STEPS,
    )  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradients_equal_the_study(golden: Golden, name: str) -> None:
    case = golden(f"loss_{name}")
    overrides = json.loads(str(case["overrides"]))
    is_factorized = any(key.startswith("fwm") for key in overrides)
    layout = Layout("by_level" if is_factorized else "whole", 8, 0.5)
    terms, latents = terms_of(case, layout), latents_of(golden("loss_inputs"), layout, overrides.get("epoch", 0))

    values = {key: term(latents).loss for key, term in terms.items()}
    factors = {key: term.weight * term.factor(latents.step, TOTAL_STEPS) for key, term in terms.items()}
    for key, value in values.items():
        torch.testing.assert_close(value, case[f"term_{key}"].float(), rtol=1e-5, atol=1e-7, msg=key)
    total = torch.stack([factors[key] * value for key, value in values.items()]).sum()
    torch.testing.assert_close(total, case["loss"].float(), rtol=1e-5, atol=0)

    total.backward()
    gradients = {"h": latents.targets}
    for mask in (0, 1):
        gradients |= {
            f"z_enc_{mask}": latents.context[mask], f"z_pred_{mask}": latents.predicted[mask],
            f"z_context_{mask}": latents.predicted_context[mask],
        }  # fmt: skip
    for head, (owner, attribute) in HEADS.items():
        if owner in terms:
            named = getattr(terms[owner], attribute).named_parameters()
            gradients |= {f"{head}{key}": parameter for key, parameter in named}
    assert {key.removeprefix("grad_") for key in case if key.startswith("grad_")} == set(gradients)
    for key, leaf in gradients.items():
        ours = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        torch.testing.assert_close(ours, case[f"grad_{key}"], rtol=0, atol=1e-6, msg=key)
        if key.startswith(tuple(HEADS)):
            assert leaf.requires_grad is not bool(case[f"gradnone_{key}"]), "frozen where the study never trains it"


@pytest.mark.parametrize(("name", "frozen"), [("hw_ld", 4), ("fwm_hw_ld", 4), ("hamiltonian", 1), ("ld", 0)])
def test_the_study_leaves_these_parameters_untrained(golden: Golden, name: str, frozen: int) -> None:
    case = golden(f"loss_{name}")
    nones = [value for key, value in case.items() if key.startswith("gradnone_") and not key.startswith("gradnone_z")]
    assert sum(map(bool, nones)) == frozen
