"""What holds for every corruption: types, keys, nesting, monotone strength, messages."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys

import numpy as np
import pytest

from vjepa.corruptions import CORRUPTIONS, PROFILES, SEVERITIES, corrupt, corruption, keyed_generator, profile
from vjepa.errors import UserError


def moving_pattern(frames: int = 8, height: int = 32, width: int = 32, shift: int = 0) -> np.ndarray:
    """A textured clip that moves in every frame."""
    y, x = np.mgrid[:height, :width]
    pictures = [
        np.stack(
            [
                127 + 100 * np.sin((x + 3 * t + shift) / 9),
                127 + 100 * np.cos((y - 2 * t + shift) / 7),
                (3 * x + 2 * y + 5 * t) % 255,
            ],
            axis=-1,
        )
        for t in range(frames)
    ]
    return np.stack(pictures).astype(np.uint8)


def strength(name: str, severity: int, clips: int = 8) -> float:
    total = 0.0
    for number in range(clips):
        clip = moving_pattern(shift=5 * number)
        damaged = corrupt(clip, name, severity, "data", f"video{number}")
        total += float(np.abs(damaged.astype(int) - clip.astype(int)).mean())
    return total / clips


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(8, 32, 32), (5, 17, 23), (1, 9, 8), (2, 1, 1)])
def test_a_clip_keeps_shape_type_and_stays_untouched(name: str, shape: tuple[int, int, int]) -> None:
    clip = moving_pattern(*shape)
    before = clip.copy()
    damaged = corrupt(clip, name, 3, "data", "video")
    assert damaged.dtype == np.uint8
    assert damaged.shape == clip.shape
    assert np.array_equal(clip, before)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_read_only_or_strided_clip_gives_the_same(name: str) -> None:
    clip = moving_pattern()
    strided = np.ascontiguousarray(clip[:, :, ::-1])[:, :, ::-1]
    strided.flags.writeable = False
    assert np.array_equal(corrupt(strided, name, 3, "d", "v"), corrupt(clip, name, 3, "d", "v"))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_mean_strength_rises_with_severity(name: str) -> None:
    strengths = [strength(name, severity) for severity in SEVERITIES]
    assert all(low < high for low, high in itertools.pairwise(strengths)), strengths
    assert strengths[0] > 0


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_calls_in_any_order_give_the_same(name: str) -> None:
    clip = moving_pattern()
    first = corrupt(clip, name, 3, "data", "a")
    corrupt(clip, name, 5, "data", "b")
    np.random.seed(0)
    assert np.array_equal(first, corrupt(clip, name, 3, "data", "a"))


@pytest.mark.parametrize("name", ["gaussian_noise", "frame_freeze"])
@pytest.mark.parametrize(("dataset", "video"), [("other", "a"), ("data", "b")])
def test_data_set_and_video_change_the_draws(name: str, dataset: str, video: str) -> None:
    clip = moving_pattern(frames=32)
    assert not np.array_equal(corrupt(clip, name, 3, "data", "a"), corrupt(clip, name, 3, dataset, video))


def test_a_fresh_process_gives_the_same() -> None:
    program = (
        "import hashlib, numpy as np\n"
        "from vjepa.corruptions import CORRUPTIONS, corrupt\n"
        "clip = (np.arange(8*32*32*3) * 7919 % 251).astype(np.uint8).reshape(8, 32, 32, 3)\n"
        "print(hashlib.md5(b''.join(corrupt(clip, n, 3, 'd', 'v').tobytes() for n in CORRUPTIONS)).hexdigest())\n"
    )
    clip = (np.arange(8 * 32 * 32 * 3) * 7919 % 251).astype(np.uint8).reshape(8, 32, 32, 3)
    here = hashlib.md5(b"".join(corrupt(clip, name, 3, "d", "v").tobytes() for name in CORRUPTIONS)).hexdigest()
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


def test_the_key_is_the_hash_of_version_data_set_video_and_corruption() -> None:
    key = int.from_bytes(hashlib.blake2b(b"rob-v1|ssv2|1234|fog", digest_size=8).digest(), "big")
    expected = np.random.Generator(np.random.Philox(key=key)).random(4)
    assert np.array_equal(keyed_generator("ssv2", "1234", "fog").random(4), expected)


def test_parameters_are_those_of_the_protocol() -> None:
    assert CORRUPTIONS["gaussian_noise"].levels == (0.08, 0.12, 0.18, 0.26, 0.38)
    assert CORRUPTIONS["frame_freeze"].levels == (0.12, 0.24, 0.36, 0.48, 0.60)
    assert CORRUPTIONS["h264_crf"].levels == (23, 30, 37, 44, 51)
    assert PROFILES["smoke"].conditions == (("gaussian_noise", 3), ("frame_freeze", 3), ("h264_crf", 3))


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UserError, match=r"unknown corruption 'gausian_noise'.*did you mean 'gaussian_noise'"):
        corruption("gausian_noise")
    with pytest.raises(UserError, match=r"unknown corruption profile 'smok'.*did you mean 'smoke'"):
        profile("smok")


@pytest.mark.parametrize("severity", [0, 6, -1, True])
def test_unknown_severities_are_refused(severity: int) -> None:
    with pytest.raises(UserError, match=r"severity .* does not exist; expected 1 to 5"):
        corrupt(moving_pattern(), "gaussian_noise", severity, "d", "v")


@pytest.mark.parametrize(
    "clip",
    [
        np.zeros((8, 32, 32, 3), np.float32),
        np.zeros((8, 32, 32), np.uint8),
        np.zeros((8, 3, 32, 32), np.uint8),
        np.zeros((0, 32, 32, 3), np.uint8),
    ],
)
def test_anything_but_a_uint8_clip_is_refused(clip: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected a"):
        corrupt(clip, "gaussian_noise", 1, "d", "v")


def test_a_profile_hash_covers_its_conditions() -> None:
    from dataclasses import replace

    smoke = profile("smoke")
    assert smoke.hash == replace(smoke).hash
    assert smoke.hash != replace(smoke, severities=(1, 3)).hash


def test_corruptions_need_neither_torch_nor_lightning() -> None:
    program = "import sys, vjepa.corruptions; print([name for name in ('torch', 'lightning') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
