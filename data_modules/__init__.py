"""Video benchmarks as LightningDataModules that yield ``vjepa.latents.Clip``; names load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_modules.base import ClipDataModule
    from data_modules.clips import ClipDataset, Task
    from data_modules.decode import BrokenVideo, decode_video
    from data_modules.glyphs.datamodule import GlyphsDataModule
    from data_modules.order import ShardSampler, StepSampler

__all__ = [
    "BrokenVideo",
    "ClipDataModule",
    "ClipDataset",
    "GlyphsDataModule",
    "ShardSampler",
    "StepSampler",
    "Task",
    "decode_video",
]

_HOME = {
    "BrokenVideo": "data_modules.decode",
    "ClipDataModule": "data_modules.base",
    "ClipDataset": "data_modules.clips",
    "GlyphsDataModule": "data_modules.glyphs.datamodule",
    "ShardSampler": "data_modules.order",
    "StepSampler": "data_modules.order",
    "Task": "data_modules.clips",
    "decode_video": "data_modules.decode",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
