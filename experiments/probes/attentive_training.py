"""Trains the members of an attentive probe, each with its own learning rate and weight decay, on the same batches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from threading import Event
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from experiments.evaluation.features.token_source import TokenSource
from experiments.probes.labelled import Labelled
from experiments.side_by_side import side_by_side
from vjepa.nn.attentive import AttentiveProbes

if TYPE_CHECKING:
    from experiments.probes.attentive import AttentiveSettings

MEMORY_LIMIT = 2**29
"""Most bytes of normalised tokens that a fit holds."""


def train_members(
    module: AttentiveProbes,
    settings: AttentiveSettings,
    train: Labelled,
    generator: torch.Generator,
    device: torch.device,
) -> AttentiveProbes:
    """Train all members; on a processor, groups of them at once on as many threads as torch has.

    Members share nothing, so groups change no number. Clips that are used again and again are read and normalised
    once, where all of them fit; clips that are read at every step are read for one group alone.

    Args:
        module: all members, fresh.
        settings: architecture and training.
        train: labelled clips.
        generator: of their order.
        device: to train on.

    Returns:
        The trained members, on the device.
    """
    batches = _batches(len(train.labels), settings.batch_size, generator)
    order = [chosen.to(device) for chosen in islice(batches, settings.num_steps)]
    labels = train.labels.to(device)
    count, held = len(settings.members), _held(train.source, device)
    num_groups = 1 if held is None or device.type != "cpu" else min(count, torch.get_num_threads())
    parts = [slice(count * number // num_groups, count * (number + 1) // num_groups) for number in range(num_groups)]
    groups = [module.some(part).to(device) for part in parts]

    def train_group(group: AttentiveProbes, part: slice, left: Event) -> None:
        tokens = (held[chosen] for chosen in order) if held is not None else _streamed(train.source, order, device)
        _train(group, settings, settings.members[part], zip(tokens, (labels[chosen] for chosen in order)), left)

    side_by_side([partial(train_group, *each) for each in zip(groups, parts, strict=True)])
    states = [group.state_dict() for group in groups]
    module.to(device).load_state_dict({name: torch.cat([state[name] for state in states]) for name in states[0]})
    return module


def _train(
    module: AttentiveProbes,
    settings: AttentiveSettings,
    members: Sequence[tuple[float, float]],
    batches: Iterable[tuple[Tensor, Tensor]],
    left: Event,
) -> None:
    """Train on (normalised tokens, labels) of each step, until the event is set."""
    optimizer = member_optimizer(module, members)
    rates = [group["lr"] for group in optimizer.param_groups]
    module.overwrites_gradients = True
    written = set(map(id, module.written))
    parameters = [parameter for parameter in module.parameters() if id(parameter) not in written]
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    for step, (tokens, labels) in enumerate(batches):
        if left.is_set():
            return
        logits = module(tokens)  # (G, B, C)
        target = labels.expand(logits.shape[0], -1)
        # Members share nothing, so the gradient of the sum is each member's own gradient.
        loss = F.cross_entropy(logits.flatten(0, 1), target.flatten()) * logits.shape[0]
        # Written over the last ones, which is less traffic than to clear them and add.
        torch._foreach_copy_(gradients, torch.autograd.grad(loss, parameters))
        factor = _schedule(step, settings.num_steps, settings.warmup_ratio)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        optimizer.step()


def _held(source: TokenSource, device: torch.device) -> Tensor | None:
    """What the probes see of every clip, (n, N, E) float32 on the device; None where it does not fit."""
    if len(source) * source.token_bytes > MEMORY_LIMIT:
        return None
    pieces = source.pieces(source.token_bytes)
    return torch.cat([_normalised(source.batch(piece), device) for piece in pieces])


def _streamed(source: TokenSource, order: Sequence[Tensor], device: torch.device) -> Iterator[Tensor]:
    for tokens in source.stream(chosen.cpu() for chosen in order):
        yield _normalised(tokens, device)


def _normalised(tokens: Tensor, device: torch.device) -> Tensor:
    return AttentiveProbes.normalise(tokens.to(device).flatten(1, 2))


def _batches(num_clips: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    while True:
        yield from torch.randperm(num_clips, generator=generator).split(batch_size)


def member_optimizer(module: AttentiveProbes, members: Sequence[tuple[float, float]]) -> torch.optim.Optimizer:
    """Return AdamW over the members of stacked parameters, each with its own learning rate and weight decay.

    It holds all weights of a member in one piece, and so their gradients, of which those of the module become views:
    gradients must be cleared and written in place. Gains, biases and the query are not decayed.

    Args:
        module: G members.
        members: G pairs of learning rate and weight decay.
    """
    groups: list[dict[str, Any]] = []
    for decayed in (True, False):
        parameters = [parameter for parameter in module.parameters() if (parameter.ndim > 2) == decayed]
        values = torch.cat([parameter.detach().flatten(1) for parameter in parameters], dim=1)
        gradients = torch.zeros_like(values)
        sizes = [parameter[0].numel() for parameter in parameters]
        for parameter, value, gradient in zip(
            parameters, values.split(sizes, dim=1), gradients.split(sizes, dim=1), strict=True
        ):
            parameter.data, parameter.grad = value.view(parameter.shape), gradient.view(parameter.shape)
        for value, gradient, (rate, decay) in zip(values, gradients, members, strict=True):
            piece = nn.Parameter(value)
            piece.grad = gradient
            groups.append({"params": [piece], "lr": rate, "weight_decay": decay if decayed else 0.0})
    return torch.optim.AdamW(groups, fused=True)


def _schedule(step: int, total: int, warmup_ratio: float) -> float:
    warmup = max(1, round(total * warmup_ratio))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))
