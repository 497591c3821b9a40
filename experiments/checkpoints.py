"""What can be asked of a checkpoint without making its model."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from experiments.runs import Run
from vjepa.errors import UserError
from vjepa.interop import differences

_SHOWN = 5


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


def newest_whole(run: Run) -> Path | None:
    """The checkpoint to continue from: the newest, or the one before where the newest is torn.

    A torn one is set aside as ``torn.ckpt``, and said.

    Returns:
        None where there is none.

    Raises:
        UserError: there are checkpoints, and none is whole.
    """
    if not run.last_checkpoint.exists():
        return run.previous_checkpoint if run.previous_checkpoint.exists() else None
    try:
        read_step(run.last_checkpoint)
        return run.last_checkpoint
    except UserError as torn:
        if not run.previous_checkpoint.exists():
            raise
        step = read_step(run.previous_checkpoint)
        print(f"{torn}\nthe one before it is whole: going on from step {step}", file=sys.stderr)
        run.last_checkpoint.replace(run.checkpoints / "torn.ckpt")
        return run.previous_checkpoint


def check_fits(path: Path, model: nn.Module) -> None:
    """Refuse a checkpoint whose weights are not those of this model, before anything starts.

    Args:
        path: a whole checkpoint of a run; see ``read_step``.
        model: the model that would load it, strictly.

    Raises:
        UserError: a tensor is missing, unknown or of another shape; the first ones are named.
    """
    check_state(path, torch.load(path, weights_only=True, mmap=True, map_location="cpu")["state_dict"], model)


def check_state(path: Path, state: Mapping[str, Tensor], model: nn.Module) -> None:
    """Refuse weights that are not those of this model; arguments and errors as ``check_fits``."""
    if wrong := [str(one) for one in differences(state, model)]:
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise UserError(
            f"{path} is of another architecture: {'; '.join(wrong[:_SHOWN])}{more}. Give the configuration that it was "
            "trained with (config.yaml of its run)"
        )
