"""Encoder, predictor and attentive pooling: modules only, usable without Lightning."""

from vjepa.nn.encoder import Encoder, initial_encoder
from vjepa.nn.predictor import Predictor, PredictorOptions
from vjepa.nn.presets import PRESETS, Preset, preset
from vjepa.nn.rope import Rope

__all__ = ["PRESETS", "Encoder", "Predictor", "PredictorOptions", "Preset", "Rope", "initial_encoder", "preset"]
