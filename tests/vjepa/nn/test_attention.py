"""Packed attention: every sequence attends to itself alone, whatever lies beside it."""

from __future__ import annotations

import torch
from torch import Tensor

from vjepa.grid import Grid
from vjepa.nn import Encoder, Predictor, Preset
from vjepa.nn.attention import attend, pack, packing_of, unpack

SMALL = Preset(24, 4, 2, 16, 2, 2)
GRID = Grid(2, 3, 4)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def some(*counts: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [
        torch.stack([torch.randperm(24, generator=generator)[:count] for _ in range(2)]) for count in counts
    ]  # fmt: skip


def test_packed_attention_is_softmax_within_each_sequence() -> None:
    groups = [(3, 5), (2, 1), (1, 7)]
    query, key, value = (draw(24, 2, 4), draw(24, 2, 4) + 1, draw(24, 2, 4) * 2)
    mixed = attend(query, key, value, tuple(groups))
    sequence = torch.cat(
        [torch.arange(number).repeat_interleave(length) + 10 * i for i, (number, length) in enumerate(groups)]
    )
    scores = torch.einsum("phd,qhd->hpq", query, key) / 2
    scores = scores.masked_fill(sequence[:, None] != sequence[None], -torch.inf)
    torch.testing.assert_close(mixed, torch.einsum("hpq,qhd->phd", scores.softmax(-1), value))


def test_packing_is_undone() -> None:
    groups = [draw(2, 3, 4), draw(2, 5, 4)]
    for before, after in zip(groups, unpack(pack(groups), packing_of(groups)), strict=True):
        assert torch.equal(before, after)


def test_masks_in_one_pass_equal_masks_one_by_one() -> None:
    torch.manual_seed(0)
    encoder, predictor = Encoder(SMALL, patch=8).double(), Predictor(SMALL, 8, 2).double()
    for token in predictor.mask_tokens:
        torch.nn.init.normal_(token)
    clip, seen, hidden = draw(2, 3, 4, 24, 32), some(9, 4), some(6, 11)

    def run(packed: bool) -> tuple[list[Tensor], list[Tensor]]:
        if packed:
            context = encoder.levels_of_each(clip, seen)
            found = predictor.each(context, seen, hidden, GRID, [0, 1])
        else:
            context = [encoder.levels(clip, each) for each in seen]
            found = [
                predictor(own, *indices, GRID, token)
                for token, (own, *indices) in enumerate(zip(context, seen, hidden, strict=True))
            ]
        values = [*context, *(part for both in found for part in both)]
        modules = [*encoder.parameters(), *predictor.parameters()]
        loss = torch.stack([value.square().sum() for value in values]).sum()
        return values, list(torch.autograd.grad(loss, modules, allow_unused=True, materialize_grads=True))

    for one, other in zip(run(True), run(False), strict=True):
        torch.testing.assert_close(one, other)
