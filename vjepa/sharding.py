"""Parameters, gradients and moments divided over processes (FSDP2), for presets that one device cannot hold."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

from vjepa.nn import Encoder, Predictor


def shard(encoders: Iterable[Encoder], predictor: Predictor, heads: Iterable[nn.Module], mesh: DeviceMesh) -> None:
    """Divide the parts of a model in place.

    Args:
        encoders: the online one, and the teacher where there is one.
        predictor: predicts from their tokens.
        heads: terms of the loss; those without parameters stay as they are.
        mesh: one axis of processes.

    Everything is divided again after the forward pass, so that between steps all parameters are shards and the
    teacher's average is taken shard by shard.
    """
    for encoder in encoders:
        _divide(encoder, mesh, encoder.blocks, ("levels", "levels_of_each"))
    _divide(predictor, mesh, predictor.predictor_blocks, ("each",))
    for head in heads:
        if any(True for _ in head.parameters()):
            _divide(head, mesh)


def _divide(
    network: nn.Module, mesh: DeviceMesh, blocks: Iterable[nn.Module] = (), methods: Iterable[str] = ()
) -> None:
    """Blocks, which are gathered one at a time when they run, then the rest; ``methods`` read it besides forward."""
    for block in blocks:
        fully_shard(block, mesh=mesh, reshard_after_forward=True)
    fully_shard(network, mesh=mesh, reshard_after_forward=True)
    for name in methods:
        register_fsdp_forward_method(network, name)
