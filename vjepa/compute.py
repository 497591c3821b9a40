"""How a step is computed: choices that change its speed and its memory, not what it computes."""

from __future__ import annotations

from dataclasses import dataclass

from vjepa.nn.blocks import Stack


@dataclass(frozen=True)
class ComputeOptions:
    """Trades of memory against time.

    Args:
        activation_checkpointing: keep only what enters a block and compute the rest again in the backward pass.
        compile: compile the blocks of encoder, teacher and predictor, once for all sizes of masks; the first steps
            take longer. Results agree within the noise of the precision.
    """

    activation_checkpointing: bool = False
    compile: bool = False

    def apply(self, *stacks: Stack) -> None:
        """Set stacks of blocks up, in place."""
        for stack in stacks:
            stack.checkpointed = self.activation_checkpointing
            if self.compile:
                for block in stack:
                    block.compile(dynamic=True)
