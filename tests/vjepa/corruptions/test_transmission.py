"""Lost packets and wrong bytes: what stays intact, what is held, and how much is hit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.vjepa.corruptions.clips import mean_square, scene
from vjepa.corruptions import SEVERITIES, corrupt, transmission
from vjepa.corruptions.codec import x264
from vjepa.corruptions.transmission import bit_error, packet_loss_sim


@pytest.fixture
def sent_and_received(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[bytes], list[bytes]]]:
    """Streams before and after damage, recorded as they pass."""
    seen = []
    transmit = transmission._transmit

    def record(clip: np.ndarray, damage: transmission.Damage) -> np.ndarray:
        def watched(stream: list[bytes]) -> list[bytes]:
            seen.append((stream, damage(stream)))
            return seen[-1][1]

        return transmit(clip, watched)

    monkeypatch.setattr(transmission, "_transmit", record)
    return seen


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


def test_lost_packets_are_nested_and_as_many_as_stated(
    sent_and_received: list[tuple[list[bytes], list[bytes]]],
) -> None:
    share = np.zeros((5, 40))
    for number in range(40):
        for severity in SEVERITIES:
            corrupt(scene(number % 4), "packet_loss_sim", severity, "d", str(number))
        lost = []
        for stream, received in sent_and_received:
            assert received[0] == stream[0]
            size = min(1316, sum(map(len, stream)) // 48)
            lost.append(sum(map(len, stream)) - sum(map(len, received)))
            share[len(lost) - 1, number] = lost[-1] / sum(map(len, stream[1:]))
            # What arrives is whole packets.
            assert all((len(a) - len(b)) % size in (0, len(a) % size) for a, b in zip(stream, received, strict=True))
        assert all(low <= high for low, high in itertools.pairwise(lost))
        sent_and_received.clear()
    assert share.mean(axis=1) == pytest.approx([0.01, 0.02, 0.03, 0.04, 0.06], rel=0.6)


def test_large_streams_use_network_packets(sent_and_received: list[tuple[list[bytes], list[bytes]]]) -> None:
    noisy = np.random.default_rng(0).integers(0, 256, (6, 224, 224, 3), dtype=np.uint8)
    packet_loss_sim(noisy, 30, np.random.default_rng(0))
    stream, received = sent_and_received[0]
    assert sum(map(len, stream)) // 48 > 1316
    gone = [len(a) - len(b) for a, b in zip(stream, received, strict=True)]
    assert max(gone) > 0
    assert all(bytes_lost % 1316 in (0, len(a) % 1316) for bytes_lost, a in zip(gone, stream, strict=True))


def test_wrong_bytes_are_nested_spare_the_headers_and_are_as_many_as_stated(
    sent_and_received: list[tuple[list[bytes], list[bytes]]],
) -> None:
    noisy = np.random.default_rng(0).integers(0, 256, (4, 96, 96, 3), dtype=np.uint8)
    hits = []
    for spacing in (5000, 500, 50):
        bit_error(noisy, spacing, np.random.default_rng(1))
        stream, received = sent_and_received[-1]
        assert [len(frame) for frame in stream] == [len(frame) for frame in received]
        assert received[0][:64] == stream[0][:64]
        assert all(a[:8] == b[:8] for a, b in zip(stream, received, strict=True))
        changed = np.frombuffer(b"".join(stream), np.uint8) != np.frombuffer(b"".join(received), np.uint8)
        expected = len(changed) / spacing
        assert abs(changed.sum() - expected) < 4 * np.sqrt(expected) + 1
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
