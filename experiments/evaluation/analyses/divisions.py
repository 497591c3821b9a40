"""Divisions of a subject's channels into z_app and z_dyn, designed or drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.evaluation.views import View

APP, DYN = ".app", ".dyn"
_RANDOM = "random"


@dataclass(frozen=True)
class Division:
    """Both halves of a representation.

    Args:
        name: of the division; ``<name>.app`` and ``<name>.dyn`` are its halves.
        app, dyn: their channels.
    """

    name: str
    app: View
    dyn: View

    @property
    def halves(self) -> tuple[View, View]:
        """z_app, z_dyn."""
        return self.app, self.dyn

    @property
    def is_random(self) -> bool:
        """Whether it is a control drawn at random."""
        return self.name.startswith(_RANDOM)


def divisions_of(views: Sequence[View]) -> tuple[Division, ...]:
    """Every division of which a subject has both halves, in the order of its views."""
    named = {view.name: view for view in views}
    names = [name.removesuffix(APP) for name in named if name.endswith(APP)]
    return tuple(Division(name, named[name + APP], named[name + DYN]) for name in names if name + DYN in named)


def channels_of(view: View, total: int) -> Tensor:
    """Which of ``total`` channels a view reads, (total,) bool on the CPU."""
    chosen = torch.arange(total)[view.channels]
    return torch.zeros(total, dtype=torch.bool).index_fill_(0, chosen, True)
