"""What holds for every corruption: types, keys, batches, nesting, monotone strength, messages."""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.vjepa.corruptions.clips import mean_square, scene
from vjepa.corruptions import (
    CORRUPTIONS,
    PROFILES,
    SEVERITIES,
    STAGES,
    corrupt,
    corrupt_batch,
    corruption,
    keyed_generator,
)
from vjepa.errors import UserError

ROB_V1 = [name for name in PROFILES["full"].corruptions if CORRUPTIONS[name].group != "order"]
# A small clip mostly meets no wrong byte.
RANDOM = [name for name, item in CORRUPTIONS.items() if item.is_random and name != "bit_error"]
FIXED = [name for name, item in CORRUPTIONS.items() if not item.is_random]


def test_rob_v1_has_eleven_corruptions_and_three_probes() -> None:
    groups = [CORRUPTIONS[name].group for name in PROFILES["full"].corruptions]
    assert [groups.count(group) for group in ("spatial", "temporal", "codec", "order")] == [5, 4, 2, 3]


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(8, 32, 32), (5, 17, 23), (1, 9, 8), (2, 1, 1)])
def test_a_clip_keeps_shape_type_and_stays_untouched(name: str, shape: tuple[int, int, int]) -> None:
    clip = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    before = clip.copy()
    damaged = corrupt(clip, name, 1, "data", "video")
    assert damaged.dtype == np.uint8
    assert damaged.shape == clip.shape
    assert np.array_equal(clip, before)
    assert not np.shares_memory(damaged, clip)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_read_only_or_strided_clip_gives_the_same(name: str) -> None:
    clip = scene(0, frames=4, side=32)
    strided = np.ascontiguousarray(clip[:, :, ::-1])[:, :, ::-1]
    strided.flags.writeable = False
    assert np.array_equal(corrupt(strided, name, 1, "d", "v"), corrupt(clip, name, 1, "d", "v"))


@pytest.mark.parametrize("name", ROB_V1)
def test_mean_strength_rises_with_severity(name: str) -> None:
    clips = np.stack([scene(seed) for seed in range(12)])
    ids = [str(seed) for seed in range(12)]
    errors = [
        mean_square(corrupt_batch(torch.from_numpy(clips), name, severity, "data", ids).numpy(), clips)
        for severity in SEVERITIES
    ]
    assert errors[0] > 0
    assert all(low < high for low, high in itertools.pairwise(errors)), errors


@pytest.mark.parametrize("name", [name for name in ROB_V1 if name != "temporal_blur"])
def test_mean_strength_rises_on_small_clips_too(name: str) -> None:
    clips = np.stack([scene(seed, frames=8, side=32) for seed in range(24)])
    ids = [str(seed) for seed in range(24)]
    errors = [
        mean_square(corrupt_batch(torch.from_numpy(clips), name, severity, "data", ids).numpy(), clips)
        for severity in SEVERITIES
    ]
    assert errors[0] > 0
    assert all(low < high for low, high in itertools.pairwise(errors)), errors


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_layout_of_a_batch_gives_the_same(name: str) -> None:
    clips = np.stack([scene(seed, side=33) for seed in range(5)])
    ids = list("abcde")
    severity = len(CORRUPTIONS[name].levels)
    batch = corrupt_batch(torch.from_numpy(clips), name, severity, "data", ids).numpy()
    turned = corrupt_batch(torch.from_numpy(clips[[3, 1, 4]]), name, severity, "data", ["d", "b", "e"]).numpy()
    alone = corrupt(clips[2], name, severity, "data", "c")
    assert np.array_equal(batch[[3, 1, 4]], turned)
    assert np.array_equal(batch[2], alone)


@pytest.mark.parametrize("name", ["gaussian_noise", "motion_blur", "fog", "frame_freeze", "packet_loss_sim"])
def test_a_batch_too_large_for_one_pass_gives_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = torch.from_numpy(np.stack([scene(seed, frames=4, side=32) for seed in range(5)]))
    whole = corrupt_batch(clips, name, 3, "data", list("abcde"))
    monkeypatch.setattr("vjepa.corruptions.registry._PART", 2 * clips[0].numel())
    assert torch.equal(corrupt_batch(clips, name, 3, "data", list("abcde")), whole)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_gpu_agrees_within_one_grey_level(name: str) -> None:
    clips = torch.from_numpy(np.stack([scene(seed, side=56) for seed in range(3)]))
    severity = len(CORRUPTIONS[name].levels)
    here = corrupt_batch(clips, name, severity, "data", list("abc"))
    there = corrupt_batch(clips.cuda(), name, severity, "data", list("abc"))
    assert there.is_cuda
    assert (there.cpu().int() - here.int()).abs().max() <= 1


