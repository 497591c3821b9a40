"""How a step is computed: choices that change its speed and its memory, not what it computes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from vjepa.nn.blocks import Stack


@dataclass(frozen=True)
class ComputeOptions:
    """Trades of memory against time.

    Args:
        activation_checkpointing: keep only what enters a block and compute the rest again in the backward pass.
        compile: compile the blocks of encoder, teacher and predictor and each term of the loss, once for all sizes of
            masks; the first steps take longer. Results agree within the noise of the precision. The compiler of torch
            2.11 fails on the terms ``spectral`` and ``sigreg``, that of 2.15 does not.
    """

    activation_checkpointing: bool = False
    compile: bool = False

    def apply(self, stacks: Iterable[Stack], terms: Iterable[nn.Module]) -> None:
        """Set stacks of blocks and terms of the loss up, in place."""
        compiled = list(terms)
        for stack in stacks:
            stack.checkpointed = self.activation_checkpointing
            compiled += stack
        if self.compile:
            for module in compiled:
                module.compile(dynamic=True)
