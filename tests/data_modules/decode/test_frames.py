"""Decoding of real files: frame-exact in presentation order, and one clear error for every broken kind."""

from __future__ import annotations

import os
import pickle
import struct
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from numpy.typing import NDArray

from data_modules.decode import frames as decoding
from data_modules.decode.frames import BrokenVideo, decode_video, uniform_indices
from data_modules.decode.reader import read_clip
from data_modules.encode.mp4 import encode_mp4
from tests.data_modules.encoded import write_video

NUM_FRAMES = 12


def numbered_frames(num_frames: int = NUM_FRAMES, height: int = 32, width: int = 48) -> NDArray[np.uint8]:
    """Frames whose brightness tells their number, with a white mark in the top left corner."""
    frames = np.empty((num_frames, height, width, 3), dtype=np.uint8)
    for number in range(num_frames):
        frames[number] = 20 + 15 * number
    frames[:, : height // 4, : width // 4] = 255
    return frames


def frame_numbers(frames: NDArray[np.uint8]) -> list[int]:
    """Read the numbers back from the bottom right corner."""
    return [round((float(frame[-6:, -6:].mean()) - 20) / 15) for frame in frames]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(encode_mp4(numbered_frames(), fps=10, crf=10))
    return path


def test_frames_come_back_in_presentation_order(video: Path) -> None:
    with av.open(str(video)) as container:
        kinds = [PictureType(frame.pict_type).name for frame in container.decode(video=0)]
    frames = decode_video(video, NUM_FRAMES)
    assert "B" in kinds, "the file must reorder frames for this test to mean anything"
    assert frames.dtype == np.uint8 and frames.shape == (NUM_FRAMES, 32, 48, 3)
    assert frame_numbers(frames) == list(range(NUM_FRAMES))


def test_encoding_is_reproducible() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    assert encode_mp4(frames, 8, 18) == encode_mp4(frames, 8, 18)


def test_rotation_is_applied(video: Path, tmp_path: Path) -> None:
    upright = decode_video(video)
    data = video.read_bytes()
    identity = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    quarter_turn_clockwise = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
    track = data.index(b"tkhd")
    place = data.index(identity, track)
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(data[:place] + quarter_turn_clockwise + data[place + len(identity) :])
    assert np.array_equal(decode_video(turned), np.rot90(upright, -1, axes=(1, 2)))


def test_an_edit_list_hides_frames(tmp_path: Path) -> None:
    path = tmp_path / "edited.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"bf": "0", "crf": "10"})
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 10)
        for number, image in enumerate(numbered_frames()):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            # A negative start makes the muxer write an edit list that skips three frames.
            frame.pts, frame.time_base = number - 3, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert frame_numbers(decode_video(path)) == list(range(3, NUM_FRAMES))


def missing(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5000))


