"""Terms on several processes: what each says of itself in ``across_ranks``, with real processes and real DDP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from tests.vjepa.objectives.samples import CASES, GRID, WIDTH, build, sample
from tests.vjepa.runs import loader, model_of, noise_clip
from vjepa.latents import Latents, Masks
from vjepa.module import FactorizedVideoJEPA
from vjepa.objectives import REGISTRY, Objective, Objectives
from vjepa.targets import TargetOptions

WORLD = 2
BATCH = 4
EVEN = ((0, 1), (2, 3))
"""Samples of each rank."""
UNEVEN = ((0,), (1, 2, 3))
MORE = {
    "latent_dynamics_hard": ("latent_dynamics", {"hard_weighting": "detached_weights", "temperature": 0.2}),
    "latent_dynamics_no_gradient": ("latent_dynamics", {"hard_weighting": "no_gradient"}),
    "sigreg_1": ("sigreg", {"scale": "1"}),
}
"""Options that change how a term behaves across ranks, or whether it has a gradient."""
TERMS: dict[str, tuple[str, dict[str, Any]]] = {**CASES, **MORE}


class Step(nn.Module):
    """A term behind one layer that all tokens share, as they share an encoder."""

    def __init__(self, case: str) -> None:
        super().__init__()
        name, options = TERMS[case]
        self.term: Objective = build(REGISTRY[name](**options))
        self.shared = nn.Linear(4 * WIDTH, 4 * WIDTH)
        with torch.no_grad():
            self.shared.weight.copy_(torch.eye(4 * WIDTH))
            self.shared.bias.zero_()

    def forward(self, latents: Latents) -> Tensor:
        encoded: dict[str, Any] = {
            name: tuple(map(self.shared, getattr(latents, name)))
            for name in ("context", "predicted", "predicted_context")
        }
        if self.term.needs_target_gradient:
            encoded["targets"] = self.shared(latents.targets)
        touch = 0.0 * sum(parameter.sum() for parameter in self.shared.parameters())
        return self.term(replace(latents, **encoded)).loss + touch


@dataclass(frozen=True)
class Outcome:
    """Loss of one process, and the gradients that its optimizer would see."""

    loss: Tensor
    gradients: dict[str, Tensor]


def whole_batch() -> Latents:
    """Samples whose masks differ in place and agree in every count: tokens, pairs, triples, full columns."""

    def columns(*chosen: tuple[int, Sequence[int]]) -> tuple[Tensor, Tensor]:
        tokens = torch.tensor([time * GRID.frame_tokens + place for place, times in chosen for time in times])
        time, place = tokens // GRID.frame_tokens, tokens % GRID.frame_tokens
        moved = (place + 2 * torch.arange(BATCH)[:, None]) % GRID.frame_tokens  # (B, K)
        context = (time * GRID.frame_tokens + moved).sort(dim=1).values
        hidden = torch.ones(BATCH, GRID.num_tokens, dtype=torch.bool).scatter_(1, context, False)
        return context, hidden.nonzero()[:, 1].view(BATCH, -1)

    every = range(GRID.time)
    masks = (columns((0, every), (4, every), (5, (0, 2)), (7, (1, 2, 3))), columns((3, every), (6, (1, 2)), (8, (0,))))
    return sample(batch=BATCH, masks=Masks(*zip(*masks, strict=True)))


def part(latents: Latents, samples: Sequence[int]) -> Latents:
    """Some of the samples."""
    rows = list(samples)
    tokens: dict[str, Any] = {
        name: tuple(each.detach()[rows] for each in getattr(latents, name))
        for name in ("context", "predicted", "predicted_context")
    }
    indices = (tuple(each[rows] for each in kind) for kind in (latents.masks.context, latents.masks.target))
    return replace(latents, masks=Masks(*indices), pixels=latents.pixels[rows], targets=latents.targets[rows], **tokens)


def outcome(module: nn.Module, latents: Latents) -> Outcome:
    loss = module(latents)
    loss.backward()
    named = (
        module.module.named_parameters() if isinstance(module, DistributedDataParallel) else module.named_parameters()
    )
    return Outcome(loss.detach(), {name: p.grad.clone() for name, p in named if p.grad is not None})


def work(rank: int, folder: str) -> None:
    """One process: every case under DDP, without a search for unused parameters."""
    torch.set_num_threads(1)
    store = f"file://{folder}/store"
    dist.init_process_group("gloo", store, timedelta(seconds=60), world_size=WORLD, rank=rank)
    latents, found = whole_batch(), {}
    for name, shards in (("even", EVEN), ("uneven", UNEVEN)):
        for case in TERMS:
            module = DistributedDataParallel(Step(case))
            found[name, case] = outcome(module, part(latents, shards[rank]))
    held_out = []
    with torch.inference_mode():  # the second rank has one batch more, as the last of a split may
        for _ in range(1 + rank):
            held_out.append({case: Step(case)(part(latents, EVEN[rank])) for case in TERMS})
    torch.save({"steps": {key: (o.loss, o.gradients) for key, o in found.items()}, "held_out": held_out},
               f"{folder}/rank{rank}.pt")  # fmt: skip
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two processes found, started once for all tests."""
    folder = tmp_path_factory.mktemp("ranks")
    spawn(work, (str(folder),), nprocs=WORLD)
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(WORLD)]


