"""What a corruption is, how its random draws are keyed, and how its lengths scale."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

VERSION = "rob-v1"
SEVERITIES = (1, 2, 3, 4, 5)
REFERENCE_SIDE = 224
REFERENCE_FRAMES = 16

Group = Literal["spatial", "temporal", "codec", "order"]
Stage = Literal["native", "source", "sampled", "model"]
STAGES: tuple[Stage, ...] = ("native", "source", "sampled", "model")
Shape = tuple[int, int, int]
Draw = Callable[[np.random.Generator, Shape], tuple[np.ndarray, ...]]

_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True)
class Corruption(ABC):
    """One way to damage a clip at up to five strengths.

    Args:
        name: unique name.
        group: ``spatial``, ``temporal`` and ``codec`` keep the label; ``order`` may change it and is kept out
            of averages.
        stage: where in a pipeline it belongs, one of ``STAGES`` in their order: on decoded frames at ``native``
            resolution, on all ``source`` frames, on the ``sampled`` ones, or on pixels at the resolution of the
            ``model``.
        parameter: what a level is, in words; what is in ``px`` is for a side of 224 and what is in ``frames`` for
            clips of 16, and scales.
        levels: the parameter of each severity (a number or a tuple), weakest first.
        apply: the function that does it, whose docstring defines it.
    """

    name: str
    group: Group
    stage: Stage
    parameter: str
    levels: tuple[Any, ...]
    apply: Callable[..., Any]

    @property
    def is_random(self) -> bool:
        """Whether it depends on the data set and the video, beside the frames."""
        return False

    @abstractmethod
    def run(self, frames: Tensor, severity: int, generators: Sequence[np.random.Generator], clip_frames: int) -> Tensor:
        """Damage (B, F, H_px, W_px, 3) uint8 clips, each by its own generator; returns new clips there.

        ``clip_frames`` is F, or for a whole video the frames of the clip that is then sampled from it.
        """


@dataclass(frozen=True)
class BatchCorruption(Corruption):
    """A corruption whose arithmetic runs batched on the device of the clips.

    ``apply`` is ``(frames, level, *draws) -> frames``; it sees (B, F, H_px, W_px, 3) uint8 and stacked draws.

    Args:
        draw: ``(generator, (F, H_px, W_px)) -> arrays`` of one clip, the same at every severity, so that
            severities are nested; None where nothing is random.
    """

    draw: Draw | None = None

    @property
    def is_random(self) -> bool:
        return self.draw is not None

    def run(self, frames: Tensor, severity: int, generators: Sequence[np.random.Generator], clip_frames: int) -> Tensor:
        draws: list[Tensor] = []
        if self.draw is not None:
            draw, shape = self.draw, (frames.shape[1], frames.shape[2], frames.shape[3])
            drawn = _in_threads(lambda generator: draw(generator, shape), generators)
            draws = [torch.from_numpy(np.stack(arrays)).to(frames.device) for arrays in zip(*drawn, strict=True)]
        return self.apply(frames, self.levels[severity - 1], *draws)


@dataclass(frozen=True)
class SourceCorruption(Corruption):
    """A corruption that shows, in place of a frame, the average of some frames of its video; draws nothing.

    ``apply`` is ``(numbers, level, clip_frames) -> wanted``: from frame numbers in the video, (F,) int64, to those of
    the frames that are averaged for each, (F, K) int64. Its windows go by the clip, however long the video is. For a
    number beyond an end of the video its first or its last frame stands in.
    """

    def wanted(self, numbers: NDArray[np.int64], severity: int, clip_frames: int) -> NDArray[np.int64]:
        """Numbers (F, K) of the frames whose averages are shown in place of frames (F,) of the video."""
        found: NDArray[np.int64] = self.apply(numbers, self.levels[severity - 1], clip_frames)
        return found

    def run(self, frames: Tensor, severity: int, generators: Sequence[np.random.Generator], clip_frames: int) -> Tensor:
        last = frames.shape[1] - 1
        return average_frames(frames, self.wanted(np.arange(last + 1), severity, clip_frames).clip(0, last))


def average_frames(frames: Tensor, places: NDArray[np.int64]) -> Tensor:
    """Average frames, halves to even: (B, N, H, W, 3) uint8 and places (F, K) in [0, N) -> (B, F, H, W, 3) uint8."""
    chosen = torch.from_numpy(places).to(frames.device)
    total = frames[:, chosen[:, 0]]
    if chosen.shape[1] == 1:
        return total
    # Whole numbers: exact in any order.
    total = total.int()
    for place in chosen[:, 1:].unbind(1):
        total += frames[:, place]
    return (total.float() / chosen.shape[1]).round_().to(torch.uint8)


@dataclass(frozen=True)
class ClipCorruption(Corruption):
    """A corruption by an encoder that takes one clip at a time, on the CPU.

    ``apply`` is ``(clip, level, generator) -> clip``, both (F, H_px, W_px, 3) uint8 in numpy.

    Args:
        draws: whether it uses the generator.
    """

    draws: bool = False

    @property
    def is_random(self) -> bool:
        return self.draws

    def run(self, frames: Tensor, severity: int, generators: Sequence[np.random.Generator], clip_frames: int) -> Tensor:
        level, function = self.levels[severity - 1], self.apply
        pairs = zip(frames.cpu().numpy(), generators, strict=True)
        damaged = _in_threads(lambda pair: function(pair[0], level, pair[1]), pairs)
        return torch.from_numpy(np.stack(damaged)).to(frames.device)


def _in_threads(function: Callable[[_In], _Out], items: Iterable[_In]) -> list[_Out]:
    """Map in order; encoders and numpy's generators work outside the interpreter lock."""
    work = list(items)
    if len(work) == 1:
        return [function(work[0])]
    with ThreadPoolExecutor(max_workers=torch.get_num_threads()) as pool:
        return list(pool.map(function, work))


def keyed_generator(dataset: str, video_id: str, corruption: str, severity: int | None = None) -> np.random.Generator:
    """Return the generator of one (data set, video, corruption), the same in any process, batch and worker.

    The severity is not part of the key: one field of draws serves all severities of a video, which are therefore
    nested. With ``severity`` it is, and each has draws of its own.
    """
    text = f"{VERSION}|{dataset}|{video_id}|{corruption}"
    if severity is not None:
        text += f"|{severity}"
    key = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    return np.random.Generator(np.random.Philox(key=key))


def side_scale(frames: Tensor) -> float:
    """Shorter side of (..., H_px, W_px, 3) over 224: what lengths in pixels are multiplied by."""
    return min(frames.shape[-3], frames.shape[-2]) / REFERENCE_SIDE


def scaled_frames(count: float, num_frames: int, least: int) -> int:
    """Scale a length in frames of a 16-frame clip to ``num_frames``, rounding halves up, at least ``least``."""
    return max(least, int(count * num_frames / REFERENCE_FRAMES + 0.5))
