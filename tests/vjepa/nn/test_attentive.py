"""The stacked attentive pooler is the plain one, several times."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vjepa.nn.attentive import LAYER_NORM_EPS, AttentiveProbes

WIDTH, HEADS, CLASSES = 24, 4, 5


def randomised(num_members: int, mlp_ratio: float = 2.0) -> AttentiveProbes:
    probes = AttentiveProbes(num_members, WIDTH, CLASSES, HEADS, mlp_ratio, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in probes.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return probes


def textbook(probes: AttentiveProbes, member: int, tokens: Tensor) -> Tensor:
    """The same classifier with torch's own attention, which projects every token to keys and values."""
    p = {name: value[member] for name, value in probes.named_parameters()}
    attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
    with torch.no_grad():
        attention.in_proj_weight.copy_(torch.cat([p["query_proj"].T, p["key"].T, p["value"].T]))
        attention.in_proj_bias.copy_(torch.cat([p["query_bias"], torch.zeros(WIDTH), p["value_bias"]]))
        attention.out_proj.weight.copy_(p["proj"].T)
        attention.out_proj.bias.copy_(p["proj_bias"])

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (WIDTH,), p[f"{name}_weight"], p[f"{name}_bias"], LAYER_NORM_EPS)

    query = p["query"].expand(len(tokens), 1, -1)
    normed = norm(tokens, "norm_tokens")
    x = query + attention(query, normed, normed, need_weights=False)[0]
    if probes.has_mlp:
        x = x + F.gelu(norm(x, "norm_mlp") @ p["fc1"] + p["fc1_bias"]) @ p["fc2"] + p["fc2_bias"]
    return (norm(x, "norm_out") @ p["head"] + p["head_bias"])[:, 0]


@pytest.mark.parametrize("mlp_ratio", [2.0, 0.0])
def test_each_member_equals_textbook_attention(mlp_ratio: float) -> None:
    probes = randomised(3, mlp_ratio)
    tokens = 2 + 3 * torch.randn(7, 10, WIDTH, generator=torch.Generator().manual_seed(2))
    logits = probes(probes.normalise(tokens))
    assert logits.shape == (3, 7, CLASSES)
    for member in range(3):
        assert torch.allclose(logits[member], textbook(probes, member, tokens), atol=1e-4)


def test_attention_of_each_head_is_that_of_textbook_attention() -> None:
    probes = randomised(3)
    tokens = torch.randn(4, 7, WIDTH, generator=torch.Generator().manual_seed(2))
    found = probes.attention(probes.normalise(tokens))
    assert found.shape == (3, 4, HEADS, 7)
    for member in range(3):
        p = {name: value[member] for name, value in probes.named_parameters()}
        attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        with torch.no_grad():
            attention.in_proj_weight.copy_(torch.cat([p["query_proj"].T, p["key"].T, p["value"].T]))
            attention.in_proj_bias.copy_(torch.cat([p["query_bias"], torch.zeros(WIDTH), p["value_bias"]]))
        normed = F.layer_norm(tokens, (WIDTH,), p["norm_tokens_weight"], p["norm_tokens_bias"], LAYER_NORM_EPS)
        query = p["query"].expand(len(tokens), 1, -1)
        _, expected = attention(query, normed, normed, average_attn_weights=False)
        torch.testing.assert_close(found[member], expected[:, :, 0], atol=1e-5, rtol=1e-4)


def test_members_share_nothing() -> None:
    probes = randomised(3)
    tokens = torch.randn(4, 10, WIDTH, generator=torch.Generator().manual_seed(2))
    probes(probes.normalise(tokens))[1].square().sum().backward()
    for name, parameter in probes.named_parameters():
        assert parameter.grad is not None
        assert not parameter.grad[[0, 2]].any(), name
        assert parameter.grad[1].any(), name


@pytest.mark.parametrize("mlp_ratio", [2.0, 0.0])
def test_written_gradients_are_those_of_autograd_and_do_not_add_up(mlp_ratio: float) -> None:
    probes = randomised(2, mlp_ratio)
    tokens = probes.normalise(torch.randn(4, 10, WIDTH, generator=torch.Generator().manual_seed(2)))
    weights = torch.randn(2, 4, CLASSES, generator=torch.Generator().manual_seed(3))
    expected = torch.autograd.grad((probes(tokens) * weights).sum(), list(probes.parameters()))
    others = [parameter for parameter in probes.parameters() if all(parameter is not one for one in probes.written)]
    for parameter in probes.parameters():
        parameter.grad = torch.full_like(parameter, 7.0)
    probes.overwrites_gradients = True
    for _ in range(2):
        for parameter, gradient in zip(
            others, torch.autograd.grad((probes(tokens) * weights).sum(), others), strict=True
        ):
            assert parameter.grad is not None
            parameter.grad.copy_(gradient)
    assert len(others) + len(probes.written) == len(expected)
    for (name, parameter), gradient in zip(probes.named_parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, msg=name)


def test_some_members_say_what_they_said_among_all() -> None:
    probes = randomised(3)
    tokens = probes.normalise(torch.randn(4, 10, WIDTH, generator=torch.Generator().manual_seed(2)))
    torch.testing.assert_close(probes.some(slice(1, 3))(tokens), probes(tokens)[1:])


def test_the_order_of_tokens_does_not_matter() -> None:
    probes = randomised(1)
    tokens = torch.randn(4, 10, WIDTH, generator=torch.Generator().manual_seed(2))
    shuffled = tokens[:, torch.randperm(10, generator=torch.Generator().manual_seed(3))]
    assert torch.allclose(probes(probes.normalise(tokens)), probes(probes.normalise(shuffled)), atol=1e-5)


def test_members_start_equal_and_leave_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    probes = AttentiveProbes(2, WIDTH, CLASSES, HEADS, generator=torch.Generator().manual_seed(0))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(parameter[0], parameter[1]) for parameter in probes.parameters())


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match=r"24 is not divisible by 5 heads"):
        AttentiveProbes(1, WIDTH, CLASSES, 5)
