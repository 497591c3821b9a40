"""The terms of the loss, one family per file.

Every class with a ``name`` in this package becomes a field of ``Objectives``: a new file is a new field, in Python
and in YAML. The classes themselves are names of this package too: ``objectives.LatentDynamics(weight=0.5)``.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from torch import nn

from vjepa.errors import did_you_mean
from vjepa.latents import Latents
from vjepa.objectives.base import ModelFacts, Objective, Term, check_layouts, normalize_levels
from vjepa.objectives.total import LossReport, sum_terms


def _discover() -> dict[str, type[Objective]]:
    """Objective classes of this package by name, base terms first, then alphabetically."""
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    found = {cls.name: cls for cls in Objective.__subclasses__() if cls.__module__.startswith(__name__)}
    first = ("prediction", "context")
    return {name: found[name] for name in (*first, *sorted(found.keys() - set(first)))}


REGISTRY: Mapping[str, type[Objective]] = _discover()

_CLASSES = {cls.__name__: cls for cls in REGISTRY.values()}

if TYPE_CHECKING:  # for editors; at run time these and every class of a new file are found
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

    @dataclass(frozen=True)
    class Objectives:
        """One optional field per objective; None leaves the term out."""

        prediction: TargetPrediction | None = None
        context: ContextPrediction | None = None
        action: ActionPrediction | None = None
        delta: DeltaPrediction | None = None
        hamiltonian: HamiltonianDynamics | None = None
        hard_region: HardRegionWeighting | None = None
        kinematic: KinematicSmoothness | None = None
        latent_dynamics: LatentDynamics | None = None
        orthogonality: Orthogonality | None = None
        sigreg: SketchedIsotropy | None = None
        spectral: SpectralPrediction | None = None
        static: StaticAppearance | None = None
        temporal_contrast: TemporalContrast | None = None
        velocity_gate: VelocityGate | None = None

else:
    Objectives = make_dataclass(
        "Objectives",
        [(name, cls | None, field(default=None)) for name, cls in REGISTRY.items()],
        namespace={"__doc__": "One optional field per objective; None leaves the term out."},
        frozen=True,
    )
    Objectives.__module__ = __name__


def __getattr__(name: str) -> type[Objective]:
    if name in _CLASSES:
        return _CLASSES[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{did_you_mean(name, _CLASSES)}")


def active(objectives: Any) -> nn.ModuleDict:
    """The terms that are set, in a fixed order."""
    pairs = ((name, getattr(objectives, name)) for name in REGISTRY)
    return nn.ModuleDict({name: term for name, term in pairs if term is not None})


__all__ = [
    "REGISTRY",
    "ActionPrediction",
    "ContextPrediction",
    "DeltaPrediction",
    "HamiltonianDynamics",
    "HardRegionWeighting",
    "KinematicSmoothness",
    "LatentDynamics",
    "Latents",
    "LossReport",
    "ModelFacts",
    "Objective",
    "Objectives",
    "Orthogonality",
    "SketchedIsotropy",
    "SpectralPrediction",
    "StaticAppearance",
    "TargetPrediction",
    "TemporalContrast",
    "Term",
    "VelocityGate",
    "active",
    "check_layouts",
    "normalize_levels",
    "sum_terms",
]
