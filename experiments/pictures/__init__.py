"""Pictures of clips, masks and features: pure drawing, on arrays of uint8 pixels (F frames or none, H_px, W_px, 3)."""

from experiments.pictures.animation import encode_gif, encode_png
from experiments.pictures.features import draw_features, feature_panels, principal_colours
from experiments.pictures.masks import draw_masks, mask_panels
from experiments.pictures.motion import motion_panels
from experiments.pictures.panels import Panel, beside, fitted, in_rows, sized
from experiments.pictures.strips import over_time
from experiments.pictures.summaries import image_summary

__all__ = [
    "Panel",
    "beside",
    "draw_features",
    "draw_masks",
    "encode_gif",
    "encode_png",
    "feature_panels",
    "fitted",
    "image_summary",
    "in_rows",
    "mask_panels",
    "motion_panels",
    "over_time",
    "principal_colours",
    "sized",
]
