"""What is evaluated of a foreign encoder: its weights, the same architecture untrained, and pixels where no run is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt
from typing import Any, TypeVar

import torch
from torch import nn

from data_modules.base import ClipDataModule
from experiments.evaluation.encoded import encode
from experiments.evaluation.encoders import PixelEncoder
from experiments.evaluation.from_model import weights_digest
from experiments.evaluation.quiet_rng import preserved_rng
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import ALL
from experiments.results import RowStamp
from vjepa.storage import digest_json

NO_SEED = -1
"""In the column ``seed``: weights of which no pretraining seed is known, so that they are paired with no run."""
FRESH_SEED = 0
"""Of untrained weights."""

_WEIGHTS = {"data": "unknown", "regime": "unknown", "seed": NO_SEED, "weights": "pretrained"}
_FRESH = {"data": "none", "regime": "none", "seed": FRESH_SEED, "weights": "init"}


@dataclass(frozen=True)
class External:
    """A foreign encoder.

    Args:
        name: in the column ``variant``, such as ``timm/vit_tiny_patch16_224.augreg_in21k``; a run's has no slash.
        architecture: in that column where no weights were loaded.
        is_untrained: whether none were.
        encoder: frozen; (B, F, H_px, W_px, 3) uint8 -> (B, T, S, E) float32.
        untrained: makes the same encoder with fresh weights.
        facts: all that decides what the encoder returns, beside its weights, as plain data.
    """

    name: str
    architecture: str
    is_untrained: bool
    encoder: nn.Module
    untrained: Callable[[], nn.Module]
    facts: Any


_Module = TypeVar("_Module", bound=nn.Module)


def fresh(make: Callable[[], _Module]) -> _Module:
    """Make a module with the weights that ``FRESH_SEED`` gives; the global random states stay as they are."""
    with preserved_rng():
        torch.manual_seed(FRESH_SEED)
        return make()


def external_subjects(external: External, device: str, controls: bool) -> list[Subject]:
    """The random-init control, if asked for, then the encoder; one without loaded weights is that control itself.

    Args:
        external: to evaluate.
        device: of the encoders.
        controls: judge the same architecture with fresh weights too.
    """
    if external.is_untrained:
        return [_untrained(external, external.encoder.to(device))]
    controls_first = [_untrained(external, external.untrained().to(device))] if controls else []
    return [*controls_first, _subject(external, external.name, external.encoder.to(device), _WEIGHTS)]


def _untrained(external: External, encoder: nn.Module) -> Subject:
    return _subject(external, external.architecture, encoder, _FRESH)


def _subject(external: External, variant: str, encoder: nn.Module, identity: dict[str, Any]) -> Subject:
    digest = digest_json([external.facts, weights_digest(encoder)])
    stamp = RowStamp(variant=variant, reading="none", layout="whole", step=0, config_hash=digest, **identity)
    label = f"random init of {variant}" if identity is _FRESH else variant
    return Subject(label, encoder, stamp, digest, (ALL,))


def pixels_beside(subject: Subject, data: ClipDataModule) -> Subject:
    """Raw pixels in tokens like those of an encoder, as far as the clips of a benchmark divide.

    Args:
        subject: foreign; its tokens are counted on a black clip.
        data: gives the shape of clips.

    Returns:
        Pixels of the same number of time steps, in square patches of which there are not more than tokens.
    """
    frames = torch.zeros(1, data.num_frames, data.size, data.size, 3, dtype=torch.uint8)
    steps, tokens = encode(subject.encoder, frames).tokens.shape[1:3]
    fits = [side for side in range(1, data.size + 1) if data.size % side == 0 and data.size // side <= isqrt(tokens)]
    pixels = PixelEncoder(fits[0], max(1, data.num_frames // steps))
    digest = digest_json(["pixels", pixels.patch, pixels.tubelet])
    stamp = RowStamp("none", "none", "pixels", "none", "whole", 0, 0, "pixels", digest)
    return Subject("pixels", pixels, stamp, digest, (ALL,))
