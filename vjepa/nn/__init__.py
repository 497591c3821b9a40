"""Encoder, predictor and attentive pooling: modules only, usable without Lightning."""

from vjepa.nn.encoder import Encoder
from vjepa.nn.predictor import Predictor
from vjepa.nn.presets import PRESETS, Preset, preset

__all__ = ["PRESETS", "Encoder", "Predictor", "Preset", "preset"]