def outcomes(ranks: list[dict[str, Any]], split: str, case: str) -> list[Outcome]:
    return [Outcome(*rank["steps"][split, case]) for rank in ranks]


def cases_of(*kinds: str) -> list[str]:
    """Cases whose built term declares one of these behaviours."""
    return [case for case in TERMS if Step(case).term.across_ranks in kinds]


def alone(case: str, samples: Sequence[int] = range(BATCH)) -> Outcome:
    return outcome(Step(case), part(whole_batch(), samples))


def assert_same_gradients(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        scale = max(1.0, other[name].abs().max().item())
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=1e-6 * scale, msg=name)


@pytest.mark.ddp
@pytest.mark.parametrize("case", list(TERMS))
def test_ranks_leave_with_the_same_gradients(ranks: list[dict[str, Any]], case: str) -> None:
    for split in ("even", "uneven"):
        one, other = outcomes(ranks, split, case)
        assert one.gradients.keys() == other.gradients.keys()
        assert all(torch.equal(one.gradients[name], other.gradients[name]) for name in one.gradients)
        assert all(gradient.isfinite().all() for gradient in one.gradients.values())


@pytest.mark.ddp
@pytest.mark.parametrize("case", cases_of("mean"))
def test_mean_over_ranks_equals_one_process(ranks: list[dict[str, Any]], case: str) -> None:
    found, expected = outcomes(ranks, "even", case), alone(case)
    mean = torch.stack([each.loss for each in found]).mean()
    torch.testing.assert_close(mean, expected.loss, rtol=1e-6, atol=1e-6)
    assert found[0].loss != found[1].loss
    assert_same_gradients(found[0].gradients, expected.gradients)


@pytest.mark.ddp
@pytest.mark.parametrize("split", ["even", "uneven"])
@pytest.mark.parametrize("case", cases_of("global"))
def test_global_statistics_equal_one_process_on_every_rank(ranks: list[dict[str, Any]], case: str, split: str) -> None:
    found, expected = outcomes(ranks, split, case), alone(case)
    for each in found:
        torch.testing.assert_close(each.loss, expected.loss, rtol=1e-6, atol=1e-6)
    assert expected.gradients["shared.weight"].abs().sum() > 0
    assert_same_gradients(found[0].gradients, expected.gradients)


@pytest.mark.ddp
@pytest.mark.parametrize("case", cases_of("per_rank"))
def test_statistics_of_a_rank_are_its_own(ranks: list[dict[str, Any]], case: str) -> None:
    found, own = outcomes(ranks, "even", case), [alone(case, samples) for samples in EVEN]
    for each, expected in zip(found, own, strict=True):
        torch.testing.assert_close(each.loss, expected.loss, rtol=1e-6, atol=1e-6)
    mean = {name: (own[0].gradients[name] + own[1].gradients[name]) / WORLD for name in own[0].gradients}
    assert_same_gradients(found[0].gradients, mean)
    together = torch.stack([each.loss for each in found]).mean()
    assert not torch.isclose(together, alone(case).loss, rtol=1e-4), "then it is a mean over ranks, and should say so"


@pytest.mark.ddp
@pytest.mark.parametrize("case", list(TERMS))
def test_no_rank_waits_for_another_in_evaluation(ranks: list[dict[str, Any]], case: str) -> None:
    assert [len(rank["held_out"]) for rank in ranks] == [1, 2]
    for rank, samples in zip(ranks, EVEN, strict=True):
        for values in rank["held_out"]:
            torch.testing.assert_close(values[case], alone(case, samples).loss, rtol=1e-6, atol=1e-6)


def test_every_behaviour_is_covered() -> None:
    assert {name for name, _ in TERMS.values()} == set(REGISTRY)
    assert cases_of("mean") and cases_of("global") and cases_of("per_rank")
    assert sorted(cases_of("mean", "global", "per_rank")) == sorted(TERMS)


# -- whole models under Lightning


class KeepState(Callback):
    """Writes each rank's weights at the end of training."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        torch.save(pl_module.state_dict(), self.folder / f"{trainer.global_rank}.pt")


@pytest.mark.slow
@pytest.mark.ddp
@pytest.mark.parametrize("kind", ["ema", "self"])
def test_a_model_with_every_term_trains_on_two_processes(kind: Any, tmp_path: Path) -> None:
    terms = {name: cls() for name, cls in REGISTRY.items()}
    if kind == "ema":
        terms["kinematic"] = REGISTRY["kinematic"](tokens="context")  # type: ignore[call-arg]
    model = model_of(
        FactorizedVideoJEPA, target=TargetOptions(kind, momentum=(0.5, 0.5)), objectives=Objectives(**terms)
    )
    before = {name: value.clone() for name, value in model.named_parameters()}
    trainer = Trainer(
        accelerator="cpu", devices=WORLD, strategy="ddp_spawn", max_steps=3, use_distributed_sampler=False,
        val_check_interval=3, num_sanity_val_steps=1, limit_val_batches=1, callbacks=[KeepState(tmp_path)],
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    clips = [noise_clip(batch=3, seed=seed) for seed in range(3)]
    trainer.fit(model, loader(clips), loader(clips))
    states = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(WORLD)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    learned = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    for name, value in before.items():
        source = name.replace("target.teacher.", "encoder.")
        assert torch.equal(states[0][name], value) == (source not in learned), name
