"""Values of a step on their way to the logger: gathered where they are, read back from the device in one copy.

A value that is read waits for all that a GPU was given before; what Lightning's progress bar shows of a value on the
device it even reads again at every step. Values on the host cost neither.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class ReadBack:
    """Gathers values by name until they are taken."""

    def __init__(self) -> None:
        self._waiting: dict[str, Tensor] = {}

    def add(self, values: Mapping[str, Tensor | float]) -> None:
        """Note values of any shape; a name that was noted before gets the new one."""
        self._waiting |= {
            name: value.detach() if isinstance(value, Tensor) else torch.tensor(float(value))
            for name, value in values.items()
        }

    def take(self) -> dict[str, Tensor]:
        """All of them as float32 on the CPU, in the order of their first note; nothing waits any more."""
        waiting, self._waiting = self._waiting, {}
        away = {name: _whole(value) for name, value in waiting.items() if value.device.type != "cpu"}
        if away:
            flat = torch.cat([value.float().flatten() for value in away.values()]).cpu()
            pieces = flat.split([value.numel() for value in away.values()])
            waiting |= {name: piece.view(away[name].shape) for name, piece in zip(away, pieces, strict=True)}
        return {name: _whole(value).float() for name, value in waiting.items()}


def _whole(value: Tensor) -> Tensor:
    """What a tensor that is divided over processes (FSDP2) holds in all."""
    gather = getattr(value, "full_tensor", None)  # its class takes a while to import
    whole: Tensor = value if gather is None else gather()
    return whole
