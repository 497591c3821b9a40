"""Counts what a step asks of a device: arithmetic operations, operators that are launched, and memory."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import (
    FlopCounterMode,
    flop_registry,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)  # fmt: skip


class FlopCounter(FlopCounterMode):
    """torch's counter of matrix products and attention; one addition counts as one operation.

    Counts attention on processors with every torch; that of 2.11 leaves it out.
    """

    def __init__(self) -> None:
        aten = torch.ops.aten
        attention = {
            aten._scaled_dot_product_flash_attention_for_cpu: _attention,
            aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
        }
        missing = {operator: formula for operator, formula in attention.items() if operator not in flop_registry}
        super().__init__(display=False, custom_mapping=missing)


def _attention(query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


def _attention_backward(
    gradient: Any, query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any
) -> int:
    return int(sdpa_backward_flop_count(gradient, query, key, value))


class OperatorCounter(TorchDispatchMode):
    """Counts operators that write memory: on a GPU, about the kernels that are launched; views are none."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        views = (one.alias_info is not None and not one.alias_info.is_write for one in func._schema.returns)
        self.count += not any(views)
        return func(*args, **(kwargs or {}))


class StorageCounter(TorchDispatchMode):
    """Counts bytes of the storages on a kind of device that are alive, now and at most."""

    def __init__(self, device: str = "cuda") -> None:
        super().__init__()
        self.device = device
        self.live = self.peak = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def add(self, found: Iterable[Any]) -> None:
        """Take note of tensors; views of a storage count once."""
        for each in found:
            if isinstance(each, Tensor) and each.device.type == self.device:
                self._add(each.untyped_storage())
        self.peak = max(self.peak, self.live)

    def _add(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._known:
            self.live += size
            self._known[key] = weakref.ref(storage, lambda _: self._forget(key, size))

    def _forget(self, key: int, size: int) -> None:
        self.live -= size
        del self._known[key]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        self.add(tree_leaves(found))
        return found
