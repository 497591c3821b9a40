"""Cells whose micro-batch must be as long as a clip: motion maps that divide by the maximum of another sample."""

from __future__ import annotations

from typing import Any

from experiments.overlays import look_up
from vjepa.errors import UserError
from vjepa.reading import resolve


def fit_micro_batch(settings: dict[str, Any], label: str) -> str:
    """Cut the batch of a cell into micro-batches of T clips where its motion maps need that, T being time steps.

    Accumulation keeps the global batch.

    Args:
        settings: resolved, with the reading of the cell; changed in place.
        label: of the cell, for messages.

    Returns:
        What was changed, in words; empty if nothing.

    Raises:
        UserError: the batch cannot be cut so.
    """
    motion = look_up(settings, "model.masker.motion")
    frames = look_up(settings, "data.init_args.num_frames")
    if motion is None or not isinstance(frames, int) or frames == 1:
        return ""
    if resolve("motion.norm", motion["norm"], settings["model"]["reading"]) != "broadcast_time":
        return ""
    data, trainer = settings["data"]["init_args"], settings["trainer"]
    steps = frames // settings["model"]["tubelet_size"]
    batch, accumulation = data["batch_size"], trainer["accumulate_grad_batches"]
    if batch == steps:
        return ""
    if batch * accumulation % steps:
        raise UserError(
            f"{label}: its motion maps need micro-batches of {steps} clips, as many as a clip has time steps, but "
            f"{batch} x {accumulation} = {batch * accumulation} clips a step cannot be cut so: set "
            f"--data.init_args.batch_size to a multiple of {steps}, or model.masker.motion.norm to per_sample"
        )
    data["batch_size"], trainer["accumulate_grad_batches"] = steps, batch * accumulation // steps
    return f"micro-batches of {steps} clips x {batch * accumulation // steps} in place of {batch} x {accumulation}"
