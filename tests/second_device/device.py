"""Tensors that are on another device as far as PyTorch can tell, in the memory of the processor.

What would fail on a GPU fails here: operators over tensors of two devices, and values of the device taken for NumPy.
What would wait for a GPU is counted: values that are read, shapes that depend on values, and copies without
``non_blocking``. The device belongs to a process for good, so tests use it in a process of their own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.library import Library
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "second"
DEVICE = torch.device("privateuseone", 0)  # known by its name once it is set up

waits: list[str] = []
"""Operators that had to wait for the device, in order."""

_COPIES = {"_to_copy": 0, "copy_": 1}
"""Operators that take data from device to device, and which argument the data is."""
_READ = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2", "unique_dim", "is_nonzero"}
_INDEXED = {"index", "index_put", "index_put_", "_index_put_impl_"}
"""Operators that take indices of the processor, and wait for their copy; masks they wait for too, to count them."""


class Away(Tensor):
    """A tensor of the device; ``held`` is its data."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> Away:
        """Say that ``held`` is on the device."""
        with torch.inference_mode(False):  # a view of what was made outside that mode must not be made within it
            away: Away = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
                cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype,
                device=DEVICE, requires_grad=held.requires_grad,
            )  # fmt: skip
        away.held = held
        return away

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})

    def tolist(self) -> Any:
        """As of tensors of a GPU; PyTorch refuses it to subclasses."""
        return self.cpu().tolist()

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Stored as the data it holds, as weights of a GPU are once they are loaded elsewhere."""
        return self.held.__reduce_ex__(protocol)

    def __repr__(self, **_: Any) -> str:
        return f"Away({self.held!r})"


class SecondDevice(TorchDispatchMode):
    """Where tensors can be made on the device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Module(_DummyBackendModule):
    """What PyTorch and Lightning ask of ``torch.second``."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]

    def get_rng_state(self, device: Any = None) -> Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: Tensor, device: Any = None) -> None:
        """Leave it alone: nothing is drawn there."""


def _empty(size: Any, *, dtype: Any = None, memory_format: Any = None, **_: Any) -> Away:
    return Away(torch.empty(size, dtype=dtype, memory_format=memory_format or torch.contiguous_format))


def _empty_strided(size: Any, stride: Any, *, dtype: Any = None, **_: Any) -> Away:
    return Away(torch.empty_strided(size, stride, dtype=dtype))


def _copy_from(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    waits.append("copy_from")
    held = [each.held if isinstance(each, Away) else each for each in (source, target)]
    held[1].copy_(held[0])
    return target


_LIBRARY = Library("aten", "IMPL")
"""What ``torch.tensor`` asks of a device when it has put every mode aside."""


def set_up() -> torch.device:
    """Make the device known to this process, for good."""
    global DEVICE
    _setup_privateuseone_for_python_backend(NAME, _Module())
    torch.__future__.set_swap_module_params_on_conversion(True)  # a module moves there by new parameters
    DEVICE = torch.device(NAME, 0)
    kernels = {"empty.memory_format": _empty, "empty_strided": _empty_strided, "_copy_from": _copy_from}
    for name, kernel in kernels.items():
        _LIBRARY.impl(name, kernel, "PrivateUse1")
    return DEVICE


def _run(func: Any, args: Any, kwargs: Any) -> Any:
    """Run an operator on the data; say where its result is, and whether that took a wait."""
    name = func.overloadpacket.__name__
    if name == "_fused_sdp_choice":
        return 0  # attention of plain operators: the fused kernels of the processor know their own device only
    if name in ("_pin_memory", "pin_memory"):
        return args[0]
    flat, spec = tree_flatten((args, kwargs))
    is_away = any(isinstance(each, Away) for each in flat)
    asked = kwargs.get("device")
    to_device = is_away if asked is None else torch.device(asked).type == NAME
    if name in _COPIES:
        source = args[_COPIES[name]]
        waited_for = not kwargs.get("non_blocking", False)
        if name == "copy_":  # (to, from, non_blocking)
            to_device, waited_for = isinstance(args[0], Away), waited_for and not any(args[2:])
        if isinstance(source, Away) != to_device and (waited_for or not to_device):
            waits.append(name)
    elif is_away:
        if name in _READ:
            waits.append(name)
            to_device = to_device and name != "_local_scalar_dense"
        _check_devices(name, flat)
    if asked is not None:
        flat = [torch.device("cpu") if isinstance(each, torch.device) else each for each in flat]
    held_args, held_kwargs = tree_unflatten([each.held if isinstance(each, Away) else each for each in flat], spec)
    found = func(*held_args, **held_kwargs)
    if not to_device:
        return found
    given = {id(each.held): each for each in flat if isinstance(each, Away)}
    return tree_map(lambda each: _wrap(each, given), found)


def _wrap(found: Any, given: dict[int, Away]) -> Any:
    if not isinstance(found, Tensor) or isinstance(found, Away):
        return found
    # Marks that a tensor is to be read conjugated or negated are lost on data that is hidden from the dispatcher.
    return given[id(found)] if id(found) in given else Away(found.resolve_conj().resolve_neg())


def _check_devices(name: str, flat: list[Any]) -> None:
    here = [each for each in flat if isinstance(each, Tensor) and not isinstance(each, Away) and each.ndim > 0]
    if name in _INDEXED:
        if here or any(isinstance(each, Tensor) and each.dtype == torch.bool for each in flat[1:]):
            waits.append(name)
    elif here:
        raise RuntimeError(f"{name}: tensors of two devices, one of {tuple(here[0].shape)} on the processor")