def test_mixed_precision_changes_nothing() -> None:
    clips = torch.from_numpy(scene(0, side=32))[None]
    for name in ("temporal_blur", "pixelate", "elastic_transform", "snow"):
        expected = corrupt_batch(clips, name, 3, "d", ["v"])
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(corrupt_batch(clips, name, 3, "d", ["v"]), expected)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_calls_in_any_order_give_the_same_and_leave_global_generators_alone(name: str) -> None:
    clip = scene(1, frames=4, side=32)
    first = corrupt(clip, name, 1, "data", "a")
    state = np.random.get_state()[1].tolist(), torch.get_rng_state()
    corrupt(clip, name, len(CORRUPTIONS[name].levels), "data", "b")
    assert state[0] == np.random.get_state()[1].tolist() and torch.equal(state[1], torch.get_rng_state())
    np.random.seed(0)
    torch.manual_seed(1)
    assert np.array_equal(first, corrupt(clip, name, 1, "data", "a"))


@pytest.mark.parametrize("name", RANDOM)
def test_data_set_and_video_change_the_draws(name: str) -> None:
    clip = scene(2, frames=32, side=32)
    # box_jumbling does nothing at its upper levels.
    severity = 1 if name == "box_jumbling" else 5
    keys = (("data", "a"), ("other", "a"), ("data", "b"))
    assert len({corrupt(clip, name, severity, *key).tobytes() for key in keys}) == 3


@pytest.mark.parametrize("name", FIXED)
def test_what_draws_nothing_is_the_same_for_every_video(name: str) -> None:
    clip = scene(2, frames=8, side=32)
    assert np.array_equal(corrupt(clip, name, 1, "data", "a"), corrupt(clip, name, 1, "other", "b"))


FINGERPRINT = """
import hashlib, numpy as np
from vjepa.corruptions import CORRUPTIONS, corrupt
clip = (np.arange(8 * 32 * 32 * 3) * 7919 % 251).astype(np.uint8).reshape(8, 32, 32, 3)
damaged = [corrupt(clip, name, len(item.levels), "d", "v").tobytes() for name, item in CORRUPTIONS.items()]
fingerprint = hashlib.md5(b"".join(damaged)).hexdigest()
"""


def test_a_fresh_process_with_other_threads_gives_the_same() -> None:
    here: dict[str, str] = {}
    exec(FINGERPRINT, here)
    program = [sys.executable, "-c", FINGERPRINT + "print(fingerprint)"]
    environment = {**os.environ, "OMP_NUM_THREADS": "2" if torch.get_num_threads() == 1 else "1"}
    there = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here["fingerprint"]


def test_the_key_is_the_hash_of_version_data_set_video_and_corruption() -> None:
    key = int.from_bytes(hashlib.blake2b(b"rob-v1|ssv2|1234|fog", digest_size=8).digest(), "big")
    expected = np.random.Generator(np.random.Philox(key=key)).random(4)
    assert np.array_equal(keyed_generator("ssv2", "1234", "fog").random(4), expected)
    with_severity = int.from_bytes(hashlib.blake2b(b"rob-v1|ssv2|1234|fog|3", digest_size=8).digest(), "big")
    expected = np.random.Generator(np.random.Philox(key=with_severity)).random(4)
    assert np.array_equal(keyed_generator("ssv2", "1234", "fog", 3).random(4), expected)


def test_independent_draws_are_not_nested() -> None:
    grey = np.full((4, 32, 32, 3), 128, np.uint8)
    nested, independent = (
        [
            corrupt(grey, "gaussian_noise", severity, "d", "v", independent=flag).astype(float) - 128
            for severity in (1, 2)
        ]
        for flag in (False, True)
    )
    assert np.corrcoef(nested[0].ravel(), nested[1].ravel())[0, 1] > 0.99
    assert abs(np.corrcoef(independent[0].ravel(), independent[1].ravel())[0, 1]) < 0.05


def test_stages_are_those_of_the_order_of_operations() -> None:
    assert STAGES == ("native", "source", "sampled", "model")
    stages = {name: CORRUPTIONS[name].stage for name in PROFILES["full"].corruptions}
    assert stages["h264_crf"] == stages["packet_loss_sim"] == "native"
    assert stages["temporal_blur"] == "source"
    assert stages["frame_freeze"] == stages["local_shuffle"] == "sampled"
    assert all(stages[name] == "model" for name in stages if CORRUPTIONS[name].group == "spatial")


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UserError, match=r"unknown corruption 'gausian_noise'.*did you mean 'gaussian_noise'"):
        corruption("gausian_noise")


@pytest.mark.parametrize(
    ("name", "severity", "last"), [("fog", 0, 5), ("fog", 6, 5), ("fog", -1, 5), ("fog", True, 5), ("reverse", 2, 1)]
)
def test_unknown_severities_are_refused(name: str, severity: int, last: int) -> None:
    with pytest.raises(UserError, match=rf"{name}: severity .* does not exist; expected 1 to {last}"):
        corrupt(scene(0, frames=2, side=16), name, severity, "d", "v")


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
    with pytest.raises(ValueError, match=r"expected "):
        corrupt(clip, "gaussian_noise", 1, "d", "v")


@pytest.mark.parametrize("ids", [["a"], ["a", "b", "c"], "ab"])
def test_a_batch_needs_an_id_for_each_clip(ids: list[str]) -> None:
    with pytest.raises(ValueError, match=r"2 clips need as many video ids"):
        corrupt_batch(torch.zeros(2, 1, 8, 8, 3, dtype=torch.uint8), "gaussian_noise", 1, "d", ids)