def text(path: Path) -> None:
    path.write_text("this is not a video\n" * 100)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def without_index(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov")])


def half_an_index(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: (data.index(b"moov") + len(data)) // 2])


def truncated_with_index_first(path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (NUM_FRAMES, 32, 48, 3), dtype=np.uint8)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    data = path.read_bytes()
    path.write_bytes(data[: int(0.6 * len(data))])


def sound_only(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))


def no_frames(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        container.start_encoding()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (missing, "no such file"),
        (folder, "no such file"),
        (empty, "empty"),
        (noise, "cannot be decoded"),
        (text, "cannot be decoded"),
        (without_index, "cannot be decoded"),
        (half_an_index, "cannot be decoded|no video stream|no frames"),
        (truncated_with_index_first, "truncated"),
        (sound_only, "no video stream"),
        (no_frames, "no frames|no video stream|cannot be decoded"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_broken_files_are_named_with_the_reason(video: Path, damage: object, reason: str) -> None:
    damage(video)  # type: ignore[operator]
    with pytest.raises(BrokenVideo, match=reason) as caught:
        decode_video(video)
    assert str(video) in str(caught.value)


def test_a_wrong_number_of_frames_is_an_error(video: Path) -> None:
    with pytest.raises(BrokenVideo, match="has 12 frames, expected 8"):
        decode_video(video, 8)


def test_the_error_survives_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(BrokenVideo("a.mp4", "is empty")))
    assert isinstance(error, BrokenVideo)
    assert str(error) == "a.mp4: is empty" and error.path == Path("a.mp4")


@pytest.mark.parametrize(
    ("available", "wanted", "expected"),
    [
        (5, 5, [0, 1, 2, 3, 4]),
        (10, 4, [0, 3, 6, 9]),
        (11, 4, [0, 3, 6, 10]),
        (2, 4, [0, 1, 1, 1]),
        (7, 1, [0]),
    ],
)
def test_uniform_indices(available: int, wanted: int, expected: list[int]) -> None:
    assert uniform_indices(available, wanted).tolist() == expected


@pytest.mark.skipif("VJEPA_MEDIA" not in os.environ, reason="VJEPA_MEDIA names no folder of real clips")
@pytest.mark.parametrize(("name", "num_frames"), [("box.mp4", 455), ("cup.mp4", 217)])
def test_real_clips_equal_a_plain_decode(name: str, num_frames: int) -> None:
    path = Path(os.environ["VJEPA_MEDIA"]) / name
    frames = decode_video(path, num_frames)
    with av.open(str(path)) as container:
        for ours, frame in zip(frames, container.decode(video=0), strict=True):
            assert np.array_equal(ours, frame.to_ndarray(format="rgb24"))


@pytest.mark.parametrize("suffix", ["mp4", "webm", "avi"])
def test_a_title_that_is_no_text_harms_nothing(tmp_path: Path, suffix: str) -> None:
    frames = numbered_frames(6)
    codec = {"mp4": "libx264", "webm": "libvpx-vp9", "avi": "mpeg4"}[suffix]
    plain = write_video(tmp_path / f"plain.{suffix}", frames, codec)
    titled = tmp_path / f"titled.{suffix}"
    with av.open(str(plain)) as reading, av.open(str(titled), "w") as writing:
        copy = writing.add_stream_from_template(reading.streams.video[0])
        writing.metadata["title"] = "a title in ASCII"
        for packet in reading.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                writing.mux(packet)
    content = titled.read_bytes()
    assert b"a title in ASCII" in content
    titled.write_bytes(content.replace(b"a title in ASCII", b"caf\xe9\xff in Latin 1"))
    assert np.array_equal(decode_video(titled), decode_video(plain))


def test_frames_too_large_are_refused_before_they_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "large.mp4", numbered_frames(3, 48, 64))
    monkeypatch.setattr(decoding, "MAX_PIXELS", 48 * 64)
    with decoding.open_video(path) as (_, stream):
        assert stream.width == 64
    monkeypatch.setattr(decoding, "MAX_PIXELS", 48 * 64 - 1)
    with pytest.raises(BrokenVideo, match=r"frames of 64 x 48 pixels"), decoding.open_video(path):
        pass


def test_videos_too_long_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "long.mp4", numbered_frames(5, 48, 64))
    monkeypatch.setattr(decoding, "MAX_FRAMES", 5)
    assert len(decode_video(path)) == len(read_clip(path, lambda num_frames, fps: np.arange(num_frames))) == 5
    monkeypatch.setattr(decoding, "MAX_FRAMES", 4)
    for read in (decode_video, lambda one: read_clip(one, lambda num_frames, fps: np.arange(2))):
        with pytest.raises(BrokenVideo, match=r"long.mp4: has more than the 4 frames that are looked through"):
            read(path)


def test_files_with_too_many_streams_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mpeg4", rate=25) for _ in range(decoding.MAX_STREAMS + 1)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for stream in streams:
            frame = av.VideoFrame.from_ndarray(numbered_frames(1, 32, 32)[0], format="rgb24")
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    with pytest.raises(BrokenVideo, match=r"many.mkv: has 65 streams, more than the 64 allowed"):
        decode_video(path)
