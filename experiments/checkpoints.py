"""What can be asked of a checkpoint without making its model."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError

import torch

from vjepa.errors import UserError


def read_step(path: Path) -> int:
    """Optimizer steps behind the weights of a checkpoint; the weights themselves are not read.

    Args:
        path: of the file.

    Raises:
        UserError: there is no such file, or it is no whole checkpoint of a run.
    """
    try:
        return int(torch.load(path, weights_only=True, mmap=True, map_location="cpu")["global_step"])
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such checkpoint; repeat the vjepa fit command of the run") from error
    except (OSError, RuntimeError, EOFError, UnpicklingError, KeyError, TypeError, ValueError) as error:
        reason = (str(error).splitlines() or ["nothing in it"])[0]
        raise UserError(
            f"{path} is no checkpoint of a run, or is torn ({type(error).__name__}: {reason}); remove it and repeat "
            "the vjepa fit command of the run"
        ) from error
