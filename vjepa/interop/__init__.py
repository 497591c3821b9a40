"""Weights in and out: official V-JEPA 2 and 2.1, the study's checkpoints and Hugging Face, every key accounted for."""

from vjepa.interop.files import read_pretrained
from vjepa.interop.huggingface import huggingface_config, to_huggingface
from vjepa.interop.official import to_official
from vjepa.interop.pretrained import Pretrained, load_parts
from vjepa.interop.strict import Difference, differences

__all__ = [
    "Difference",
    "Pretrained",
    "differences",
    "huggingface_config",
    "load_parts",
    "read_pretrained",
    "to_huggingface",
    "to_official",
]
