"""What is made of a model for its evaluation."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from experiments.evaluation.encoded import encode
from experiments.evaluation.from_model import model_subject
from experiments.results import RowStamp
from vjepa.metrics import predictor_surprise
from vjepa.module import VideoJEPA
from vjepa.targets import TargetOptions

STAMP = RowStamp("none", "none", "baseline", "as_described", "whole", 0, 0, "teacher", "cafe")
FRAMES = torch.randint(256, (3, 4, 32, 32, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.mark.parametrize("case", ["teacher", "online beside a teacher", "online without a teacher"])
def test_the_surprise_of_known_tokens_is_that_of_the_whole_forward_pass(case: str) -> None:
    kind: Any = "self" if case.endswith("without a teacher") else "ema"
    model = VideoJEPA(preset="tiny", patch_size=8, target=TargetOptions(kind=kind)).eval()
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter.mul_(1.1)
    subject = model_subject(model, STAMP, "it", "teacher" if case == "teacher" else "online")
    assert subject.surprise is not None
    found = subject.surprise(FRAMES, encode(subject.encoder, FRAMES).tokens, 5)
    with torch.inference_mode():
        latents = model.latents(FRAMES, step=5, held_out=True)
        targets = [latents.target_tokens(mask) for mask in range(len(latents.masks))]
    expected = predictor_surprise(latents.predicted, targets, model.loss_exponent).float()
    assert found.shape == (3,) and bool((expected > 0.1).all())
    assert torch.allclose(found, expected, atol=1e-6)
    if case == "teacher":
        others = subject.surprise(FRAMES, torch.randn(encode(subject.encoder, FRAMES).tokens.shape), 5)
        assert not torch.allclose(others, expected, atol=1e-4)
