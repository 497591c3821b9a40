"""A factorized run of four steps with an attentive probe, and a clip in which a bright square moves to the right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from data_modules.encode.mp4 import encode_mp4
from experiments.cli import main
from experiments.runs import Run, open_run
from experiments.training.resolve import resolve_run
from tests.experiments.frozen.tiny_run import words

LIMITS = ("--num-train", "24", "--num-val", "16")


@dataclass(frozen=True)
class Stage:
    """A finished run and a clip to show to it."""

    run: Run
    clip: Path
    frames: np.ndarray


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    root = tmp_path_factory.mktemp("shown")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VJEPA_CACHE", str(tmp_path_factory.mktemp("cache")))
        assert main(["fit", *words(root)]) == 0
        run = open_run(resolve_run(words(root)).folder)
        probes = ("--probes", "attentive_quick", *LIMITS, "--num-test", "8", "--no-controls")
        assert main(["probe", str(run.folder), *probes]) == 0
        yield Stage(run, root / "square.mp4", write_square(root / "square.mp4"))


def write_square(path: Path, num_frames: int = 8) -> np.ndarray:
    """Eight pixels of white that move four pixels a frame in the upper half; the lower half is still."""
    frames = np.full((num_frames, 32, 32, 3), 60, np.uint8)
    for number, frame in enumerate(frames):
        left = min(3 * number, 24)
        frame[4:12, left : left + 8] = 250
    path.write_bytes(encode_mp4(frames, 8, 10))
    return frames
