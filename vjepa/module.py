"""The LightningModules: a clip becomes tokens, tokens become latents, latents become terms."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from vjepa.compute import ComputeOptions
from vjepa.errors import UserError
from vjepa.latents import Clip, Grid, Latents, Masks
from vjepa.layout import Layout
from vjepa.masking import MultiBlockMasker, mask_ratios
from vjepa.motion import MotionMaps
from vjepa.nn import Encoder, Predictor, PredictorOptions, Rope, initial_encoder, preset
from vjepa.objectives import LossReport, ModelFacts, Objective, Objectives, active, check_layouts, sum_terms
from vjepa.objectives.prediction import ContextPrediction, TargetPrediction
from vjepa.optimization import OptimizerOptions
from vjepa.pixels import FrozenEncoder, to_pixels
from vjepa.readback import ReadBack
from vjepa.reading import Reading, resolve
from vjepa.sharding import shard
from vjepa.targets import Target, TargetOptions, Weights

LayoutChoice = Literal["whole", "factorized", "by_level", "within_level"]
ImageMode = Literal["repeat", "single"]


class VideoJEPA(LightningModule):
    """Non-factorized Video-JEPA: one latent, the base terms and any number of auxiliary ones.

    Args:
        preset: sizes: tiny, glyphs, small, base, large, huge, giant or gigantic.
        patch_size: side of a patch in pixels.
        tubelet_size: frames of a time step.
        rope: rotary positions of V-JEPA 2.1 (``v2_1``), or of V-JEPA 2 and Hugging Face's ``VJEPA2Model`` (``v2``),
            which has neither image embedding nor modality vectors.
        layout: ``whole``; ``factorized`` divides by the run's reading; ``by_level`` and ``within_level`` say how.
        app_ratio: share of z_app in a factorized layout, in (0, 1).
        masker: masker slot.
        target: target slot.
        predictor: mask tokens.
        objectives: terms of the loss; None: prediction and context prediction.
        optimizer: AdamW and its schedules.
        compute: what trades memory against time.
        image_mode: a clip of one frame is repeated to ``image_frames`` (as in the study), or encoded as an image.
        image_frames: frames of a repeated image, a multiple of ``tubelet_size``.
        loss_exponent: p of the error |x|^p / p, > 0.
        reading: ``as_described`` or ``as_released``; decides every switch that is left open.
        seed: of initial weights and masks; links to ``seed_everything`` on the command line.
        init_from: file or folder of weights that ``vjepa fit`` starts from, in place of those of the seed.
        init_allow: keys that it may lack, hold beside ours or in another shape, like ``encoder.norms_block.0.*``.

    Raises:
        UserError: options that contradict one another.

    Source: the study's training step. Logs ``objective/<name>/raw`` and ``/weighted``, and ``masks/context_ratio_<m>``
    and ``masks/target_ratio_<m>``, shares of the tokens that mask m shows and asks for.
    """

    factorized = False

    def __init__(
        self,
        preset: str = "base",
        patch_size: int = 16,
        tubelet_size: int = 2,
        rope: Rope = "v2_1",
        layout: LayoutChoice = "whole",
        app_ratio: float = 0.5,
        masker: MultiBlockMasker = MultiBlockMasker(),
        target: TargetOptions = TargetOptions(),
        predictor: PredictorOptions = PredictorOptions(),
        objectives: Objectives | None = None,
        optimizer: OptimizerOptions = OptimizerOptions(),
        compute: ComputeOptions = ComputeOptions(),
        image_mode: ImageMode = "repeat",
        image_frames: int = 16,
        loss_exponent: float = 1.0,
        reading: Reading = "as_described",
        seed: int = 0,
        init_from: str | None = None,
        init_allow: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        if loss_exponent <= 0:
            raise UserError(f"model.loss_exponent {loss_exponent}: expected a number > 0")
        if image_frames < 1 or image_frames % tubelet_size:
            raise UserError(f"model.image_frames {image_frames}: expected a multiple of tubelet_size {tubelet_size}")
        if rope == "v2" and image_mode == "single":
            raise UserError("model.rope v2 has no image embedding: choose model.image_mode repeat, or model.rope v2_1")
        self._init_encoder = partial(initial_encoder, preset, patch_size, tubelet_size, rope, seed)
        self.reading, self.seed, self.masker = reading, seed, masker
        self.init_from, self.init_allow = init_from, tuple(init_allow)
        self.motion_maps = None if masker.motion is None else MotionMaps(masker.motion, reading)
        self.image_mode, self.image_frames = image_mode, image_frames
        self.loss_exponent, self.optimizer_options = loss_exponent, optimizer
        self.total_steps = 1
        self.latest: Latents | None = None
        self.notes = ReadBack()
        self.noted: dict[str, Tensor] = {}
        self.sharded = False
        self.layout = self._make_layout(layout, app_ratio, preset)
        self.encoder = self._init_encoder()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            self._make_predictor(preset, patch_size, predictor)
            self._make_objectives(objectives, target.carries_gradient)
        self.target = Target(target, self.encoder, reading)
        if init_from is not None and self.target.evaluate == "init":
            raise UserError(
                "model.init_from: this run evaluates its initial weights (model.target.evaluate, or by the reading), "
                "which are made again from the seed; set model.target.evaluate to online"
            )
        self._freeze_unused()
        teacher = [] if self.target.teacher is None else [self.target.teacher.blocks]
        compute.apply([self.encoder.blocks, self.predictor.predictor_blocks, *teacher], self.terms.values())

    # -- construction

    def _make_layout(self, choice: LayoutChoice, app_ratio: float, size: str) -> Layout:
        kind = resolve("layout", None, self.reading) if choice == "factorized" else choice
        if (kind != "whole") != self.factorized:
            expected = "a factorized layout" if self.factorized else "layout whole"
            raise UserError(
                f"{type(self).__name__} needs {expected}, but model.layout is {choice!r}: "
                "VideoJEPA takes whole, FactorizedVideoJEPA any other"
            )
        return Layout(kind, preset(size).width, app_ratio)  # type: ignore[arg-type]

    def _make_predictor(self, size: str, patch_size: int, options: PredictorOptions) -> None:
        num_masks = len(self.masker.blocks)
        num_tokens = options.num_mask_tokens or num_masks
        self.mask_token = resolve("predictor.mask_token", options.mask_token, self.reading)
        if self.mask_token == "per_mask" and num_tokens < num_masks:
            raise UserError(
                f"model.predictor.num_mask_tokens {num_tokens}: {num_masks} masks need one each; "
                "raise it, or set mask_token to first"
            )
        self.predictor = Predictor(preset(size), patch_size, num_tokens, self.encoder.rope)

    def _make_objectives(self, objectives: Any, targets_have_gradient: bool) -> None:
        if objectives is None:
            objectives = Objectives(prediction=TargetPrediction(), context=ContextPrediction())
        self.objectives = active(objectives)
        if not self.objectives:
            raise UserError("model.objectives has no term: expected at least one, for example prediction")
        hard_region = getattr(objectives, "hard_region", None)
        temperature = None if hard_region is None else hard_region.temperature
        width = self.encoder.preset.latent_width
        facts = ModelFacts(width, self.layout, self.reading, temperature, targets_have_gradient)
        check_layouts(self.terms.values())
        for term in self.terms.values():
            term.build(facts)

    @property
    def terms(self) -> dict[str, Objective]:
        """The active terms by name."""
        return {name: term for name, term in self.objectives.items() if isinstance(term, Objective)}

    def _freeze_unused(self) -> None:
        """Parameters that no step can reach keep their initial value, as under an optimizer that skips them."""
        if self.image_mode == "repeat":
            for idle in (*self.encoder.only_for(is_image=True), *self.predictor.only_for(is_image=True)):
                idle.requires_grad_(False)
        read = frozenset[str]().union(*(term.reads for term in self.terms.values()))
        if not read:
            self.predictor.requires_grad_(False)
        self.predictor.predictor_proj.requires_grad_("predicted" in read)
        self.predictor.predictor_proj_context.requires_grad_("predicted_context" in read)
        used = 1 if self.mask_token == "first" else len(self.masker.blocks)
        for token in list(self.predictor.mask_tokens)[used:]:
            token.requires_grad_(False)

    # -- one step

    def pixels(self, frames: Tensor) -> Tensor:
        """Normalised pixels (B, 3, F, H_px, W_px) of uint8 frames (B, F, H_px, W_px, 3), images as the slot says."""
        if frames.shape[1] == 1 and self.image_mode == "repeat":
            frames = frames.expand(-1, self.image_frames, -1, -1, -1)
        return to_pixels(frames)

    def check_batch(self, batch_size: int, num_frames: int) -> None:
        """Refuse training batches that the masks cannot be drawn for, before anything is trained or written.

        Args:
            batch_size: clips of a micro-batch.
            num_frames: frames of a clip.

        Raises:
            UserError: motion maps with norm ``broadcast_time`` need as many clips as time steps.
        """
        if num_frames == 1 and self.image_mode == "repeat":
            num_frames = self.image_frames
        if self.motion_maps is not None and num_frames > 1:
            self.motion_maps.check_batch(batch_size, num_frames // self.encoder.tubelet)

    def masks(
        self, grid: Grid, batch_size: int, *, step: int, first_sample: int = 0, pixels: Tensor | None = None,
        held_out: bool = False,
    ) -> Masks:  # fmt: skip
        """Masks of one micro-batch on the module's device.

        Args:
            grid: token grid of the clips.
            batch_size: B.
            step: optimizer step.
            first_sample: number of the first sample within the step.
            pixels: (B, 3, F, H_px, W_px), normalised; read where motion guides the masks.
            held_out: motion maps as described, whatever the run trains with, and the draws of rank 0 on every rank.
        """
        motion = None
        if self.motion_maps is not None and pixels is not None:
            motion = self.motion_maps(pixels, grid, held_out)
        rank = 0 if held_out else self.global_rank
        drawn = self.masker(
            grid, batch_size, step=step, seed=self.seed, rank=rank, first_sample=first_sample, motion=motion
        )
        if self.device.type == "cuda":  # a copy from other memory may be waited for all the same
            drawn = drawn.pin_memory()
        return drawn.to(self.device)

    def latents(self, frames: Tensor, *, step: int, first_sample: int = 0, held_out: bool = False) -> Latents:
        """Everything the terms read, from uint8 frames (B, F, H_px, W_px, 3)."""
        pixels = self.pixels(frames)
        grid = self.encoder.grid(pixels)
        masks = self.masks(grid, len(pixels), step=step, first_sample=first_sample, pixels=pixels, held_out=held_out)
        targets = self.target(self.encoder, pixels)
        context, predicted, predicted_context = self.predict(pixels, masks)
        return Latents(
            pixels, grid, self.layout, masks, targets, context, predicted, predicted_context, step, self.total_steps,
            self.loss_exponent,
        )  # fmt: skip

    def predict(
        self, pixels: Tensor, masks: Masks
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Encode what each mask shows of a normalised clip, and predict from it: all masks in one pass.

        Returns:
            For each mask the context (B, K, D), the predicted targets (B, K', D) and the predicted context (B, K, D).
        """
        grid, is_image = self.encoder.grid(pixels), pixels.shape[2] == 1
        context = self.encoder.levels_of_each(pixels, masks.context)
        tokens = [0 if self.mask_token == "first" else number for number in range(len(context))]
        both = self.predictor.each(context, masks.context, masks.target, grid, tokens, is_image)
        predicted, predicted_context = zip(*both, strict=True)
        return tuple(context), predicted, predicted_context

    def loss(self, latents: Latents) -> LossReport:
        """Weighted sum of the terms."""
        report = sum_terms(self.terms, latents)
        return replace(report, total=report.total + self._touch(latents))

    def _touch(self, latents: Latents) -> Tensor:
        """Zero that reaches the embeddings of the clip kind that this batch is not, for DDP."""
        if self.image_mode == "repeat":
            return latents.targets.new_zeros(())
        other = latents.pixels.shape[2] != 1
        idle = [*self.encoder.only_for(is_image=other), *self.predictor.only_for(is_image=other)]
        return 0.0 * torch.stack([p.sum() for p in idle]).sum()

    # -- Lightning

    def configure_model(self) -> None:
        """Divide encoder, teacher, predictor and heads over processes, under a strategy with a device mesh (FSDP2).

        Raises:
            UserError: with ``image_mode`` single, in which a step leaves embeddings out.
        """
        if self.device_mesh is None or self.sharded:
            return
        if self.image_mode == "single":
            raise UserError("model.image_mode single does not run under FSDP2: choose repeat, or trainer.strategy ddp")
        self.sharded = True
        encoders = [self.encoder] if self.target.teacher is None else [self.encoder, self.target.teacher]
        shard(encoders, self.predictor, self.terms.values(), self.device_mesh["data_parallel"])

    def setup(self, stage: str) -> None:
        """Learn the length of the run, which schedules are measured against.

        Raises:
            UserError: the trainer was given none.
        """
        if stage == "fit":
            steps = self.trainer.estimated_stepping_batches
            if not 0 < steps < math.inf:
                raise UserError(
                    f"trainer.max_steps {self.trainer.max_steps}: expected a number of optimizer steps, which the "
                    "schedules are measured against; training clips never end"
                )
            self.total_steps = max(1, int(steps))

    @property
    def logs_this_step(self) -> bool:
        """Whether the logger takes values at this optimizer step; diagnostics are computed only then."""
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        return every > 0 and (self.global_step + 1) % every == 0

    def training_step(self, batch: Clip, batch_idx: int) -> Tensor:
        """Loss of one micro-batch."""
        micro_batch = batch_idx % self.trainer.accumulate_grad_batches
        latents = self.latents(batch.frames, step=self.global_step, first_sample=micro_batch * len(batch))
        report = self.loss(latents)
        if self.logs_this_step:
            self.latest = latents.detach()
            ratios = mask_ratios(latents.masks, latents.grid)
            self.notes.add({"train/loss": report.total, **report.logs(), **ratios})
        return report.total

    def on_train_batch_end(self, *args: Any) -> None:
        """Let go of the tensors that diagnostics have read."""
        self.latest = None

    def validation_step(self, batch: Clip, batch_idx: int) -> None:
        """Losses on held-out clips, with masks that are the same at every validation and under both readings."""
        self._held_out("val", batch, batch_idx)

    def test_step(self, batch: Clip, batch_idx: int) -> None:
        """As ``validation_step``, on the test split."""
        self._held_out("test", batch, batch_idx)

    def _held_out(self, split: str, batch: Clip, batch_idx: int) -> None:
        report = self.loss(self.latents(batch.frames, step=batch_idx, held_out=True))
        prediction = {f"{split}/objective/{name}": term.loss for name, term in report.terms.items()}
        self.log_dict(prediction, batch_size=len(batch), on_step=False, on_epoch=True, sync_dist=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW over encoder, predictor and the heads of the terms."""
        return self.optimizer_options.build([self.encoder, self.predictor, *self.terms.values()])

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        """Schedules before the step, the teacher after it: once per optimizer step, however many micro-batches."""
        step, logs = self.global_step, self.logs_this_step
        rate = self.optimizer_options.apply(optimizer, step + 1, self.total_steps)
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        self.target.update(self.encoder, step, self.total_steps)
        if logs:
            self.notes.add({"optimizer/lr": rate})
            self.noted = self.notes.take()
            for name, value in self.noted.items():
                if value.ndim == 0:
                    self.log(name, value, prog_bar=name == "train/loss")

    # -- evaluation

    @property
    def evaluated_weights(self) -> Weights:
        """Weights that evaluation reads for this run's target slot and reading."""
        return self.target.evaluate

    def frozen(self, weights: Weights | None = None, *, all_levels: bool = False) -> FrozenEncoder:
        """The encoder to probe.

        Args:
            weights: ``teacher``, ``online``, or ``init`` (made again from the seed); None: ``evaluated_weights``.
            all_levels: return every level side by side, which is what a layout divides.

        Raises:
            UserError: the run has no teacher, or no process holds whole weights (FSDP2).
        """
        if self.sharded:
            raise UserError(
                "weights are divided over processes (FSDP2), so nothing is evaluated during this training: "
                "set probe.every_n_steps to 0, and run vjepa probe or vjepa robustness when it has ended"
            )
        chosen = weights or self.evaluated_weights
        encoder: nn.Module | None = {"teacher": self.target.teacher, "online": self.encoder}.get(chosen)
        if chosen == "init":
            encoder = self._init_encoder().to(self.device)
        if not isinstance(encoder, Encoder):
            raise UserError("this run has no teacher (model.target.kind is self): evaluate online or init")
        return FrozenEncoder(encoder, self.image_mode, self.image_frames, all_levels)


class FactorizedVideoJEPA(VideoJEPA):
    """Factorized Video-JEPA: the latent is divided into appearance (z_app) and dynamics (z_dyn).

    Takes the arguments of ``VideoJEPA`` with a layout other than ``whole``; ``layout="factorized"`` divides
    within each level as described, or by level as released.
    """

    factorized = True

    def __init__(self, layout: LayoutChoice = "factorized", **kwargs: Any) -> None:
        super().__init__(layout=layout, **kwargs)

    def subspaces(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        """z_app and z_dyn of concatenated levels (..., D)."""
        return self.layout.split(levels)

    def training_step(self, batch: Clip, batch_idx: int) -> Tensor:
        """As ``VideoJEPA``, with the spread of both subspaces in the logs."""
        loss = super().training_step(batch, batch_idx)
        if self.latest is not None:
            app, dyn = self.subspaces(self.latest.context[0].flatten(0, 1).float())
            self.notes.add({"subspace/app_std": app.std(dim=0).mean(), "subspace/dyn_std": dyn.std(dim=0).mean()})
        return loss
