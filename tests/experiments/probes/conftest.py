"""The pixels of the fake clips as sources for probes."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.evaluation.features.sources import TokenSource, memory_source


@pytest.fixture(scope="session")
def splits(fake_data: Any, pixel_encoder: Any) -> dict[str, TokenSource]:
    return {
        split: memory_source(pixel_encoder(dataset.frames).half(), dataset.labels)
        for split, dataset in fake_data.splits.items()
    }
