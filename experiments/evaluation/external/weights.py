"""Weights of others in our own encoder: ``weights:PATH[:KEY=VALUE,...]``, or the path alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from experiments.evaluation.external.subjects import FRESH_SEED, External
from experiments.named_options import named_options
from experiments.pretrained import is_run, open_pretrained
from vjepa.errors import UserError, unknown_name
from vjepa.interop import Pretrained, load_parts
from vjepa.interop.huggingface import CONFIG
from vjepa.layout import NUM_LEVELS
from vjepa.nn import initial_encoder
from vjepa.pixels import FrozenEncoder

PARTS = ("teacher", "encoder")
_OPTIONS = ("part", "allow")
_SHALLOW = tuple(f"encoder.norms_block.{level}.*" for level in range(NUM_LEVELS - 1))
"""V-JEPA 2 has no norm there, and the last level, which is evaluated, needs none."""


class WeightsEncoder(FrozenEncoder):
    """Our encoder with weights of others, for clips that may not fit it."""

    def forward(self, frames: Tensor) -> Tensor:
        """As ``FrozenEncoder``.

        Raises:
            UserError: the frames do not divide into tubelets and patches.
        """
        try:
            return super().forward(frames)
        except ValueError as error:
            raise UserError(f"{error}; choose others with --benchmark NAME:num_frames=...,size=...") from error


def is_weights(word: str) -> bool:
    """Whether a word is the path of weights, and of no run: a file, or a folder of Hugging Face."""
    path = Path(word)
    return path.is_file() or ((path / CONFIG).is_file() and not is_run(path))


def open_weights(text: str) -> External:
    """An encoder from an official file, a checkpoint of the study, a folder of Hugging Face, or an export of ours.

    Args:
        text: path and options: ``part`` is ``teacher`` (the moving average; the default where there is one) or
            ``encoder``; ``allow`` names keys that may differ, ``+`` between them.

    Raises:
        UserError: an unknown option, a bad file, or keys that differ and are not named.
    """
    name, options = named_options(text, "weights:")
    for key in options:
        if key not in _OPTIONS:
            raise unknown_name("option of weights:", key, _OPTIONS)
    found = open_pretrained(Path(name))
    part, state = _chosen(found, options.get("part"))
    rope, (patch, tubelet), size = found.rope, found.patch_and_tubelet, found.preset

    def untrained() -> WeightsEncoder:
        return WeightsEncoder(initial_encoder(size, patch, tubelet, rope, FRESH_SEED))

    frozen = untrained()
    allow = [*str(options.get("allow", "")).split("+"), *(_SHALLOW if rope == "v2" else ())]
    load_parts(replace(found, parts={"encoder": state}), {"encoder": frozen.encoder}, allow)
    return External(
        f"weights/{Path(name).name}{'' if part == 'teacher' else ':encoder'}",
        f"weights/{size}-{rope}",
        False,
        frozen,
        untrained,
        ["weights", size, patch, tubelet, rope, frozen.image_mode, frozen.image_frames],
    )


def _chosen(found: Pretrained, asked: Any) -> tuple[str, Any]:
    """Part and state dict; where there is one encoder alone, it is what is evaluated of the model."""
    if asked not in (None, *PARTS):
        raise unknown_name("part of weights", str(asked), PARTS)
    if asked == "teacher" and "teacher" not in found.parts:
        raise UserError(f"{found.source} ({found.layout}) holds no moving average beside its encoder: leave part out")
    part = "encoder" if asked == "encoder" else "teacher"
    return part, found.parts.get(part, found.parts["encoder"])
