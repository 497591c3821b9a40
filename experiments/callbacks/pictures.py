"""What a run sees and has learned to see, as pictures in TensorBoard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from data_modules.clips.datasets import ClipDataset
from data_modules.decode.frames import BrokenVideo
from experiments.evaluation.quiet_rng import preserved_rng
from vjepa.errors import UserError
from vjepa.module import VideoJEPA
from vjepa.motion import motion_map, normalize_motion

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]

_TRIES = 4  # clips that are tried for each that is shown, should files be broken


class Pictures(Callback):
    """Log animations of the masks over validation clips, and pictures of what the evaluated encoder makes of them.

    Logs ``pictures/masks/clip_<i>`` (GIF: context and target of each mask as the run's own masker draws them at that
    step, and the motion map where masks follow it), ``pictures/motion/clip_<i>`` (GIF: the motion map),
    ``pictures/features/clip_<i>`` (PNG: the first three principal components of patch features, of z_app and z_dyn too
    where the latent is divided) and ``pictures/similarity`` (PNG: z_app and z_dyn, each time step against each) when
    training ends. The first process draws, or none where weights are divided over processes; nothing of it reaches the
    model, and the global random states are left as they were.

    Args:
        enabled: whether anything is drawn.
        every_n_steps: optimizer steps between pictures of a training run; 0 draws at its end only.
        num_clips: validation clips to show, >= 1.

    Raises:
        UserError: a number is too small.
    """

    def __init__(self, enabled: bool = True, every_n_steps: int = 0, num_clips: int = 2) -> None:
        if every_n_steps < 0:
            raise UserError(f"pictures.every_n_steps {every_n_steps}: expected 0 (at the end only) or more")
        if num_clips < 1:
            raise UserError(f"pictures.num_clips {num_clips}: expected 1 or more; pictures.enabled false draws nothing")
        self.enabled, self.every_n_steps, self.num_clips = enabled, every_n_steps, num_clips
        self._last_drawn = -1

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Draw after every n-th optimizer step."""
        ends_step = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if self.every_n_steps and ends_step and trainer.global_step % self.every_n_steps == 0:
            self._log(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw what came out, while the weights are still on their device."""
        self._log(trainer, pl_module)

    def _log(self, trainer: Trainer, pl_module: LightningModule) -> None:
        loggers = [one for one in trainer.loggers if isinstance(one, TensorBoardLogger)]
        step = trainer.global_step
        if not (self.enabled and trainer.is_global_zero and loggers) or step == self._last_drawn:
            return
        self._last_drawn = step
        assert isinstance(pl_module, VideoJEPA)
        if pl_module.sharded:
            return
        with preserved_rng():
            frames = some_clips(trainer.datamodule.dataset("val"), self.num_clips)  # type: ignore[attr-defined]
            if not len(frames):
                return
            for summary in picture_summaries(pl_module, frames, step):
                for logger in loggers:
                    logger.experiment.file_writer.add_summary(summary, step)


def some_clips(dataset: ClipDataset, num_clips: int) -> torch.Tensor:
    """A fixed choice of clips that can be read, (n, F, H_px, W_px, 3) uint8; broken ones are nobody's concern here."""
    from experiments.evaluation.features.reading import choose_indices

    found: list[torch.Tensor] = []
    for index in choose_indices(dataset, _TRIES * num_clips):
        try:
            found.append(dataset.read(index[None]))
        except BrokenVideo:
            continue
        if len(found) == num_clips:
            break
    return torch.cat(found) if found else torch.empty(0)


@torch.no_grad()
def picture_summaries(model: VideoJEPA, frames: torch.Tensor, step: int) -> Iterator[Summary]:
    """Pictures of some clips as image summaries.

    Args:
        model: as it is; nothing of it changes.
        frames: (n, F, H_px, W_px, 3) uint8.
        step: optimizer step, by which masks are drawn.
    """
    # TensorBoard and matplotlib take a second to import, and a command line that draws nothing needs neither.
    from experiments.pictures import (
        beside,
        draw_features,
        draw_masks,
        encode_gif,
        encode_png,
        image_summary,
        motion_panels,
        principal_colours,
    )
    from experiments.pictures.latent import latent_halves, latent_parts
    from experiments.pictures.similarity import draw_similarity

    pixels = model.pixels(frames.to(model.device))
    grid = model.encoder.grid(pixels)
    masks = model.masks(grid, len(pixels), step=step, pixels=pixels, held_out=True).to("cpu")
    motion = normalize_motion(motion_map(pixels, grid, "area"), "per_sample").cpu().numpy()
    # An image that is encoded as a video is shown as one.
    shown = frames.expand(-1, pixels.shape[2], -1, -1, -1).numpy()
    levels = model.frozen(all_levels=True)(frames.to(model.device)).cpu()
    parts = []
    for title, features in latent_parts(levels, model.layout).items():
        values = features.unflatten(2, (grid.height, grid.width)).numpy()
        parts.append((title, principal_colours(values)))
    for clip in range(len(frames)):
        chosen = [(c[clip].numpy(), t[clip].numpy()) for c, t in zip(masks.context, masks.target, strict=True)]
        animations = {
            "masks": draw_masks(shown[clip], grid, chosen, None if model.motion_maps is None else motion[clip]),
            "motion": beside(motion_panels(shown[clip], motion[clip])),
        }
        for kind, animation in animations.items():
            yield image_summary(f"pictures/{kind}/clip_{clip}", encode_gif(animation), *animation.shape[1:3])
        rows = [(title, colours.pixels[clip], colours.explained) for title, colours in parts]
        picture = draw_features(shown[clip], rows)
        yield image_summary(f"pictures/features/clip_{clip}", encode_png(picture), *picture.shape[:2])
    halves = [latent_halves(one, model.layout, f"clip {number}") for number, one in enumerate(levels)]
    picture = draw_similarity(halves, shown.shape[1])
    yield image_summary("pictures/similarity", encode_png(picture), *picture.shape[:2])
