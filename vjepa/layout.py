"""How the latent is divided into appearance (z_app) and dynamics (z_dyn): the layout slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from vjepa.errors import UserError

NUM_LEVELS = 4
"""Normed encoder outputs that training concatenates along channels, shallow first."""

LayoutKind = Literal["whole", "by_level", "within_level"]


@dataclass(frozen=True)
class Layout:
    """Division of D = L*E latent channels.

    Args:
        kind: ``whole`` is not divided. ``by_level`` gives z_app the first int(D * app_ratio) channels of the
            concatenation, which for 0.5 are the two shallow levels: a split by network depth, as released.
            ``within_level`` gives z_app the first int(E * app_ratio) channels of each level, as described.
        width: E, the encoder width.
        app_ratio: share of channels in z_app, in (0, 1).

    Raises:
        UserError: the ratio leaves a subspace empty.
    """

    kind: LayoutKind = "whole"
    width: int = 768
    app_ratio: float = 0.5

    def __post_init__(self) -> None:
        if self.kind == "whole":
            return
        total = self.width * (NUM_LEVELS if self.kind == "by_level" else 1)
        if not 1 <= int(total * self.app_ratio) < total:
            raise UserError(
                f"app_ratio {self.app_ratio} with layout {self.kind} leaves a subspace of {total} channels empty: "
                "expected a ratio in (0, 1) that gives each subspace at least one channel"
            )

    @property
    def is_factorized(self) -> bool:
        """Whether there are two subspaces."""
        return self.kind != "whole"

    @property
    def app_width(self) -> int:
        """Channels of z_app in the concatenated levels."""
        if self.kind == "within_level":
            return NUM_LEVELS * int(self.width * self.app_ratio)
        return int(NUM_LEVELS * self.width * self.app_ratio)

    @property
    def dyn_width(self) -> int:
        """Channels of z_dyn in the concatenated levels."""
        return NUM_LEVELS * self.width - self.app_width

    def split(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Divide concatenated levels.

        Args:
            levels: (..., D).

        Returns:
            z_app (..., app_width) and z_dyn (..., dyn_width).

        Raises:
            ValueError: the layout is whole.
        """
        if self.kind == "whole":
            raise ValueError("layout whole has no z_app and z_dyn; choose layout factorized")
        if self.kind == "by_level":
            return levels[..., : self.app_width], levels[..., self.app_width :]
        each = levels.unflatten(-1, (NUM_LEVELS, self.width))
        app = int(self.width * self.app_ratio)
        return each[..., :app].flatten(-2), each[..., app:].flatten(-2)

    def split_last(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Divide the last level (..., E), which is what evaluation sees.

        With ``by_level`` the last level lies where the concatenation puts it: for ratios up to 0.75 all of it is
        z_dyn and z_app is empty, so an evaluation of the last level never reads the appearance half.
        """
        if self.kind == "whole":
            raise ValueError("layout whole has no z_app and z_dyn; choose layout factorized")
        app = int(self.width * self.app_ratio)
        if self.kind == "by_level":
            app = max(0, self.app_width - (NUM_LEVELS - 1) * self.width)
        return tokens[..., :app], tokens[..., app:]
