"""From a model to what is evaluated of it: its weights under test, and the controls that learned nothing."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from experiments.evaluation.encoders import PixelEncoder
from experiments.evaluation.subjects import Subject, Surprise
from experiments.evaluation.views import ALL, level_views
from experiments.results import RANDOM_INIT, RowStamp
from vjepa.grid import gather_tokens
from vjepa.layout import NUM_LEVELS
from vjepa.metrics import predictor_surprise
from vjepa.module import VideoJEPA
from vjepa.objectives import normalize_levels
from vjepa.storage import digest, digest_json
from vjepa.targets import Weights

NUM_RANDOM = 3
"""Random divisions whose halves can be probed."""


def model_subject(model: VideoJEPA, stamp: RowStamp, label: str, weights: Weights | None = None) -> Subject:
    """The encoder of a model, all levels of it.

    Args:
        model: trained, in evaluation mode.
        stamp: identity; its ``weights`` are set here.
        label: in messages and figures.
        weights: ``teacher``, ``online`` or ``init``; None: those that the run's reading evaluates.

    Raises:
        UserError: the model has no such weights.
    """
    chosen = weights or model.evaluated_weights
    encoder = model.frozen(chosen, all_levels=True)
    views = level_views(encoder.encoder.preset.width, model.layout.app_ratio, NUM_RANDOM)
    options = [model.image_mode, model.image_frames, encoder.encoder.patch, encoder.encoder.tubelet]
    return Subject(
        label,
        encoder,
        replace(stamp, weights=chosen),
        digest_json([weights_digest(encoder), options]),
        views,
        None if chosen == "init" else _surprise_of(model, chosen),
    )


def init_control(model: VideoJEPA, stamp: RowStamp) -> Subject:
    """The same encoder before training, as the control of every variant of its seed."""
    control = replace(stamp, variant=RANDOM_INIT, reading="none", layout="whole", step=0, weights="init")
    return replace(model_subject(model, control, "random init", "init"), surprise=None)


def pixel_control(model: VideoJEPA, stamp: RowStamp) -> Subject:
    """Raw pixels, cut as the model cuts them."""
    pixels = PixelEncoder(model.encoder.patch, model.encoder.tubelet)
    identity = replace(stamp, step=0, weights="pixels")
    return Subject("pixels", pixels, identity, digest_json(["pixels", pixels.patch, pixels.tubelet]), (ALL,))


def weights_digest(module: nn.Module) -> str:
    """Digest of all weights, in the order of their names."""
    parts = [
        f"{name} {digest(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())}"
        for name, value in sorted(module.state_dict().items())
    ]
    return digest_json(parts)


def _surprise_of(model: VideoJEPA, weights: Weights) -> Surprise:
    """Error of the predictor; tokens that the targets' own network has made are not made again."""
    knows_targets = weights == ("online" if model.target.teacher is None else "teacher")

    @torch.inference_mode()
    def surprise(frames: Tensor, tokens: Tensor, number: int) -> Tensor:
        pixels = model.pixels(frames.to(model.device))
        grid = model.encoder.grid(pixels)
        masks = model.masks(grid, len(pixels), step=number, pixels=pixels, held_out=True)
        levels = tokens.to(model.device).flatten(1, 2)
        targets = normalize_levels(levels, NUM_LEVELS) if knows_targets else model.target(model.encoder, pixels)
        _, predicted, _ = model.predict(pixels, masks)
        wanted = [gather_tokens(targets, hidden) for hidden in masks.target]
        return predictor_surprise(predicted, wanted, model.loss_exponent).float().cpu()

    return surprise
