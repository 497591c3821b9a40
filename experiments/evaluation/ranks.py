"""The processes that share an evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _alone() -> None:
    """Wait for nobody."""


@dataclass(frozen=True)
class Ranks:
    """This process among those that evaluate together; they share the file system.

    Args:
        rank: of this process, in [0, world).
        world: number of processes.
        barrier: returns when all processes have called it.
    """

    rank: int = 0
    world: int = 1
    barrier: Callable[[], None] = _alone

    @property
    def is_first(self) -> bool:
        """Whether this process does what is done once."""
        return self.rank == 0


ALONE = Ranks()
