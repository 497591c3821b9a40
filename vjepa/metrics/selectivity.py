"""Does z_app follow spatial corruption and z_dyn temporal corruption, more than arbitrary channels would?

n clips, d channels, S divisions of the channels; D(subspace, group) is the mean drift of a subspace under a group of
corruptions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from vjepa.metrics.moments import CHUNK
from vjepa.metrics.splits import random_splits
from vjepa.metrics.subspace_drift import Normalisation, SubspaceDrift

SelectivityGroup = Literal["spatial", "temporal"]
SUBSPACES = ("app", "dyn")
GROUPS: tuple[SelectivityGroup, ...] = ("spatial", "temporal")


@dataclass(frozen=True)
class Selectivity:
    """Subspace Selectivity Index with its null distribution.

    Args:
        index: SSI; positive when z_app drifts more under spatial and z_dyn more under temporal corruption than the
            other way round. NaN when a drift is zero or a subspace does not vary.
        p_value: share of divisions, the designed one among them, with an index at least as large: one-sided, at least
            1 / (S + 1). It says that the division is not arbitrary, not that training made it so: for that, compare
            with the same division of a non-factorized model.
        null: S indices of random divisions of the same widths.
        drift: D by (subspace, group) for the designed division.
        null_drift: the same of each random division, S of each.
        num_clips: n.
    """

    index: float
    p_value: float
    null: tuple[float, ...]
    drift: Mapping[tuple[str, str], float]
    null_drift: Mapping[tuple[str, str], tuple[float, ...]]
    num_clips: int


def selectivity_index(app_spatial: Tensor, app_temporal: Tensor, dyn_spatial: Tensor, dyn_temporal: Tensor) -> Tensor:
    """``SSI = log[D(dyn, temporal) D(app, spatial) / (D(app, temporal) D(dyn, spatial))]``.

    Args:
        app_spatial, app_temporal, dyn_spatial, dyn_temporal: mean drifts of any one shape.

    Returns:
        The same shape; NaN where a drift is not positive. A common factor of a subspace or of a group cancels.
    """
    drifts = torch.stack([dyn_temporal, app_spatial, app_temporal, dyn_spatial])
    index = drifts[0].log() + drifts[1].log() - drifts[2].log() - drifts[3].log()
    return torch.where((drifts > 0).all(0), index, torch.nan)


class SelectivityTest:
    """Collects corrupted features condition by condition, then compares a division with random ones.

    Args:
        clean: (n, d), n >= 2.
        app: (d,) bool, channels of z_app in the designed division.
        num_splits: S random divisions with as many channels in z_app.
        seed: of the random divisions.
        normalisation: of the drift, as in ``SubspaceDrift``.
        chunk: clips at a time.

    Raises:
        ValueError: shapes do not fit, or a subspace is empty.
    """

    def __init__(
        self,
        clean: Tensor,
        app: Tensor,
        num_splits: int = 100,
        seed: int = 0,
        normalisation: Normalisation = "centred",
        chunk: int = CHUNK,
    ) -> None:
        null = random_splits(clean.shape[-1], int(app.sum()), num_splits, seed)
        divisions = torch.cat([app[None].cpu(), null])  # (1 + S, d), the designed one first
        self.drift = SubspaceDrift(clean, torch.cat([divisions, ~divisions]), normalisation, chunk)
        self.num_splits = num_splits
        self._found: dict[SelectivityGroup, dict[str, list[Tensor]]] = {group: {} for group in GROUPS}

    def add(self, corruption: str, group: SelectivityGroup, corrupted: Tensor) -> None:
        """Add one severity of a corruption.

        Args:
            corruption: name; severities of one corruption are averaged before corruptions are.
            group: ``spatial`` or ``temporal``.
            corrupted: (n, d) features of the same clips.

        Raises:
            ValueError: another group, or other shapes.
        """
        if group not in GROUPS:
            raise ValueError(f"{corruption}: group {group!r} does not enter the index, only spatial and temporal do")
        self._found[group].setdefault(corruption, []).append(self.drift(corrupted).mean(1))

    def result(self) -> Selectivity:
        """Index and p-value over everything added.

        Raises:
            ValueError: a group has no corruption yet.
        """
        empty = [group for group in GROUPS if not self._found[group]]
        if empty:
            raise ValueError(f"no corruption of group {' and '.join(empty)} was added")
        cells: dict[tuple[str, str], Tensor] = {}
        for group in GROUPS:
            means = [torch.stack(severities).mean(0) for severities in self._found[group].values()]
            for subspace, drift in zip(SUBSPACES, torch.stack(means).mean(0).chunk(2), strict=True):
                cells[subspace, group] = drift  # (1 + S,)
        index = selectivity_index(*(cells[subspace, group] for subspace in SUBSPACES for group in GROUPS))
        designed, null = index[0], index[1:]
        # An undefined null counts against the claim, and so does one that is the designed division, up to rounding.
        as_large = int((~(null < designed - 1e-9)).sum())
        p_value = (1 + as_large) / (1 + self.num_splits)
        return Selectivity(
            index=designed.item(),
            p_value=math.nan if designed.isnan() else p_value,
            null=tuple(null.tolist()),
            drift={key: float(value[0]) for key, value in cells.items()},
            null_drift={key: tuple(value[1:].tolist()) for key, value in cells.items()},
            num_clips=len(self.drift.clean),
        )
