"""Affine maps, on processors with 512-bit instructions through oneDNN.

torch gives float32 products on x86 to MKL, which keeps to 256-bit instructions on processors that are not Intel's.
oneDNN, which is part of torch too, uses 512 bits on every processor that has them: 2.2 times as fast on an AMD EPYC of
the fifth generation, in the same precision. torch has no switch that chooses it and keeps attention as fast as it is
(``torch.backends.mkldnn.matmul.fp32_precision`` makes that seven times as slow), so the map itself calls it.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import register_flop_formula


class Linear(nn.Linear):
    """``torch.nn.Linear`` through ``affine``: same weights, same names."""

    def forward(self, input: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        return affine(input, self.weight, self.bias)


def affine(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x @ weight.T + bias``, any number of times differentiable.

    Args:
        x: (..., E).
        weight: (D, E).
        bias: (D,); None: 0.

    Returns:
        (..., D). On a processor in float32 it may differ from ``torch.nn.functional.linear`` by the order of additions.
    """
    # Compilers know torch's own map, ask of this one that weights are constants, and must not compare sizes of masks.
    if not _ONEDNN or torch.compiler.is_compiling() or not _pays(x, weight):
        return F.linear(x, weight, bias)
    if not torch.is_grad_enabled():
        return _product(x, weight, bias)
    found: Tensor = _Affine.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return found


def _has_onednn() -> bool:
    """Whether torch was built with oneDNN's affine map, and the processor has the instructions that make it pay."""
    built = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return built and torch.backends.cpu.get_cpu_capability() == "AVX512"


_ONEDNN = _has_onednn()
_LARGE = 3 * 2**20
"""Multiplications from which a call of oneDNN saves more than it costs: finding its kernel takes ten microseconds."""


def _pays(x: Tensor, weight: Tensor) -> bool:
    """Whether this is a large product of float32 tensors in the processor's memory that autocast leaves alone."""
    if x.numel() * weight.shape[0] < _LARGE or x.numel() == 0 or x.ndim < 2 or torch.is_autocast_enabled("cpu"):
        return False
    return all(
        each.device.type == "cpu" and each.dtype == torch.float32 and type(each) in (Tensor, nn.Parameter)
        for each in (x, weight)
    )


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return found


class _Affine(torch.autograd.Function):
    """The map and its gradients, which are maps again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        (x, weight), (gradient,) = ctx.saved_tensors, gradients
        of_x, of_weight, of_bias = ctx.needs_input_grad
        left, right = gradient.flatten(0, -2), x.flatten(0, -2)
        return (
            affine(gradient, weight.T) if of_x else None,
            _outer(left, right) if of_weight else None,
            left.sum(0) if of_bias else None,
        )


def _outer(left: Tensor, right: Tensor) -> Tensor:
    """``left.T @ right`` of (P, D) and (P, E); oneDNN is up to 1.7 times as fast with the narrower side first."""
    if left.shape[1] <= right.shape[1]:
        return affine(left.T, right.T)
    return affine(right.T, left.T).T


def _operations(x: Any, weight: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
    """Of one product, for torch's counter: shapes (..., E) and (D, E)."""
    *rows, inner = x
    return 2 * torch.Size(rows).numel() * inner * int(weight[0])


if _ONEDNN:
    register_flop_formula(torch.ops.mkldnn._linear_pointwise)(_operations)
