"""Parameters, gradients and moments divided over processes (FSDP2), for presets that one device cannot hold."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method


def shard(network: nn.Module, mesh: DeviceMesh, blocks: Iterable[nn.Module] = (), methods: Iterable[str] = ()) -> None:
    """Divide a network in place: its blocks one by one, then what is left of it.

    Args:
        network: has at least one parameter of its own or in a block.
        mesh: one axis of processes.
        blocks: gathered one at a time, when they run.
        methods: of the network that read its parameters, besides ``forward``.

    Everything is divided again after the forward pass, so that between steps all parameters are shards and the
    teacher's average is taken shard by shard.
    """
    for block in blocks:
        fully_shard(block, mesh=mesh, reshard_after_forward=True)
    fully_shard(network, mesh=mesh, reshard_after_forward=True)
    for name in methods:
        register_fsdp_forward_method(network, name)
