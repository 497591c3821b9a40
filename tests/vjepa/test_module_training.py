"""Short runs through a real Trainer: learning, teacher, accumulation, schedules, resuming, evaluation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import LambdaCallback
from torch import Tensor

from tests.vjepa.runs import QUIET, equal, every_term, loader, model_of, noise_clip, state, train
from vjepa.errors import UserError
from vjepa.latents import Clip, Grid, Masks
from vjepa.masking import BlockMask, MultiBlockMasker
from vjepa.module import FactorizedVideoJEPA, VideoJEPA
from vjepa.objectives import Objectives
from vjepa.objectives.prediction import ContextPrediction, TargetPrediction
from vjepa.optimization import OptimizerOptions
from vjepa.targets import TargetOptions

pytestmark = [
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no"),
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch"),
]
FAST = OptimizerOptions(lr=2e-3, lr_start=2e-3, lr_final=2e-3, warmup_steps=0)
ENCODER = "encoder.blocks.0.attn.qkv"
HALF = TargetOptions(momentum=(0.5, 0.5))


class Record(Callback):
    """Metrics of every step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        self.steps.append({key: float(value) for key, value in trainer.callback_metrics.items()})


class RecordingMasker(MultiBlockMasker):
    """The study's masks, with the keys they were asked for."""

    calls: list[tuple[int, int, int]] = []  # noqa: RUF012

    def __call__(self, grid: Grid, batch_size: int, *, step: int, first_sample: int = 0, **key: int) -> Masks:
        self.calls.append((step, first_sample, batch_size))
        return super().__call__(grid, batch_size, step=step, first_sample=first_sample, **key)


@pytest.fixture(scope="module")
def trained(clip: Clip) -> tuple[VideoJEPA, list[dict[str, float]]]:
    """Thirty steps on clips of one flat colour each, which a tiny model learns at once."""
    colours = clip.frames[:, :1, :1, :1].expand(-1, 8, 32, 32, -1).contiguous()
    record, model = Record(), model_of(optimizer=FAST)
    train(model, [replace(clip, frames=colours)] * 30, 30, callbacks=[record])
    return model, record.steps


# -- learning


def test_loss_falls_on_a_fixed_batch(trained: tuple[VideoJEPA, list[dict[str, float]]]) -> None:
    losses = [step["objective/prediction/raw"] for step in trained[1]]
    assert len(losses) == 30
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


@pytest.mark.parametrize("cls", [VideoJEPA, FactorizedVideoJEPA])
def test_the_same_seed_trains_to_the_same_bits(clip: Clip, cls: type[VideoJEPA]) -> None:
    runs = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        terms = every_term() if cls is FactorizedVideoJEPA else None
        model, record = model_of(cls, optimizer=FAST, objectives=terms), Record()
        train(model, [clip] * 3, 3, callbacks=[record])
        runs.append((state(model), record.steps))
    assert equal(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]


def test_logs_hold_every_term_raw_and_weighted(clip: Clip) -> None:
    record, model = Record(), model_of(FactorizedVideoJEPA, objectives=every_term())
    train(model, [clip] * 4, 4, callbacks=[record])
    last = record.steps[-1]
    for name, term in model.objectives.items():
        factor = term.weight * term.factor(3, 4)
        assert last[f"objective/{name}/weighted"] == pytest.approx(factor * last[f"objective/{name}/raw"], rel=1e-5)
    assert last["train/loss"] == pytest.approx(
        sum(last[f"objective/{name}/weighted"] for name in model.objectives), rel=1e-5
    )
    assert {"optimizer/lr", "objective/hard_region/ess", "subspace/app_std", "subspace/dyn_std"} <= set(last)
    assert model.latest is None


def test_schedules_follow_the_optimizer_step(clip: Clip) -> None:
    options = OptimizerOptions(lr=1e-3, lr_start=0.0, lr_final=0.0, warmup_steps=2)
    record = Record()
    train(model_of(optimizer=options), [clip] * 4, 4, callbacks=[record])
    assert [step["optimizer/lr"] for step in record.steps] == pytest.approx([5e-4, 1e-3, 5e-4, 0.0], abs=1e-9)


# -- teacher and accumulation


def test_teacher_is_the_moving_average_after_one_step(clip: Clip) -> None:
    model = model_of(target=HALF, optimizer=FAST)
    start = state(model, "encoder.")
    train(model, [clip], 1)
    online, teacher = state(model, "encoder."), state(model, "target.teacher.")
    assert not equal(start, online)
    for key, value in start.items():
        expected = 0.5 * (value + online[key])
        torch.testing.assert_close(teacher[key.replace("encoder.", "target.teacher.", 1)], expected)


def test_teacher_is_never_trained(trained: tuple[VideoJEPA, list[dict[str, float]]]) -> None:
    teacher = trained[0].target.teacher
    assert teacher is not None
    assert all(parameter.grad is None for parameter in teacher.parameters())
    optimized = {id(p) for group in trained[0].configure_optimizers().param_groups for p in group["params"]}
    assert not optimized & {id(parameter) for parameter in teacher.parameters()}


