"""Lost packets and wrong bytes: what stays intact, what is held, and how much is hit."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.vjepa.corruptions.clips import mean_square, scene
from vjepa.corruptions import transmission
from vjepa.corruptions.codec import x264
from vjepa.corruptions.transmission import bit_error, packet_loss_sim


@pytest.fixture
def only_damage(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[bytes]]:
    """Run a corruption on a given stream, without encoder and decoder."""

    def run(function: Callable[..., Any], stream: list[bytes], level: float, seed: int) -> list[bytes]:
        monkeypatch.setattr(transmission, "_transmit", lambda clip, damage: damage(stream))
        received: list[bytes] = function(None, level, np.random.default_rng(seed))
        return received

    return run


def stream_of(first: int, later: int, frames: int = 16) -> list[bytes]:
    """A stream of random bytes: one frame of ``first`` and others of ``later`` bytes."""
    draw = np.random.default_rng(0)
    return [draw.bytes(first), *(draw.bytes(later) for _ in range(frames - 1))]


def test_nothing_lost_is_plain_compression() -> None:
    clip = scene(0)
    plain = x264(23).round_trip(clip)
    assert np.array_equal(packet_loss_sim(clip, 0, np.random.default_rng(0)), plain)
    assert np.array_equal(bit_error(clip, 10**15, np.random.default_rng(0)), plain)


def test_all_packets_but_the_first_frames_lost_is_a_still() -> None:
    clip = scene(0)
    still = packet_loss_sim(clip, 100, np.random.default_rng(0))
    assert (still == still[0]).all()
    assert mean_square(still[0], clip[0]) < 200 < mean_square(still[-1], clip[-1])


@pytest.mark.parametrize(("first", "later", "size"), [(9000, 900, 22500 // 48), (90_000, 9000, 1316)])
def test_lost_packets_are_whole_nested_and_as_many_as_stated(
    only_damage: Callable[..., list[bytes]], first: int, later: int, size: int
) -> None:
    stream = stream_of(first, later)
    share = np.zeros((5, 300))
    for number in range(300):
        lost = []
        for severity, percent in enumerate((1, 2, 3, 4, 6)):
            received = only_damage(packet_loss_sim, stream, percent, number)
            assert received[0] == stream[0]
            gone = [len(sent) - len(kept) for sent, kept in zip(stream, received, strict=True)]
            assert all(number_of_bytes % size in (0, later % size) for number_of_bytes in gone)
            share[severity, number] = sum(gone) / (15 * later)
            lost.append(sum(gone))
        assert all(low <= high for low, high in itertools.pairwise(lost))
    packets = 15 * -(-later // size)
    for found, percent in zip(share.mean(axis=1), (1, 2, 3, 4, 6), strict=True):
        assert abs(found - percent / 100) < 4 * np.sqrt(percent / 100 / packets / 300)


def test_wrong_bytes_are_nested_spare_the_headers_and_are_as_many_as_stated(
    only_damage: Callable[..., list[bytes]],
) -> None:
    stream = stream_of(90_000, 9000)
    hits = []
    for spacing in (10_000, 1000, 100):
        received = only_damage(bit_error, stream, spacing, 1)
        assert [len(frame) for frame in stream] == [len(frame) for frame in received]
        assert received[0][:64] == stream[0][:64]
        assert all(sent[:8] == kept[:8] for sent, kept in zip(stream, received, strict=True))
        changed = np.frombuffer(b"".join(stream), np.uint8) != np.frombuffer(b"".join(received), np.uint8)
        expected = len(changed) / spacing
        assert abs(changed.sum() - expected) < 4 * np.sqrt(expected)
        hits.append(changed)
    assert all((low <= high).all() for low, high in itertools.pairwise(hits))


@pytest.mark.parametrize("name", ["packet_loss_sim", "bit_error"])
def test_a_badly_damaged_stream_still_gives_all_frames_and_always_the_same(name: str) -> None:
    clip = scene(1)
    function, level = {"packet_loss_sim": (packet_loss_sim, 60), "bit_error": (bit_error, 60)}[name]
    damaged = [function(clip, level, np.random.default_rng(3)) for _ in range(5)]
    assert damaged[0].shape == clip.shape
    assert len({item.tobytes() for item in damaged}) == 1
    assert mean_square(damaged[0], clip) > 100
