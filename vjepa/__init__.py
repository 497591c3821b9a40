"""Factorized and non-factorized Video-JEPA, and every auxiliary objective of arXiv 2605.17165.

``VideoJEPA`` and ``FactorizedVideoJEPA`` are loaded when they are asked for, so that ``vjepa.nn`` and
``vjepa.objectives`` work where Lightning is absent.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vjepa import objectives
    from vjepa.module import FactorizedVideoJEPA, VideoJEPA

__version__ = "0.1.0"
__all__ = ["FactorizedVideoJEPA", "VideoJEPA", "objectives"]


def __getattr__(name: str) -> Any:
    if name in ("VideoJEPA", "FactorizedVideoJEPA"):
        return getattr(import_module("vjepa.module"), name)
    if name == "objectives":
        return import_module("vjepa.objectives")
    raise AttributeError(f"module 'vjepa' has no attribute {name!r}")
