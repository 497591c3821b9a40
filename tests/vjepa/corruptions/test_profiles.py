"""Profiles: their conditions, what averages leave out, and what they warn of."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest

from vjepa.corruptions import CORRUPTIONS, PROFILES, profile
from vjepa.errors import UserError


def test_core_has_the_conditions_of_the_protocol() -> None:
    core = profile("core")
    # Eleven corruptions and local_shuffle at three severities, reverse and static at one.
    assert len(core.conditions) == 11 * 3 + 3 + 2
    assert len(core.label_preserving) == 33
    assert {severity for _, severity in core.label_preserving} == {1, 3, 5}
    assert not {"local_shuffle", "reverse", "static"} & {name for name, _ in core.label_preserving}
    assert len(profile("full").conditions) == 11 * 5 + 5 + 2


def test_published_benchmarks_are_complete() -> None:
    sizes = {name: len(PROFILES[name].corruptions) for name in ("mini_ssv2_c", "ssv2_p", "imagenet_c")}
    assert sizes == {"mini_ssv2_c": 12, "ssv2_p": 18, "imagenet_c": 15}
    assert all(len(set(item.corruptions)) == len(item.corruptions) for item in PROFILES.values())
    assert len(PROFILES["ssv2_p"].conditions) == 90


@pytest.mark.parametrize("name", PROFILES)
def test_every_name_of_a_profile_exists_with_its_severities(name: str) -> None:
    for corruption, severity in PROFILES[name].conditions:
        assert 1 <= severity <= len(CORRUPTIONS[corruption].levels)


def test_parameters_are_those_of_the_protocol() -> None:
    levels = {name: CORRUPTIONS[name].levels for name in PROFILES["full"].corruptions}
    assert levels == {
        "gaussian_noise": (0.08, 0.12, 0.18, 0.26, 0.38),
        "defocus_blur": ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
        "contrast": (0.5, 0.4, 0.3, 0.2, 0.1),
        "fog": ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
        "occlusion_block": (0.1, 0.2, 0.3, 0.4, 0.5),
        "frame_freeze": (0.12, 0.24, 0.36, 0.48, 0.60),
        "frame_blackout": (0.12, 0.24, 0.36, 0.48, 0.60),
        "frame_rate": (2, 3, 4, 6, 8),
        "temporal_blur": (1, 2, 3, 4, 6),
        "h264_crf": (23, 30, 37, 44, 51),
        "packet_loss_sim": (1, 2, 3, 4, 6),
        "local_shuffle": (2, 3, 4, 8, 16),
        "reverse": (1,),
        "static": (0.5,),
    }
    assert PROFILES["smoke"].conditions == (("gaussian_noise", 3), ("frame_freeze", 3), ("h264_crf", 3))


@pytest.mark.parametrize(
    ("name", "text"), [("ssv2_p", "jumbling .* run backwards"), ("imagenet_c", "frost is a procedural texture")]
)
def test_profiles_warn_of_what_they_do_not_reproduce(name: str, text: str) -> None:
    with pytest.warns(UserWarning, match=text):
        profile(name)


@pytest.mark.parametrize("name", ["smoke", "core", "full"])
def test_the_protocol_itself_warns_of_nothing(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        profile(name)


def test_a_profile_hash_covers_its_conditions() -> None:
    smoke = profile("smoke")
    assert smoke.hash == replace(smoke).hash
    assert smoke.hash != replace(smoke, severities=(1, 3)).hash
    assert smoke.hash != replace(smoke, corruptions=smoke.corruptions[:2]).hash


def test_unknown_profiles_suggest_the_nearest() -> None:
    with pytest.raises(UserError, match=r"unknown corruption profile 'smok'.*did you mean 'smoke'"):
        profile("smok")
