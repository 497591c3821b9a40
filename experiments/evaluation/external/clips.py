"""V-JEPA 2 models of Hugging Face transformers, from a folder: ``hf:FOLDER``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from experiments.evaluation.external.preparation import Preparation, in_pieces
from experiments.evaluation.external.subjects import External, fresh
from vjepa.errors import UserError
from vjepa.pixels import MEAN, STD
from vjepa.storage import read_record

_PREPROCESSORS = ("video_preprocessor_config.json", "preprocessor_config.json")
_VOLATILE = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version")
"""Of a configuration: what changes no number."""


class ClipEncoder(nn.Module):
    """The encoder of a ``VJEPA2Model``, without its predictor.

    Frames are resized to the model's crop size, since it knows positions on that grid only. A clip of one frame shows
    it for a whole tubelet.

    Args:
        model: of transformers.
        preparation: of its frames.
    """

    def __init__(self, model: Any, preparation: Preparation) -> None:
        super().__init__()
        # Unused weights would count in memory and in the identity of the encoder.
        model.predictor = nn.Identity()
        self.model, self.preparation = model, preparation
        self.tubelet: int = model.config.tubelet_size
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def forward(self, frames: Tensor) -> Tensor:
        """(B, F, H_px, W_px, 3) uint8 -> (B, F / tubelet, S, E) float32.

        Raises:
            UserError: the frames do not divide into tubelets.
        """
        if frames.shape[1] == 1:
            frames = frames.expand(-1, self.tubelet, -1, -1, -1)
        if frames.shape[1] % self.tubelet:
            raise UserError(
                f"clips of {frames.shape[1]} frames do not divide into tubelets of {self.tubelet}, as this VJEPA2Model "
                "reads them; choose another number with --benchmark NAME:num_frames=..."
            )
        return in_pieces(self._tokens, frames).unflatten(1, (frames.shape[1] // self.tubelet, -1))

    def _tokens(self, clips: Tensor) -> Tensor:
        pixels = self.preparation(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])  # (b, F, 3, h, w)
        tokens: Tensor = self.model(pixel_values_videos=pixels, skip_predictor=True).last_hidden_state
        return tokens.float()


def open_clip_encoder(folder_name: str) -> External:
    """A ``VJEPA2Model`` from the folder that ``save_pretrained`` wrote or that was downloaded.

    Args:
        folder_name: of ``config.json`` and weights as safetensors; also of a ``VJEPA2ForVideoClassification``, of
            which the encoder is taken. Mean and standard deviation are those of its preprocessor, else ImageNet's.

    Raises:
        UserError: transformers is not installed, or the folder holds no whole model of this kind.
    """
    folder = Path(folder_name)
    config = read_record(folder / "config.json")
    if config is None:
        raise UserError(
            f"hf:{folder}: no config.json there; expected the folder of a VJEPA2Model, as save_pretrained or hf "
            "download REPOSITORY --local-dir FOLDER write it"
        )
    if config.get("model_type") != "vjepa2":
        raise UserError(f"hf:{folder}: model_type is {config.get('model_type')!r}; expected 'vjepa2'")
    try:
        import transformers
        from transformers import VJEPA2Model
    except ImportError as error:
        raise UserError(
            f"hf:{folder}: transformers with VJEPA2Model is not installed ({error}); pip install 'vjepa-ablation[hf]'"
        ) from error
    model = _loaded(VJEPA2Model, folder)
    preparation = _preparation(folder, model.config.crop_size)
    facts = {key: value for key, value in model.config.to_dict().items() if key not in _VOLATILE}
    name = f"hf/{folder.resolve().name}"
    return External(
        name,
        name,
        False,
        ClipEncoder(model, preparation),
        lambda: ClipEncoder(fresh(lambda: VJEPA2Model(model.config)), preparation),
        ["hf", transformers.__version__, json.loads(json.dumps(facts, default=str)), preparation.facts],
    )


def _loaded(kind: Any, folder: Path) -> Any:
    """The model in 32 bits, every weight of its encoder from the folder."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        model, said = kind.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, RuntimeError, ValueError, TypeError, SafetensorError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"hf:{folder} holds no whole VJEPA2Model as safetensors ({reason}); download it again"
        ) from error
    finally:
        logging.set_verbosity(verbosity)
    # transformers fills what is missing with fresh weights, which nobody would see in the numbers.
    if missing := sorted(key for key in said["missing_keys"] if key.startswith("encoder.")):
        raise UserError(f"hf:{folder}: {len(missing)} weights of the encoder are missing, such as {missing[0]}")
    return model


def _preparation(folder: Path, size: int) -> Preparation:
    found: Mapping[str, Any] = next((said for name in _PREPROCESSORS if (said := read_record(folder / name))), {})
    return Preparation((size, size), found.get("image_mean", MEAN), found.get("image_std", STD), "bilinear")
