"""The layout of official V-JEPA 2 and 2.1 files, which the study's checkpoints share.

A dictionary of state dicts: ``encoder``, ``target_encoder`` (or ``ema_encoder``), ``predictor``, and training state.
Keys start with ``module.backbone.`` and go on with our own names; V-JEPA 2 has one ``norm`` after the last block where
2.1 has ``norms_block.0`` to ``.3``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from vjepa.errors import UserError
from vjepa.interop.pretrained import Pretrained, State

PREFIX = "module.backbone."
TEACHERS = ("target_encoder", "ema_encoder")
TRAINING_STATE = (
    *("opt", "scaler", "epoch", "loss", "batch_size", "world_size", "lr"),
    *("hamiltonian_net", "action_head", "dyn_head"),
)
"""Entries that are no weights of encoder or predictor; the last three are heads of the study."""

_WRAPPERS = re.compile(r"^(module\.)?(backbone\.)?")
_LAST = "norms_block.3."


def is_official(loaded: Mapping[str, Any]) -> bool:
    """Whether a file looks like this layout."""
    return any(isinstance(loaded.get(name), Mapping) for name in ("encoder", *TEACHERS))


def from_official(loaded: Mapping[str, Any], source: Path) -> Pretrained:
    """Read the layout.

    Args:
        loaded: what the file holds.
        source: the file.

    Raises:
        UserError: a state dict holds something else than tensors, or two of its keys are one.
    """
    teacher = next((name for name in TEACHERS if name in loaded), None)
    parts = {}
    for part, name in (("encoder", "encoder"), ("teacher", teacher), ("predictor", "predictor")):
        if name is not None and name in loaded:
            parts[part] = _renamed(loaded[name], f"{source}: {name}")
    if "encoder" not in parts:
        parts["encoder"] = parts.pop("teacher")
    known = {"encoder", teacher, "predictor", *TRAINING_STATE}
    surplus = tuple(name for name in loaded if name not in known)
    version = "2.1" if Pretrained(source, "", parts).rope == "v2_1" else "2"
    return Pretrained(source, f"official V-JEPA {version} layout", parts, surplus=surplus)


def to_official(encoder: State, teacher: State | None, predictor: State) -> dict[str, dict[str, Tensor]]:
    """Write the layout.

    Args:
        encoder, predictor: state dicts.
        teacher: of the moving average, where there is one.

    Returns:
        ``encoder``, ``target_encoder`` and ``predictor`` with official keys.
    """
    parts = {"encoder": encoder, "target_encoder": teacher, "predictor": predictor}
    return {name: _official(state) for name, state in parts.items() if state is not None}


def _renamed(state: Any, where: str) -> dict[str, Tensor]:
    if not isinstance(state, Mapping):
        raise UserError(f"{where} is {type(state).__name__}, expected a state dict")
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        ours = _WRAPPERS.sub("", name)
        if ours.startswith("norm."):
            ours = _LAST + ours.removeprefix("norm.")
        if not isinstance(value, Tensor):
            raise UserError(f"{where}.{name} is {type(value).__name__}, expected a tensor")
        if ours in found:
            raise UserError(f"{where} has two keys for {ours}, one of them {name}")
        found[ours] = value
    return found


def _official(state: State) -> dict[str, Tensor]:
    """V-JEPA 2 calls its only norm ``norm``; the shallower ones of a ``v2`` run keep our names beside it."""
    is_v2_encoder = "blocks.0.norm1.weight" in state and "video_mod_embed" not in state
    return {
        PREFIX + (name.replace(_LAST, "norm.") if is_v2_encoder else name): value.detach().cpu().clone()
        for name, value in state.items()
    }
