"""The total loss: every term under its weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vjepa.latents import Latents
from vjepa.objectives.base import Objective, Term


@dataclass(frozen=True)
class LossReport:
    """Total loss of a step and its parts: term by name, and the coefficient each was given."""

    total: Tensor
    terms: dict[str, Term]
    weights: dict[str, float]

    def logs(self) -> dict[str, Tensor]:
        """Each term raw and weighted, and what it logs itself."""
        logs: dict[str, Tensor] = {}
        for name, term in self.terms.items():
            raw = term.loss.detach()
            logs[f"objective/{name}/raw"] = raw
            logs[f"objective/{name}/weighted"] = self.weights[name] * raw
            logs |= {f"objective/{name}/{key}": value.detach() for key, value in term.logs.items()}
        return logs


def sum_terms(objectives: Mapping[str, Objective], latents: Latents) -> LossReport:
    """Evaluate the terms and add them up, each times its weight and its schedule at this step."""
    terms = {name: objective(latents) for name, objective in objectives.items()}
    weights = {
        name: objective.weight * objective.factor(latents.step, latents.total_steps)
        for name, objective in objectives.items()
    }
    total = torch.stack([weights[name] * term.loss for name, term in terms.items()]).sum()
    return LossReport(total, terms, weights)
