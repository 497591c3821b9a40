"""Double dissociation: each subspace's probe is hurt by its own kind of corruption and not by the other.

A is an accuracy in [0, 1]. A stable subspace proves nothing by itself: a term that trains z_app to ignore time makes it
stable by construction, so a probe must first show that the subspace is of use.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from vjepa.metrics.ratios import CleanAccuracy, corrected_performance


@dataclass(frozen=True)
class ProbedSubspace:
    """Accuracy of one subspace's probe.

    Args:
        clean: on clean clips.
        spatial, temporal: mPC of the two groups.
    """

    clean: CleanAccuracy
    spatial: float
    temporal: float

    @property
    def spatial_loss(self) -> float:
        """``1 - rPC*`` under spatial corruption: share of what was above chance that is lost; NaN without utility."""
        return 1 - corrected_performance(self.spatial, self.clean)

    @property
    def temporal_loss(self) -> float:
        """``1 - rPC*`` under temporal corruption."""
        return 1 - corrected_performance(self.temporal, self.clean)


@dataclass(frozen=True)
class DoubleDissociation:
    """Two subspaces times two groups of corruption.

    Args:
        app: probe of z_app on a benchmark of appearance (ImageNet-100).
        dyn: probe of z_dyn on a benchmark of motion (SSv2).
    """

    app: ProbedSubspace
    dyn: ProbedSubspace

    @property
    def table(self) -> dict[tuple[str, str], float]:
        """Chance-corrected loss by (subspace, group)."""
        return {
            ("app", "spatial"): self.app.spatial_loss,
            ("app", "temporal"): self.app.temporal_loss,
            ("dyn", "spatial"): self.dyn.spatial_loss,
            ("dyn", "temporal"): self.dyn.temporal_loss,
        }

    @property
    def interaction(self) -> float:
        """``(app spatial - app temporal) + (dyn temporal - dyn spatial)``; NaN if a probe shows no utility."""
        t = self.table
        return t["app", "spatial"] - t["app", "temporal"] + t["dyn", "temporal"] - t["dyn", "spatial"]

    @property
    def crossed(self) -> bool | None:
        """Whether both subspaces lose more to their own kind; None if undefined. No test: put intervals on it."""
        if math.isnan(self.interaction):
            return None
        return self.app.spatial_loss > self.app.temporal_loss and self.dyn.temporal_loss > self.dyn.spatial_loss


def recovered_ratio(swapped: float, corrupted: float, clean: float) -> float:
    """``(A_swapped - A_corrupted) / (A_clean - A_corrupted)``: what one clean subspace repairs of the damage.

    Args:
        swapped: accuracy with one subspace of the corrupted clips replaced by the clean one.
        corrupted, clean: accuracy without a swap.

    Returns:
        0 repairs nothing, 1 everything; NaN where the corruption does no damage.
    """
    return (swapped - corrupted) / (clean - corrupted) if clean > corrupted else math.nan
