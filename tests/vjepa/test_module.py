"""The LightningModules put together: options, seeds, one step, images."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor

from tests.vjepa.runs import QUIET, equal, every_term, loader, model_of, noise_clip, state, train
from vjepa.errors import UserError
from vjepa.latents import Clip, Grid
from vjepa.masking import BlockMask, MultiBlockMasker
from vjepa.module import FactorizedVideoJEPA, PredictorOptions, VideoJEPA
from vjepa.motion import MotionGuidance
from vjepa.objectives import Objectives
from vjepa.objectives.factorization import Orthogonality, StaticAppearance
from vjepa.objectives.hard_region import HardRegionWeighting
from vjepa.objectives.latent_dynamics import LatentDynamics
from vjepa.objectives.prediction import ContextPrediction, TargetPrediction
from vjepa.targets import TargetOptions

# -- construction


def test_defaults_are_the_base_terms() -> None:
    model = model_of()
    assert list(model.objectives) == ["prediction", "context"]
    assert model.layout.kind == "whole"
    assert model.evaluated_weights == "teacher"


@pytest.mark.parametrize(
    ("layout", "reading", "kind"),
    [
        ("factorized", "as_described", "within_level"), ("factorized", "as_released", "by_level"),
        ("by_level", "as_described", "by_level"), ("within_level", "as_released", "within_level"),
    ],
)  # fmt: skip
def test_factorized_follows_the_reading(layout: Any, reading: Any, kind: str) -> None:
    model = model_of(FactorizedVideoJEPA, layout=layout, reading=reading, objectives=every_term())
    assert model.layout.kind == kind
    app, dyn = model.subspaces(torch.zeros(2, 384))
    assert app.shape == dyn.shape == (2, 192)


@pytest.mark.parametrize(
    ("cls", "layout", "message"),
    [
        (VideoJEPA, "by_level", r"VideoJEPA needs layout whole, but model.layout is 'by_level'"),
        (FactorizedVideoJEPA, "whole", r"FactorizedVideoJEPA needs a factorized layout, .* 'whole'"),
    ],
)
def test_class_and_layout_must_agree(cls: type[VideoJEPA], layout: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        model_of(cls, layout=layout)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "tinny"}, "did you mean 'tiny'"),
        ({"loss_exponent": 0.0}, "model.loss_exponent 0.0"),
        ({"image_frames": 7}, "model.image_frames 7.*tubelet_size 2"),
        ({"objectives": Objectives()}, "model.objectives has no term"),
        ({"predictor": PredictorOptions(num_mask_tokens=1)}, "num_mask_tokens 1: 2 masks"),
        (
            {"objectives": Objectives(static=StaticAppearance())},
            "objectives.static needs layout by_level or within_level",
        ),
        ({"reading": "published"}, "unknown reading 'published'"),
    ],
    ids=str,
)
def test_contradictions_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        model_of(**options)


@pytest.mark.parametrize(
    ("options", "frozen"),
    [
        ({}, {"encoder.patch_embed_img", "encoder.img_mod_embed", "predictor.img_mod_embed"}),
        ({"image_mode": "single"}, set()),
        ({"rope": "v2"}, set()),
        ({"image_mode": "single", "reading": "as_released"}, {"predictor.mask_tokens.1"}),
        ({"image_mode": "single", "predictor": PredictorOptions(3)}, {"predictor.mask_tokens.2"}),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
def test_parameters_that_no_step_reaches_are_frozen(options: dict[str, Any], frozen: set[str]) -> None:
    named = model_of(**options).named_parameters()
    names = {name for name, value in named if not value.requires_grad and not name.startswith("target.")}
    assert {name.removesuffix(".proj.weight").removesuffix(".proj.bias") for name in names} == frozen


def test_v2_trains_all_that_it_has(frames: Tensor) -> None:
    """No modality vector, no image embedding, and nothing that a step leaves out."""
    model = model_of(rope="v2")
    assert not [name for name in model.state_dict() if "mod_embed" in name or "embed_img" in name]
    model.loss(model.latents(frames, step=0)).total.backward()
    without = {name for name, value in model.named_parameters() if value.requires_grad and value.grad is None}
    assert not without
    assert model.predictor.rope == model.encoder.rope == model.frozen("init").encoder.rope == "v2"


def test_the_released_hard_region_temperature_reaches_latent_dynamics() -> None:
    hard_region, latent_dynamics = HardRegionWeighting(temperature=0.3), LatentDynamics()
    terms = Objectives(prediction=TargetPrediction(), hard_region=hard_region, latent_dynamics=latent_dynamics)
    model = model_of(objectives=terms, reading="as_released")
    assert latent_dynamics.temperature == 0.3
    assert latent_dynamics.hard_weighting == model.objectives["latent_dynamics"].hard_weighting == "no_gradient"


# -- seeds


def test_a_seed_fixes_weights_masks_and_losses_whatever_the_global_state(frames: Tensor) -> None:
    losses, models = [], []
    for noise in (1, 2):
        torch.manual_seed(noise)
        models.append(model_of(seed=5))
        losses.append(models[-1].loss(models[-1].latents(frames, step=2)).total)
    assert equal(state(models[0]), state(models[1]))
    assert torch.equal(*losses)
    other = model_of(seed=6)
    assert not torch.equal(other.encoder.blocks[0].attn.qkv.weight, models[0].encoder.blocks[0].attn.qkv.weight)
    assert not torch.equal(
        other.latents(frames, step=2).masks.context[0][:, :4], models[0].latents(frames, step=2).masks.context[0][:, :4]
    )


def test_building_a_model_leaves_the_global_state_alone() -> None:
    before = torch.get_rng_state()
    model_of()
    assert torch.equal(before, torch.get_rng_state())


def test_variants_of_a_seed_start_from_the_same_encoder_and_predictor() -> None:
    baseline = model_of(seed=3)
    variant = model_of(FactorizedVideoJEPA, seed=3, objectives=every_term())
    for part in ("encoder.", "predictor.", "target."):
        assert equal(state(baseline, part), state(variant, part))


# -- one step


def test_latents_have_the_shapes_of_the_grid(frames: Tensor) -> None:
    latents = model_of().latents(frames, step=4)
    assert (latents.grid.time, latents.grid.height, latents.grid.width) == (4, 4, 4)
    assert latents.targets.shape == (8, 64, 384)
    assert latents.step == 4
    for number in range(2):
        context, target = latents.masks.context[number], latents.masks.target[number]
        assert latents.context[number].shape == latents.predicted_context[number].shape == (*context.shape, 384)
        assert latents.predicted[number].shape == (*target.shape, 384)


def test_the_total_is_the_weighted_sum_of_the_terms(frames: Tensor) -> None:
    terms = Objectives(prediction=TargetPrediction(2.0), context=ContextPrediction(0.5), static=StaticAppearance(0.1))
    model = model_of(FactorizedVideoJEPA, objectives=terms)
    model.total_steps = 100
    report = model.loss(model.latents(frames, step=75))
    raw = {name: term.loss.item() for name, term in report.terms.items()}
    assert report.weights == pytest.approx({"prediction": 2.0, "context": 0.25, "static": 0.1})
    expected = 2.0 * raw["prediction"] + 0.25 * raw["context"] + 0.1 * raw["static"]
    assert report.total.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("reading", ["as_described", "as_released"])
def test_mask_tokens_follow_the_reading(frames: Tensor, reading: Any) -> None:
    model = model_of(reading=reading)
    model.loss(model.latents(frames, step=0)).total.backward()
    reached = [token.grad is not None for token in model.predictor.mask_tokens]
    assert reached == ([True, True] if reading == "as_described" else [True, False])


def test_exponent_reaches_the_error(frames: Tensor) -> None:
    losses = []
    for exponent in (1.0, 2.0):
        model = model_of(loss_exponent=exponent, objectives=Objectives(prediction=TargetPrediction()))
        latents = model.latents(frames, step=0)
        losses.append(model.loss(latents).total.item())
        error = [(z - latents.target_tokens(m)).abs().pow(exponent).mean() for m, z in enumerate(latents.predicted)]
        assert losses[-1] == pytest.approx((sum(error) / 2 / exponent).item(), rel=1e-5)
    assert losses[0] != losses[1]


def test_without_the_context_term_its_head_is_frozen(frames: Tensor) -> None:
    model = model_of(objectives=Objectives(prediction=TargetPrediction()))
    model.loss(model.latents(frames, step=0)).total.backward()
    unreached = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert unreached == [], "DDP stops at parameters that the loss does not reach"


@pytest.mark.parametrize(("target", "learns"), [(TargetOptions(), False), (TargetOptions("self"), True)])
def test_targets_learn_only_without_a_teacher(frames: Tensor, target: TargetOptions, learns: bool) -> None:
    assert model_of(target=target).latents(frames, step=0).targets.requires_grad is learns


@pytest.mark.parametrize("masks", [1, 3])
def test_any_number_of_masks(frames: Tensor, masks: int) -> None:
    model = model_of(masker=MultiBlockMasker((BlockMask(2, (0.3, 0.3)),) * masks))
    latents = model.latents(frames, step=0)
    assert len(latents.context) == len(model.predictor.mask_tokens) == masks
    assert model.loss(latents).total.isfinite()


# -- motion


def guided(strength: float = 5.0, **options: Any) -> MultiBlockMasker:
    return MultiBlockMasker(motion=MotionGuidance(strength, 0.0, **options))


@pytest.fixture(scope="module")
def half_moving(frames: Tensor) -> Tensor:
    """Noise that changes on the left and stands still on the right."""
    still = frames[:, :1].expand_as(frames)
    return torch.cat((frames[..., :16, :], still[..., 16:, :]), dim=3)


@pytest.mark.parametrize("matched", [False, True])
def test_targets_lie_where_the_clip_moves(half_moving: Tensor, matched: bool) -> None:
    def share_on_the_left(masker: MultiBlockMasker) -> float:
        model = model_of(masker=masker)
        drawn = [model.latents(half_moving, step=step).masks.target[0] % 4 < 2 for step in range(4)]
        return float(torch.cat([left.flatten() for left in drawn]).float().mean())

    assert share_on_the_left(MultiBlockMasker()) == pytest.approx(0.5, abs=0.1)
    assert share_on_the_left(guided(ratio_matched=matched)) > 0.6


@pytest.mark.parametrize(
    ("reading", "expected"), [("as_described", ("per_sample", "area")), ("as_released", ("broadcast_time", "point"))]
)
def test_motion_maps_follow_the_reading(reading: Any, expected: tuple[str, str]) -> None:
    model = model_of(masker=guided(), reading=reading)
    assert model.motion_maps is not None
    assert (model.motion_maps.norm, model.motion_maps.pool) == expected
    assert model_of(reading=reading).motion_maps is None


def test_guided_masks_need_pixels(frames: Tensor) -> None:
    model = model_of(masker=guided())
    with pytest.raises(ValueError, match="because motion guides the masks; got none"):
        model.masks(Grid(4, 4, 4), 8, step=0)
    assert len(model_of().masks(Grid(4, 4, 4), 8, step=0)) == 2


def test_held_out_masks_depend_neither_on_the_reading_nor_on_the_batch(half_moving: Tensor) -> None:
    described, released = (model_of(masker=guided(), reading=r) for r in ("as_described", "as_released"))
    grid, drawn = Grid(4, 4, 4), []
    for model, num_clips in ((described, 8), (released, 8), (released, 3)):
        pixels = model.pixels(half_moving[:num_clips])
        drawn.append(model.masks(grid, num_clips, step=1, pixels=pixels, held_out=True).target[0][:3])
    assert torch.equal(drawn[0], drawn[1])
    shared = min(drawn[1].shape[1], drawn[2].shape[1])
    assert torch.equal(drawn[1][:, :shared], drawn[2][:, :shared])


def test_broadcast_time_trains_on_batches_of_the_time_steps_alone(half_moving: Tensor) -> None:
    model = model_of(masker=guided(), reading="as_released")
    assert model.latents(half_moving[:4], step=0).masks.target[0].shape[0] == 4
    with pytest.raises(UserError, match="8 samples of 4 time steps"):
        model.latents(half_moving, step=0)
    assert len(model.latents(half_moving, step=0, held_out=True).masks.target[0]) == 8


@pytest.mark.parametrize(
    ("options", "batch_size", "num_frames", "refused"),
    [
        ({"masker": guided()}, 4, 8, False),
        ({"masker": guided()}, 5, 8, True),
        ({"masker": guided()}, 8, 1, False),  # an image repeated to 16 frames
        ({"masker": guided()}, 4, 1, True),
        ({"masker": guided(), "image_mode": "single"}, 5, 1, False),
        ({"masker": guided(norm="per_sample")}, 5, 8, False),
        ({}, 5, 8, False),
    ],
    ids=str,
)
def test_a_batch_that_the_masks_cannot_take_is_refused_at_the_start(
    options: dict[str, Any], batch_size: int, num_frames: int, refused: bool
) -> None:
    model = model_of(reading="as_released", **options)
    if refused:
        with pytest.raises(UserError, match=rf"broadcast_time.* {batch_size} samples of . time steps.*per_sample"):
            model.check_batch(batch_size, num_frames)
    else:
        model.check_batch(batch_size, num_frames)


def test_single_images_pass_a_guided_masker(frames: Tensor) -> None:
    model = model_of(masker=guided(), image_mode="single", reading="as_released")
    plain = model_of(image_mode="single", reading="as_released")
    images = frames[:, :1]
    assert torch.equal(model.latents(images, step=0).masks.target[0], plain.latents(images, step=0).masks.target[0])


@pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no")
def test_mask_ratios_are_logged_and_held_out_batches_may_be_short(clip: Clip) -> None:
    model = model_of(masker=guided(), reading="as_released")
    short = noise_clip(4)
    trainer = train(model, [short], 1)
    masks = model.latents(short.frames, step=0).masks
    for number in range(2):
        assert trainer.callback_metrics[f"masks/context_ratio_{number}"] == masks.context[number].shape[1] / 64
        assert trainer.callback_metrics[f"masks/target_ratio_{number}"] == masks.target[number].shape[1] / 64
    held_out = Trainer(**QUIET).validate(model, loader([clip, noise_clip(3)]), verbose=False)
    assert held_out[0]["val/objective/prediction"] > 0


# -- images


@pytest.mark.parametrize(("mode", "time"), [("repeat", 4), ("single", 1)])
@pytest.mark.parametrize("num_frames", [1, 8])
def test_images_and_videos_reach_every_trainable_parameter(
    frames: Tensor, mode: Any, time: int, num_frames: int
) -> None:
    model = model_of(FactorizedVideoJEPA, image_mode=mode, image_frames=8, objectives=every_term())
    latents = model.latents(frames[:, :num_frames], step=0)
    assert latents.grid.time == (time if num_frames == 1 else 4)
    total = model.loss(latents).total
    total.backward()
    assert total.isfinite()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) is parameter.requires_grad, name
    embeds = {True: model.encoder.patch_embed_img, False: model.encoder.patch_embed}
    is_image = latents.grid.time == 1
    assert embeds[is_image].proj.weight.grad.abs().sum() > 0
    assert is_image or mode == "single" or embeds[True].proj.weight.grad is None
    if mode == "single":
        assert embeds[not is_image].proj.weight.grad.abs().sum() == 0


def test_a_repeated_image_is_a_still_clip(frames: Tensor) -> None:
    model = model_of(image_frames=8)
    pixels = model.pixels(frames[:, :1])
    assert pixels.shape == (8, 3, 8, 32, 32)
    assert torch.equal(pixels[:, :, 0], pixels[:, :, 7])


def test_orthogonality_and_static_are_off_on_single_images(frames: Tensor) -> None:
    terms = Objectives(prediction=TargetPrediction(), static=StaticAppearance(), orthogonality=Orthogonality())
    model = model_of(FactorizedVideoJEPA, image_mode="single", objectives=terms)
    report = model.loss(model.latents(frames[:, :1], step=0))
    assert report.total.item() == pytest.approx(report.terms["prediction"].loss.item())
