"""Extraction keeps order, labels and limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from experiments.features import Features, choose_indices, extract
from vjepa.errors import UserError


def test_features_do_not_depend_on_the_batch_size(fake_data: Any, pixel_encoder: Any) -> None:
    dataset = fake_data.dataset("val")
    indices = torch.tensor([5, 3, 90, 17, 40])
    whole = extract(pixel_encoder, dataset, indices, batch_size=64, progress=False)
    parts = extract(pixel_encoder, dataset, indices, batch_size=2, progress=False)
    assert whole.tokens.shape == (5, 4, 16, 96)
    assert whole.tokens.dtype == torch.float16
    assert torch.equal(whole.tokens, parts.tokens)
    assert torch.equal(whole.index, indices)
    assert torch.equal(whole.labels, dataset.labels[indices])
    expected = pixel_encoder(dataset.frames[indices])
    assert torch.equal(extract(pixel_encoder, dataset, indices, dtype=torch.float32, progress=False).tokens, expected)


def test_only_clips_with_a_label_count_for_a_task(fake_data: Any, pixel_encoder: Any) -> None:
    features = extract(pixel_encoder, fake_data.dataset("val"), range(20), progress=False)
    assert features.of_task(0) is features
    labelled = features.of_task(1)
    assert len(labelled) == 16
    assert int(labelled.labels[:, 1].min()) >= 0
    assert torch.equal(labelled.tokens[0], features.tokens[1])


def test_each_clip_is_corrupted_under_its_own_name(fake_data: Any, pixel_encoder: Any) -> None:
    dataset = fake_data.dataset("val")

    def stamp(clip: np.ndarray, video_id: str) -> np.ndarray:
        return np.full_like(clip, int(video_id.split("/")[1]))

    features = extract(pixel_encoder, dataset, [3, 70, 11], batch_size=2, corrupt=stamp, progress=False)
    assert torch.allclose(features.tokens[:, 0, 0, 0].float() * 255, torch.tensor([3.0, 70.0, 11.0]), atol=0.1)


def test_subsets_are_fixed_nested_and_leave_the_global_generator_alone(fake_data: Any) -> None:
    dataset = fake_data.dataset("train")
    before = torch.get_rng_state()
    few, many = choose_indices(dataset, 50), choose_indices(dataset, 100)
    assert torch.equal(before, torch.get_rng_state())
    assert set(few.tolist()) < set(many.tolist())
    assert torch.equal(few, few.sort().values)
    assert torch.equal(choose_indices(dataset, None), torch.arange(len(dataset)))


def test_too_many_tokens_are_refused_before_they_are_computed(fake_data: Any, pixel_encoder: Any) -> None:
    calls = []

    def counting(frames: Tensor) -> Tensor:
        calls.append(len(frames))
        return pixel_encoder(frames)

    with pytest.raises(UserError, match=r"take .* GiB, the limit is .* use fewer clips"):
        extract(counting, fake_data.dataset("train"), range(300), 8, memory_limit=10**6, progress=False)
    assert calls == [8]


def test_no_clips_and_diverged_encoders_are_refused(fake_data: Any) -> None:
    dataset = fake_data.dataset("val")

    def diverged(frames: Tensor) -> Tensor:
        return torch.full((len(frames), 2, 2, 4), float("nan"))

    with pytest.raises(UserError, match=r"no clips to encode"):
        extract(diverged, dataset, [], progress=False)
    with pytest.raises(UserError, match=r"NaN tokens .*diverged"):
        extract(diverged, dataset, [0, 1], progress=False)


def test_an_encoder_must_return_time_and_space(fake_data: Any) -> None:
    def flat(frames: Tensor) -> Tensor:
        return torch.zeros(len(frames), 64, 96)

    with pytest.raises(ValueError, match=r"must return \(B, T, S, E\) floats"):
        extract(flat, fake_data.dataset("val"), [0], progress=False)


def test_features_have_a_length() -> None:
    assert len(Features(torch.zeros(3, 1, 1, 1), torch.zeros(3, 1), torch.arange(3))) == 3
