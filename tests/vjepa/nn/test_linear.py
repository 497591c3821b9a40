"""The affine map through oneDNN: values, gradients of any order, and what it must leave to torch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import grad
from torch.nn.functional import linear
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

import vjepa.nn.linear as subject
from vjepa.nn.linear import Linear, affine

needs_onednn = pytest.mark.skipif(not subject._ONEDNN, reason="no oneDNN with 512-bit instructions on this machine")


@pytest.fixture(autouse=True)
def no_product_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_LARGE", 0)


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype).requires_grad_()


@torch.no_grad()
def error(found: Tensor, exact: Tensor) -> float:
    """Largest difference, in units of the largest value."""
    return float((found.double() - exact).abs().max() / exact.abs().max())


def operators(work: object) -> set[str]:
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        work()  # type: ignore[operator]
    return {event.name for event in seen.events()}


@pytest.mark.parametrize("shape", [(37, 24), (3, 19, 24), (2, 3, 5, 24)], ids=str)
@pytest.mark.parametrize("width", [8, 24, 100])
@pytest.mark.parametrize("has_bias", [True, False])
def test_values_and_gradients_are_those_of_torch(shape: tuple[int, ...], width: int, has_bias: bool) -> None:
    parts = [draw(*shape), draw(width, 24, seed=1), *([draw(width, seed=2)] if has_bias else [])]
    exact = [part.detach().double().requires_grad_() for part in parts]
    value, expected = affine(*parts), linear(*exact)
    assert value.shape == expected.shape
    assert error(value, expected) < 1e-6
    slope = draw(*expected.shape, seed=3)
    for found, wanted in zip(grad(value, parts, slope), grad(expected, exact, slope.double()), strict=True):
        assert found.shape == wanted.shape
        assert error(found, wanted) < 1e-6


def test_second_derivatives_are_those_of_torch() -> None:
    parts = [draw(31, 12), draw(20, 12, seed=1), draw(20, seed=2)]
    exact = [part.detach().double().requires_grad_() for part in parts]

    def penalty(value: Tensor, inputs: list[Tensor]) -> list[Tensor]:
        slopes = grad(value.square().sum(), inputs, create_graph=True)
        return list(grad(sum(slope.square().sum() for slope in slopes), inputs))

    for found, wanted in zip(penalty(affine(*parts), parts), penalty(linear(*exact), exact), strict=True):
        assert error(found, wanted) < 1e-5


def test_transposed_and_strided_inputs() -> None:
    x, weight = draw(24, 40), draw(24, 16, seed=1)
    with torch.no_grad():
        assert error(affine(x.T, weight.T), linear(x.T.double(), weight.T.double())) < 1e-6
        assert error(affine(x.T[::2], weight.T[1::3]), linear(x.T[::2].double(), weight.T[1::3].double())) < 1e-6


def test_only_what_needs_a_gradient_gets_one() -> None:
    x, weight, bias = draw(5, 4).detach(), draw(3, 4, seed=1), draw(3, seed=2).detach()
    affine(x, weight, bias).sum().backward()
    assert weight.grad is not None
    assert x.grad is None and bias.grad is None
    assert not affine(x, weight.detach(), bias).requires_grad


def test_weights_are_those_of_torch_by_name_and_value() -> None:
    torch.manual_seed(0)
    ours = Linear(6, 4)
    torch.manual_seed(0)
    theirs = nn.Linear(6, 4)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(torch.equal(ours.state_dict()[name], value) for name, value in theirs.state_dict().items())
    assert isinstance(ours, nn.Linear)


@pytest.mark.parametrize("shape", [(4,), (0, 4), (2, 0, 4)], ids=str)
def test_a_single_row_and_none(shape: tuple[int, ...]) -> None:
    x, weight, bias = draw(*shape), draw(3, 4, seed=1), draw(3, seed=2)
    found = affine(x, weight, bias)
    assert found.shape == (*shape[:-1], 3)
    assert torch.equal(found, linear(x, weight, bias))
    found.sum().backward()
    assert x.grad is not None and x.grad.shape == x.shape


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_types_are_left_to_torch(dtype: torch.dtype) -> None:
    x, weight = draw(5, 4, dtype=dtype), draw(3, 4, seed=1, dtype=dtype)
    assert torch.equal(affine(x, weight), linear(x, weight))


def test_autocast_is_obeyed() -> None:
    layer, x = Linear(8, 4), draw(5, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x)
    assert found.dtype == torch.bfloat16
    found.float().sum().backward()
    assert layer.weight.grad is not None and layer.weight.grad.dtype == torch.float32


def test_operations_are_counted_as_those_of_torch() -> None:
    def count(layer: nn.Linear) -> int:
        with FlopCounterMode(display=False) as counter:
            layer(draw(2, 11, 8)).sum().backward()
        return int(counter.get_total_flops())

    assert count(Linear(8, 4)) == count(nn.Linear(8, 4)) == 3 * 2 * 22 * 8 * 4


@needs_onednn
def test_onednn_is_called_forward_and_backward() -> None:
    layer, x = Linear(8, 4), draw(5, 8)
    seen = operators(lambda: layer(x).sum().backward())
    assert "mkldnn::_linear_pointwise" in seen
    assert not seen & {"aten::addmm", "aten::mm", "aten::linear"}


@needs_onednn
def test_only_large_products_are_worth_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = Linear(8, 4), draw(5, 8)
    for large, called in ((160, True), (161, False)):
        monkeypatch.setattr(subject, "_LARGE", large)
        assert ("mkldnn::_linear_pointwise" in operators(lambda: layer(x))) == called


def test_without_onednn_torch_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_ONEDNN", False)
    layer, x = Linear(8, 4), draw(5, 8)
    assert torch.equal(layer(x), linear(x, layer.weight, layer.bias))
    assert "mkldnn::_linear_pointwise" not in operators(lambda: layer(x))


def test_compilers_see_one_graph_with_the_map_of_torch() -> None:
    layer = Linear(8, 4)
    explained = torch._dynamo.explain(layer)(draw(5, 8))
    assert explained.graph_break_count == 0
    (graph,) = explained.graphs
    assert [node.target for node in graph.graph.nodes if node.op == "call_function"] == [torch._C._nn.linear]
