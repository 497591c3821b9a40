"""Pictures of clips, masks and features: pure drawing, on arrays of uint8 pixels (F frames or none, H_px, W_px, 3)."""

from experiments.pictures.animation import encode_gif, encode_png
from experiments.pictures.features import draw_features, principal_colours
from experiments.pictures.masks import draw_masks
from experiments.pictures.panels import Panel, beside, fitted, sized
from experiments.pictures.summaries import image_summary

__all__ = [
    "Panel",
    "beside",
    "draw_features",
    "draw_masks",
    "encode_gif",
    "encode_png",
    "fitted",
    "image_summary",
    "principal_colours",
    "sized",
]
