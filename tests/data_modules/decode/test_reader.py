"""Frames read by number equal those of a full decode, for files of every kind; broken files are named."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from data_modules.decode import reader
from data_modules.decode.frames import BrokenVideo, decode_video, open_video, uniform_indices
from data_modules.decode.packets import index_packets
from data_modules.decode.reader import read_clip
from tests.data_modules.encoded import moving_frames, read_frames, remux, with_edits, write_packed_avi, write_video
from vjepa.errors import UserError

B_FRAMES = {"bf": "2", "g": "12", "x264-params": "b-adapt=0:scenecut=0"}
UNEVEN = [number + (number > 7) * 3 + (number > 20) * number for number in range(40)]


def h264(folder: Path, name: str = "clip.mp4", **options: object) -> Path:
    return write_video(folder / name, moving_frames(), options=B_FRAMES, **options)  # type: ignore[arg-type]


def x264(folder: Path, parameters: str, name: str = "clip.mp4") -> Path:
    return write_video(folder / name, moving_frames(), options={"bf": "3", "x264-params": parameters})


def open_gop(folder: Path, name: str = "clip.mp4") -> Path:
    return x264(folder, "open-gop=1:keyint=10:min-keyint=10:b-adapt=0:scenecut=0", name)


def cut_open_gop(folder: Path) -> Path:
    """Starts at a key frame that is followed by frames which are shown before it and refer to what was cut off."""
    whole = open_gop(folder, "whole.mkv")
    with av.open(str(whole)) as container:
        keys = [number for number, packet in enumerate(container.demux(video=0)) if packet.is_keyframe]
    return remux(whole, folder / "cut.mkv", first=keys[1])


def other(codec: str, name: str, pix_fmt: str = "yuv420p", **options: str) -> Callable[[Path], Path]:
    return lambda folder: write_video(folder / name, moving_frames(), codec, options, pix_fmt=pix_fmt)


def few(count: int) -> Callable[[Path], Path]:
    return lambda folder: write_video(folder / "clip.mp4", moving_frames(count), options=B_FRAMES)


def edited(*edits: tuple[int, int]) -> Callable[[Path], Path]:
    return lambda folder: with_edits(h264(folder), edits)


# What is written, frames in it, and whether packets alone tell the display order.
KINDS: dict[str, tuple[Callable[[Path], Path], int, bool]] = {
    "h264": (h264, 40, True),
    "h264 without reordering": (other("libx264", "clip.mp4", bf="0", g="12"), 40, True),
    "h264 open gop": (open_gop, 40, True),
    "h264 cut in an open gop": (cut_open_gop, 30, False),
    "h264 intra refresh": (lambda folder: x264(folder, "intra-refresh=1:keyint=10"), 40, True),
    "h264 interlaced": (lambda folder: x264(folder, "tff=1:keyint=10"), 40, True),
    "h264 uneven times": (lambda folder: h264(folder, times=UNEVEN), 40, True),
    "h264 edit list": (lambda folder: h264(folder, times=list(range(-5, 35))), 35, True),
    "h264 shown from frame 20 to 29": (edited((20, 10)), 10, True),
    "h264 shown after a pause": (edited((-1, 10), (0, 40)), 40, True),
    "h264 shown in two parts, the later first": (edited((20, 10), (5, 10)), 20, False),
    "h264 shown twice": (edited((5, 10), (5, 10)), 20, False),
    "h264 that starts late": (lambda folder: h264(folder, "late.mkv", times=list(range(37, 77))), 40, True),
    "h264 transport stream": (lambda folder: h264(folder, "clip.ts"), 40, False),
    "h264 without display times": (lambda folder: h264(folder, "clip.avi"), 40, False),
    "h264 odd 4:4:4": (
        lambda folder: write_video(folder / "a.mp4", moving_frames(40, 95, 127), options=B_FRAMES, pix_fmt="yuv444p"),
        40,
        True,
    ),
    "h264 10 bit": (lambda folder: h264(folder, pix_fmt="yuv420p10le"), 40, True),
    "h264 whose times lie": (lambda folder: remux(h264(folder), folder / "lie.mp4", times_lie=True), 40, False),
    "one frame": (few(1), 1, False),
    "two frames": (few(2), 2, False),
    "three frames": (few(3), 3, True),
    "vp9, one frame": (
        lambda folder: write_video(folder / "clip.webm", moving_frames(1), "libvpx-vp9", {"deadline": "realtime"}),
        1,
        True,
    ),
    "mpeg4 avi, packed, two frames": (lambda folder: write_packed_avi(folder / "a.avi", moving_frames(2)), 2, True),
    "mpeg4 avi, packed, still": (
        lambda folder: write_packed_avi(folder / "a.avi", np.repeat(moving_frames(1), 40, axis=0)),
        40,
        False,
    ),
    "hevc": (other("libx265", "clip.mp4", **{"x265-params": "log-level=none:keyint=10:open-gop=1"}), 40, True),
    "vp9": (other("libvpx-vp9", "clip.webm", deadline="realtime", **{"auto-alt-ref": "1"}), 40, True),
    "vp9 odd 4:4:4, uneven times": (
        lambda folder: write_video(
            folder / "a.webm",
            moving_frames(40, 95, 127),
            "libvpx-vp9",
            {"deadline": "realtime", "g": "12"},
            pix_fmt="yuv444p",
            times=UNEVEN,
        ),
        40,
        True,
    ),
    "vp9 odd": (
        lambda folder: write_video(
            folder / "a.webm", moving_frames(20, 95, 127), "libvpx-vp9", {"deadline": "realtime", "g": "8"}
        ),
        20,
        True,
    ),
    "vp8 with hidden frames": (
        other("libvpx", "clip.webm", **{"auto-alt-ref": "1", "lag-in-frames": "16", "b": "50k"}),
        40,
        False,
    ),
    "mpeg4 avi, packed": (lambda folder: write_packed_avi(folder / "clip.avi", moving_frames()), 40, True),
    "mpeg4 avi, not packed": (other("mpeg4", "clip.avi", bf="2", g="12"), 40, True),
    "mpeg4 avi, no b": (other("mpeg4", "clip.avi", bf="0", g="12"), 40, True),
    "mpeg4 avi, still": (
        lambda folder: write_video(folder / "still.avi", np.full((20, 32, 32, 3), 90, np.uint8), "mpeg4"),
        20,
        False,
    ),
    "mpeg4 avi, odd": (
        lambda folder: write_video(folder / "a.avi", moving_frames(40, 95, 127), "mpeg4", {"bf": "2", "g": "12"}),
        40,
        True,
    ),
    "mpeg4 mp4": (other("mpeg4", "clip.mp4", bf="2", g="12"), 40, True),
    "mpeg2": (other("mpeg2video", "clip.mpg", bf="2", g="12"), 40, False),
    "mpeg2 open gop, 4:2:2": (other("mpeg2video", "clip.ts", "yuv422p", bf="2", g="12", flags="-cgop"), 40, False),
    "mjpeg": (other("mjpeg", "clip.avi", pix_fmt="yuvj420p"), 40, False),
}


UNSTEADY = {"h264 uneven times", "h264 edit list", "two frames", "three frames", "vp9 odd 4:4:4, uneven times"}


def index_sets(num_frames: int) -> list[NDArray[np.int64]]:
    rng = np.random.default_rng(num_frames)
    sets = [np.arange(num_frames), np.array([0]), np.array([num_frames - 1]), uniform_indices(num_frames, 7)]
    sets += [np.sort(rng.integers(num_frames, size=4)) for _ in range(6)]
    sets += [np.array([number]) for number in rng.integers(num_frames, size=6)]
    return [*sets, rng.integers(num_frames, size=5)]


def knows_order(path: Path) -> bool:
    """Whether the packets tell the display order, at first sight or once the first frame has been looked at."""
    ranks = []
    for look_ahead in (False, True):
        with open_video(path, look_ahead) as (container, stream):
            ranks.append(index_packets(path, container, stream, look_ahead).ranks)
    assert not all(ranks) or ranks[0] == ranks[1]
    return any(ranks)


@pytest.mark.parametrize("kind", KINDS)
def test_frames_equal_a_full_decode(kind: str, tmp_path: Path) -> None:
    write, num_frames, by_rank = KINDS[kind]
    path = write(tmp_path)
    whole = decode_video(path)
    assert len(whole) == num_frames
    assert knows_order(path) == by_rank
    for indices in index_sets(num_frames):
        assert np.array_equal(read_frames(path, indices), whole[indices]), indices
    seen = []
    clip = read_clip(path, lambda count, fps: seen.append((count, fps)) or uniform_indices(count, 6))
    assert np.array_equal(clip, whole[uniform_indices(num_frames, 6)])
    assert seen[-1][0] == num_frames
    assert seen[-1][1] == pytest.approx(25, rel=0.02) or kind in UNSTEADY


@pytest.mark.parametrize("kind", ["h264", "mpeg4 avi, packed", "vp9"])
def test_decoding_starts_late_and_stops_early(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = KINDS[kind][0](tmp_path)
    monkeypatch.setattr(reader, "_read_in_order", None)  # the way by rank must do
    converted = []
    convert = reader.upright_rgb
    monkeypatch.setattr(
        reader,
        "upright_rgb",
        lambda frame, tool: converted.append(frame.pts) or convert(frame, tool),
    )
    with open_video(path, look_ahead=False) as (container, stream):
        index = index_packets(path, container, stream, look_ahead=False)
        assert index.start(0) == 0
        assert kind == "vp9" or index.start(30) > 12
    read_frames(path, [3, 3, 17])
    assert converted == [3, 17]


def test_a_file_whose_ranks_are_wrong_is_read_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = h264(tmp_path)
    whole = decode_video(path)
    true_index = index_packets

    def wrong(*arguments: object) -> object:
        index = true_index(*arguments)  # type: ignore[arg-type]
        object.__setattr__(index, "ranks", tuple(range(len(index.packets))))
        return index

    monkeypatch.setattr(reader, "index_packets", wrong)
    assert np.array_equal(read_frames(path, range(40)), whole)


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_rotation_is_applied_before_the_view(angle: int, tmp_path: Path) -> None:
    path = h264(tmp_path)
    turned = remux(path, tmp_path / "turned.mp4", rotation=angle)  # counter-clockwise
    upright = np.rot90(decode_video(path), angle // 90, axes=(1, 2))
    assert np.array_equal(decode_video(turned), upright)
    sizes = []
    frames = read_clip(
        turned,
        lambda count, fps: np.array([4]),
        lambda height, width: sizes.append((height, width)) or (lambda image: image[:10].copy()),
    )
    assert sizes == [upright.shape[1:3]]
    assert np.array_equal(frames, upright[4:5, :10])


def test_a_phone_held_upright_is_seen_upright(tmp_path: Path) -> None:
    """The matrix that phones write into the track's header turns the picture clockwise by a right angle."""
    path = h264(tmp_path)
    plain = decode_video(path)
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40  # of the matrix in a header of version 0
    assert struct.unpack(">9i", data[place : place + 36]) == (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    data[place : place + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 96 << 16, 0, 1 << 30)
    path.write_bytes(data)
    clockwise = plain.swapaxes(1, 2)[:, :, ::-1]  # its left column, from the bottom up, becomes the top row
    assert np.array_equal(decode_video(path), clockwise)
    assert np.array_equal(read_frames(path, [31, 2]), clockwise[[31, 2]])


@pytest.mark.parametrize("parts", [[(20, 10)], [(-1, 10), (0, 40)], [(-1, 5), (13, 9)], [(20, 10), (5, 10)]])
def test_an_edit_list_shows_the_frames_it_names(parts: list[tuple[int, int]], tmp_path: Path) -> None:
    path = h264(tmp_path)
    plain = decode_video(path)
    shown = np.concatenate([plain[first : first + count] for first, count in parts if first >= 0])
    assert np.array_equal(decode_video(with_edits(path, parts)), shown)
    assert np.array_equal(read_frames(path, range(len(shown))), shown)


def test_frame_numbers_must_exist(tmp_path: Path) -> None:
    path = h264(tmp_path)
    for indices in ([40], [-1], []):
        with pytest.raises(UserError, match="it has 40"):
            read_frames(path, indices)


def test_frame_numbers_are_checked_against_what_is_decoded(tmp_path: Path) -> None:
    path = KINDS["mpeg4 avi, packed, still"][0](tmp_path)
    assert len(read_frames(path, [39])) == 1
    with pytest.raises(UserError, match="it has 40"):
        read_frames(path, [40])


def cut_bytes(ratio: float) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(path.read_bytes()[: int(ratio * path.stat().st_size)])


@pytest.mark.parametrize(("kind", "least"), [("mpeg4 avi, packed", 10), ("vp9", 10), ("mpeg2", 10)])
def test_a_truncated_stream_is_as_long_as_what_is_left(kind: str, least: int, tmp_path: Path) -> None:
    path = KINDS[kind][0](tmp_path)
    cut_bytes(0.6)(path)
    try:
        whole = decode_video(path)
    except BrokenVideo:
        with pytest.raises(BrokenVideo):
            read_clip(path, lambda count, fps: uniform_indices(count, 5))
        return
    assert least <= len(whole) < 40
    clip = read_clip(path, lambda count, fps: uniform_indices(count, 5))
    assert np.array_equal(clip, whole[uniform_indices(len(whole), 5)])


def test_a_truncated_mp4_is_broken_from_the_first_clip_on(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", moving_frames(), options=B_FRAMES)
    data = path.read_bytes()
    place = data.index(b"mdat") + 4
    path.write_bytes(data[:place] + data[place : place + 900])
    with pytest.raises(BrokenVideo, match=str(path)):
        read_frames(path, [0])


def test_damage_before_the_last_wanted_frame_is_an_error_or_the_same_frames(tmp_path: Path) -> None:
    path = h264(tmp_path)
    data = path.read_bytes()
    begin = data.index(b"mdat") + 2000
    broken = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        damaged = bytearray(data)
        for place in rng.integers(begin, begin + 3000, size=5):
            damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        outcomes = []
        for read in (decode_video, lambda path: read_frames(path, range(40))):
            try:
                outcomes.append(read(path))
            except BrokenVideo as error:
                outcomes.append(str(error))
        broken += isinstance(outcomes[0], str)
        assert isinstance(outcomes[0], str) == isinstance(outcomes[1], str)
        assert isinstance(outcomes[0], str) or np.array_equal(*outcomes)
    assert broken > 0


@pytest.mark.skipif("VJEPA_MEDIA" not in os.environ, reason="VJEPA_MEDIA names no folder of real clips")
@pytest.mark.parametrize("name", ["box.mp4", "cup.mp4", "cityCC0.mpg", "bigbuckbunny.mp4"])
def test_real_clips_equal_a_full_decode(name: str) -> None:
    path = Path(os.environ["VJEPA_MEDIA"]) / name
    whole = decode_video(path)
    rng = np.random.default_rng(0)
    for _ in range(4):
        indices = np.sort(rng.integers(len(whole), size=6))
        assert np.array_equal(read_frames(path, indices), whole[indices])
    clip = read_clip(path, lambda count, fps: uniform_indices(count, 16))
    assert np.array_equal(clip, whole[uniform_indices(len(whole), 16)])
