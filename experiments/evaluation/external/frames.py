"""Image models of timm, applied to each frame: ``timm:NAME[:KEY=VALUE,...]``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import timm
import torch
from timm.data import resolve_model_data_config
from timm.models import load_checkpoint
from torch import Tensor, nn

from experiments.evaluation.external.preparation import Preparation, in_pieces
from experiments.evaluation.external.subjects import External, fresh
from experiments.messages import first_line
from experiments.named_options import named_options
from vjepa.errors import UserError, did_you_mean, unknown_name

_OPTIONS = {"pretrained": bool, "checkpoint": str, "img_size": int}
_BEHIND_TOKENS = ("head", "fc_norm", "attn_pool")
"""Modules that only read tokens; a file may hold them or not."""


class FrameEncoder(nn.Module):
    """The last feature map of an image model, frame by frame: each frame is a time step.

    The model's final norm is applied; class and register tokens are left out.

    Args:
        model: of timm.
        preparation: of its images.
    """

    def __init__(self, model: nn.Module, preparation: Preparation) -> None:
        super().__init__()
        self.model, self.preparation = model, preparation
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def forward(self, frames: Tensor) -> Tensor:
        """(B, F, H_px, W_px, 3) uint8 -> (B, F, S, E) float32."""
        return in_pieces(self._tokens, frames.flatten(0, 1)).unflatten(0, frames.shape[:2])

    def _tokens(self, images: Tensor) -> Tensor:
        (last,) = self.model.forward_intermediates(  # type: ignore[operator]
            self.preparation(images), indices=1, norm=True, output_fmt="NCHW", intermediates_only=True
        )
        return last.float().flatten(2).transpose(1, 2)  # (N, E, h, w) -> (N, S, E)


def open_frame_encoder(text: str) -> External:
    """An image model by its name in timm.

    Args:
        text: ``NAME[:KEY=VALUE,...]``. ``pretrained=true`` loads timm's weights and ``checkpoint=FILE`` those of a
            file; with neither the model stays untrained. ``img_size=PIXELS`` makes it for images of another size.

    Raises:
        UserError: no such model, option, weights or file, or the model returns no feature map.
    """
    name, options = named_options(text, "timm")
    _check(name, options)
    size: dict[str, Any] = {key: value for key, value in options.items() if key == "img_size"}

    def make(pretrained: bool = False) -> FrameEncoder:
        try:
            model = timm.create_model(name, pretrained=pretrained, num_classes=0, **size)
        except (AssertionError, TypeError) as error:
            raise UserError(
                f"timm:{text}: {first_line(error)}; leave img_size out, frames are resized to what the model takes"
            ) from error
        except (OSError, RuntimeError, ValueError) as error:
            cure = "; without a network give checkpoint=FILE, or neither for an untrained model" * pretrained
            raise UserError(f"timm:{text}: the model cannot be made ({first_line(error)}){cure}") from error
        config = resolve_model_data_config(model, args=size)
        kind = "bilinear" if config["interpolation"] == "bilinear" else "bicubic"
        return FrameEncoder(model, Preparation(config["input_size"][1:], config["mean"], config["std"], kind))

    is_untrained = not (options.get("pretrained") or "checkpoint" in options)
    encoder = fresh(lambda: make(bool(options.get("pretrained"))))
    config: Any = encoder.model.pretrained_cfg
    title = architecture = f"timm/{config['architecture']}"
    if "checkpoint" in options:
        path = Path(options["checkpoint"])
        _load(encoder.model, path, name)
        title += f"/{path.stem}"
    elif options.get("pretrained") and config["tag"]:
        title += f".{config['tag']}"
    _check_map(encoder, text)
    facts = ["timm", timm.__version__, architecture, encoder.preparation.facts]
    return External(title, architecture, is_untrained, encoder, lambda: fresh(make), facts)


def _check(name: str, options: Mapping[str, Any]) -> None:
    if not timm.is_model(name):
        known = timm.list_models()
        raise UserError(f"timm has no model {name!r}{did_you_mean(name, known)}; timm.list_models() names all")
    for key, value in options.items():
        if key not in _OPTIONS:
            raise unknown_name("option of timm:", key, _OPTIONS)
        if type(value) is not _OPTIONS[key]:
            raise UserError(f"timm:{name}: {key} is {value!r}; expected {_OPTIONS[key].__name__}")
    if options.get("img_size", 1) < 1:
        raise UserError(f"timm:{name}: img_size is {options['img_size']}; expected 1 or more pixels")
    if options.get("pretrained") and "checkpoint" in options:
        raise UserError(f"timm:{name}: give pretrained or checkpoint, not both")


def _load(model: Any, path: Path, name: str) -> None:
    """Load a file strictly, but for what only reads tokens; no code in it is run."""
    # What timm itself passes its own weights through; it fits position embeddings to the size of images.
    convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if not path.is_file():
        raise UserError(f"timm:{name}: there is no checkpoint {path}")
    try:
        keys = load_checkpoint(model, str(path), strict=False, filter_fn=convert, weights_only=True)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, UnpicklingError) as error:
        reason = first_line(error).partition(". ")[0]
        raise UserError(f"timm:{name}: {path} holds no weights of this model ({reason})") from error
    classifier = model.pretrained_cfg.get("classifier") or ()
    behind = (*_BEHIND_TOKENS, *((classifier,) if isinstance(classifier, str) else classifier))
    for kind, names in (("lacks", keys.missing_keys), ("has the unknown", keys.unexpected_keys)):
        if wrong := [key for key in names if not key.startswith(behind)]:
            raise UserError(
                f"timm:{name}: {path} is of another model, it {kind} {wrong[0]} ({len(wrong)} such weights)"
            )


def _check_map(encoder: FrameEncoder, text: str) -> None:
    height, width = encoder.preparation.size
    try:
        encoder(torch.zeros(1, 1, height, width, 3, dtype=torch.uint8))
    except (AssertionError, AttributeError, NotImplementedError, TypeError, ValueError) as error:
        raise UserError(
            f"timm:{text}: the model returns no feature map ({first_line(error)}); choose another"
        ) from error
