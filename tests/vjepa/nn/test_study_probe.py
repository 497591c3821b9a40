"""The study's attentive classifier equals full self-attention, and the study's own numbers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.conftest import Golden
from vjepa.nn.study_probe import StudyAttentiveProbe


def full_attention(probe: StudyAttentiveProbe, tokens: Tensor) -> Tensor:
    """The definition: every row attends, one is read."""
    x = torch.cat([probe.cls_token.expand(len(tokens), -1, -1), tokens], dim=1)
    x = probe.norm(x + probe.attn(x, x, x, need_weights=False)[0])
    return probe.head(x[:, 0])


@pytest.mark.parametrize(("benchmark", "is_pooled"), [("diving48", False), ("ssv2", True)])
def test_output_equals_the_study(golden: Golden, benchmark: str, is_pooled: bool) -> None:
    case = golden("data")
    prefix = f"eval_{benchmark}_"
    weights = {key.removeprefix(f"{prefix}sd/"): value for key, value in case.items() if key.startswith(f"{prefix}sd/")}
    probe = StudyAttentiveProbe(32, 5)
    probe.load_state_dict(weights)
    tokens = case[f"{prefix}x"][:, None] if is_pooled else case[f"{prefix}x"]
    torch.testing.assert_close(probe(tokens), case[f"{prefix}y"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("num_tokens", [1, 11])
def test_output_and_gradients_equal_full_attention(num_tokens: int) -> None:
    torch.manual_seed(0)
    probe = StudyAttentiveProbe(16, 5)
    with torch.no_grad():
        for parameter in probe.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    tokens = torch.randn(4, num_tokens, 16)
    gradients = []
    for forward in (probe, lambda x: full_attention(probe, x)):
        probe.zero_grad()
        logits = forward(tokens)
        logits.square().sum().backward()
        gradients.append([logits.detach(), *(p.grad.clone() for p in probe.parameters() if p.grad is not None)])
    assert len(gradients[0]) == len(gradients[1]) == 1 + len(list(probe.parameters()))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=2e-5)


def test_order_of_tokens_is_invisible() -> None:
    probe = StudyAttentiveProbe(16, 5)
    tokens = torch.randn(2, 9, 16)
    torch.testing.assert_close(probe(tokens.flip(1)), probe(tokens))


def test_a_width_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="width 20 is not divisible by 8 heads"):
        StudyAttentiveProbe(20, 5)