def test_micro_batches_share_a_step_and_number_their_samples() -> None:
    RecordingMasker.calls.clear()
    clips = [noise_clip(4, seed=seed) for seed in range(4)]
    model = model_of(masker=RecordingMasker(), target=HALF, optimizer=FAST)
    online = [state(model, ENCODER)]  # the initial weights, then those after each micro-batch
    append = LambdaCallback(on_train_batch_end=lambda *args: online.append(state(model, ENCODER)))
    trainer = train(model, clips, 2, accumulate_grad_batches=2, callbacks=[append])
    assert RecordingMasker.calls == [(0, 0, 4), (0, 4, 4), (1, 0, 4), (1, 4, 4)]
    assert trainer.global_step == model.total_steps == 2
    initial, _, first, _, second = (weights[f"{ENCODER}.weight"] for weights in online)
    assert [equal(online[i], online[i + 1]) for i in range(4)] == [True, False, True, False]
    teacher = state(model)[f"target.teacher.{ENCODER.removeprefix('encoder.')}.weight"]
    torch.testing.assert_close(teacher, 0.25 * initial + 0.25 * first + 0.5 * second)


def test_accumulated_micro_batches_equal_one_larger_batch() -> None:
    # One square block hides equally many tokens of every clip, so that no micro-batch is trimmed further than another.
    masker = MultiBlockMasker((BlockMask(1, (0.3, 0.3), (1.0, 1.0), (1.0, 1.0)), BlockMask(1, (0.6, 0.6))))
    clips, gradients = [noise_clip(4, seed=seed) for seed in range(4)], []

    def keep(trainer: Trainer, module: LightningModule, optimizer: Any) -> None:
        gradients.append({name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None})

    callback = LambdaCallback(on_before_optimizer_step=keep)
    for accumulate, batches in ((2, clips), (1, [both(*clips[:2]), both(*clips[2:])])):
        model = model_of(masker=masker, optimizer=FAST)
        train(model, batches, 2, accumulate_grad_batches=accumulate, callbacks=[callback])
    for accumulated, whole in zip(gradients[:2], gradients[2:], strict=True):
        assert accumulated.keys() == whole.keys()
        for name, gradient in whole.items():
            torch.testing.assert_close(accumulated[name], gradient, rtol=1e-3, atol=1e-5 * float(gradient.abs().max()))


def both(one: Clip, other: Clip) -> Clip:
    """The clips of two batches in one."""
    return Clip(*(torch.cat([getattr(one, name), getattr(other, name)]) for name in ("frames", "index", "labels")))


def test_resuming_continues_as_if_nothing_had_happened(clip: Clip, tmp_path: Path) -> None:
    class Save(Callback):
        def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
            if trainer.global_step == 2:
                trainer.save_checkpoint(tmp_path / "two.ckpt")

    def fresh() -> VideoJEPA:
        return model_of(FactorizedVideoJEPA, objectives=every_term(), optimizer=FAST, target=HALF)

    whole, resumed = fresh(), fresh()
    train(whole, [clip] * 4, 4, callbacks=[Save()])
    train(resumed, [clip] * 4, 4, ckpt_path=tmp_path / "two.ckpt")
    assert equal(state(whole), state(resumed))


def test_validation_repeats_its_masks(clip: Clip) -> None:
    terms = Objectives(prediction=TargetPrediction(), context=ContextPrediction())
    model, trainer = model_of(objectives=terms), Trainer(**QUIET)
    first, again = (trainer.validate(model, loader([clip, noise_clip(seed=1)]), verbose=False)[0] for _ in range(2))
    assert first == again
    assert set(first) == {"val/objective/prediction", "val/objective/context"}


# -- evaluation


def test_frozen_weights_are_those_asked_for(trained: tuple[VideoJEPA, list[dict[str, float]]], frames: Tensor) -> None:
    model, _ = trained
    initial = model_of()
    assert torch.equal(model.frozen("init")(frames), initial.frozen("online")(frames))
    assert torch.equal(model.frozen("init")(frames), initial.frozen("teacher")(frames))
    online = model.encoder(model.pixels(frames)).detach()
    torch.testing.assert_close(model.frozen("online")(frames).flatten(1, 2), online)
    tokens = {weights: model.frozen(weights)(frames) for weights in ("teacher", "online", "init")}
    assert torch.equal(model.frozen()(frames), tokens["teacher"])
    for one, other in (("teacher", "online"), ("teacher", "init"), ("online", "init")):
        assert not torch.allclose(tokens[one], tokens[other], atol=1e-5)


def test_frozen_shape(frames: Tensor) -> None:
    frozen = model_of(image_frames=6).frozen()
    assert frozen(frames).shape == (8, 4, 16, 96)
    assert frozen(frames[:, :1]).shape == (8, 3, 16, 96)
    assert frozen(frames).dtype == torch.float32


@pytest.mark.parametrize(("reading", "weights"), [("as_described", "online"), ("as_released", "init")])
def test_without_a_teacher_the_reading_decides(frames: Tensor, reading: Any, weights: Any) -> None:
    model = model_of(target=TargetOptions("self"), reading=reading)
    with torch.no_grad():
        model.encoder.norms_block[3].bias.add_(1.0)
    assert model.evaluated_weights == weights
    assert torch.equal(model.frozen()(frames), model.frozen(weights)(frames))
    with pytest.raises(UserError, match="no teacher"):
        model.frozen("teacher")
