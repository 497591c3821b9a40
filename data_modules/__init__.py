"""Video benchmarks as LightningDataModules that yield ``vjepa.latents.Clip``; names load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_modules.annotations.lists import ListSource
    from data_modules.base import ClipDataModule
    from data_modules.clips.datasets import ClipDataset, Task
    from data_modules.clips.sampling import FrameSampling
    from data_modules.clips.videos import VideoDataset, VideoFile
    from data_modules.decode.frames import BrokenVideo, decode_video
    from data_modules.diving48 import Diving48DataModule
    from data_modules.glyphs.datamodule import GlyphsDataModule
    from data_modules.imagenet100 import ImageNet100DataModule
    from data_modules.kathabench.datamodule import KathaBenchDataModule
    from data_modules.mixed import MixedDataModule, MixturePart
    from data_modules.mixing.order import ShardSampler, StepSampler, WeightedStepSampler
    from data_modules.ssv2 import SSv2DataModule
    from data_modules.synth.datamodule import SynthDataModule
    from data_modules.ucf101 import UCF101DataModule
    from data_modules.video_list import VideoListDataModule

__all__ = [
    "BrokenVideo",
    "ClipDataModule",
    "ClipDataset",
    "Diving48DataModule",
    "FrameSampling",
    "GlyphsDataModule",
    "ImageNet100DataModule",
    "KathaBenchDataModule",
    "ListSource",
    "MixedDataModule",
    "MixturePart",
    "SSv2DataModule",
    "ShardSampler",
    "StepSampler",
    "SynthDataModule",
    "Task",
    "UCF101DataModule",
    "VideoDataset",
    "VideoFile",
    "VideoListDataModule",
    "WeightedStepSampler",
    "decode_video",
]

_HOME = {
    "BrokenVideo": "data_modules.decode.frames",
    "ClipDataModule": "data_modules.base",
    "ClipDataset": "data_modules.clips.datasets",
    "Diving48DataModule": "data_modules.diving48",
    "FrameSampling": "data_modules.clips.sampling",
    "GlyphsDataModule": "data_modules.glyphs.datamodule",
    "ImageNet100DataModule": "data_modules.imagenet100",
    "KathaBenchDataModule": "data_modules.kathabench.datamodule",
    "ListSource": "data_modules.annotations.lists",
    "MixedDataModule": "data_modules.mixed",
    "MixturePart": "data_modules.mixed",
    "SSv2DataModule": "data_modules.ssv2",
    "ShardSampler": "data_modules.mixing.order",
    "StepSampler": "data_modules.mixing.order",
    "SynthDataModule": "data_modules.synth.datamodule",
    "Task": "data_modules.clips.datasets",
    "UCF101DataModule": "data_modules.ucf101",
    "VideoDataset": "data_modules.clips.videos",
    "VideoFile": "data_modules.clips.videos",
    "VideoListDataModule": "data_modules.video_list",
    "WeightedStepSampler": "data_modules.mixing.order",
    "decode_video": "data_modules.decode.frames",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
