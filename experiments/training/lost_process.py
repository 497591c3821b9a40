"""What a training of several processes says when one of them fails."""

from __future__ import annotations

import re
import sys
import traceback

from lightning.pytorch import Trainer

_PEER_GONE = re.compile(r"connection (reset|closed|refused)|remote (process|worker)|broken pipe", re.IGNORECASE)
"""How gloo and NCCL say that another process does not answer any more."""


class ProcessLostError(RuntimeError):
    """Another process of a training has ended."""


def tell_rank(error: RuntimeError, trainer: Trainer) -> None:
    """Say which of several processes failed, and where; or that it stops because another one is gone.

    Raises:
        ProcessLostError: this process only noticed that another has ended.
    """
    if trainer.world_size < 2:
        return
    rank = trainer.global_rank
    if _PEER_GONE.search(str(error)):
        raise ProcessLostError(
            f"rank {rank} stops because another process of this training has ended; its own message says why. The "
            "same command continues from the last checkpoint"
        ) from error
    print(f"rank {rank} failed:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
