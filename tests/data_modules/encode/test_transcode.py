"""Videos written again show the same frames in the same order; the originals stay; a stopped run goes on."""

from __future__ import annotations

import os
import resource
import signal
import time
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np
import pytest

from data_modules.decode.frames import BrokenVideo, decode_video
from data_modules.encode.transcode import Transcoding, transcode
from data_modules.encode.transcode_folder import Outcome, find_files, transcode_folder
from tests.data_modules.encoded import moving_frames, read_frames, remux, write_packed_avi, write_video
from vjepa.errors import UserError


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".transcode.lock"
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "deep" / "er").mkdir(parents=True)
    write_packed_avi(folder / "a.avi", moving_frames(30))
    write_video(folder / "deep" / "b.webm", moving_frames(24, 95, 127), "libvpx-vp9", {"deadline": "realtime"}, rate=12)
    write_video(folder / "deep" / "er" / "c.mp4", moving_frames(30, 200, 120), options={"bf": "2"}, rate=30)
    (folder / "labels.csv").write_text("a.avi 0\n")
    return folder


@pytest.mark.parametrize(("name", "rate", "size"), [("a.avi", 25, (64, 86)), ("deep/b.webm", 12, (64, 86))])
def test_frames_keep_their_number_and_order(
    name: str, rate: int, size: tuple[int, int], source: Path, tmp_path: Path
) -> None:
    how = Transcoding(short_side=64, crf=10)
    target = tmp_path / "out" / "new.mp4"
    transcode(source / name, target, how)
    before = np.stack([how.resized(frame) for frame in decode_video(source / name)]).astype(float)
    after = decode_video(target, len(before)).astype(float)
    assert after.shape[1:3] == size
    for number, frame in enumerate(after):
        errors = np.square(before - frame).mean(axis=(1, 2, 3))
        assert errors.argmin() == number and errors[number] < 100
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == rate and stream.codec_context.name == "h264"
        keys = [number for number, packet in enumerate(container.demux(stream)) if packet.size and packet.is_keyframe]
    assert keys == list(range(0, len(before), 8))
    assert os.listdir(target.parent) == ["new.mp4"]


def test_the_copy_is_read_from_its_packets_alone(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import data_modules.decode.reader

    transcode(source / "a.avi", tmp_path / "new.mp4", Transcoding())
    whole = decode_video(tmp_path / "new.mp4")
    monkeypatch.setattr(data_modules.decode.reader, "_read_in_order", None)
    for number in range(len(whole)):
        assert np.array_equal(read_frames(tmp_path / "new.mp4", [number])[0], whole[number])


def test_small_videos_keep_their_size(source: Path, tmp_path: Path) -> None:
    transcode(source / "deep" / "er" / "c.mp4", tmp_path / "c.mp4", Transcoding())
    assert decode_video(tmp_path / "c.mp4").shape == (30, 200, 120, 3)


# Pixel format, matrix (1 is that of HDTV, 2 unstated), range of values (2 is the full one), grey levels lost.
@pytest.mark.parametrize(
    ("pix_fmt", "matrix", "value_range", "most"),
    [("yuv420p", 2, 0, 0.1), ("yuv420p", 1, 2, 0.1), ("yuv420p10le", 1, 1, 1.0), ("yuv444p", 1, 1, 1.6)],
)
def test_colours_stay(pix_fmt: str, matrix: int, value_range: int, most: float, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.height, stream.width, stream.pix_fmt = 96, 128, pix_fmt
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, value_range
        for image in moving_frames(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    transcode(path, tmp_path / "new.mp4", Transcoding(crf=4))
    difference = decode_video(path).astype(float) - decode_video(tmp_path / "new.mp4")
    assert np.abs(difference.mean(axis=(0, 1, 2))).max() < most
    assert np.square(difference).mean() < 120  # most of it at the edge of the disc, where colours are halved


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_copies_are_upright(angle: int, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", moving_frames(12))
    turned, new = remux(path, tmp_path / "turned.mp4", rotation=angle), tmp_path / "new.mp4"
    how = Transcoding(short_side=64, crf=4)
    transcode(turned, new, how)
    before = np.stack([how.resized(frame) for frame in decode_video(turned)]).astype(float)
    with av.open(str(new)) as container:
        assert next(container.decode(video=0)).rotation == 0
    assert np.square(before - decode_video(new)).mean() < 100


def test_times_that_lie_are_not_believed(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", moving_frames(), options={"bf": "2"})
    lying = remux(path, tmp_path / "lie.mp4", times_lie=True)
    transcode(lying, tmp_path / "new.mp4", Transcoding(crf=5))
    before, after = decode_video(lying).astype(float), decode_video(tmp_path / "new.mp4").astype(float)
    for number, frame in enumerate(after):
        assert np.square(before - frame).mean(axis=(1, 2, 3)).argmin() == number


def test_a_folder_is_written_again_and_the_originals_stay(source: Path, tmp_path: Path) -> None:
    (source / "deep" / "broken.mp4").write_text("no video")
    before, target, told = state(source), tmp_path / "target", []
    how = Transcoding(short_side=64)
    outcome = transcode_folder(source, target, how, jobs=2, progress=lambda done, total: told.append((done, total)))
    assert sorted(outcome.written) == ["a.avi", "deep/b.webm", "deep/er/c.mp4"]
    assert outcome.kept == [] and outcome.copied == 1
    assert list(outcome.broken) == ["deep/broken.mp4"] and "cannot be decoded" in outcome.broken["deep/broken.mp4"]
    assert told[0] == (0, 4) and told[-1] == (4, 4)
    assert state(source) == before
    assert find_files(target) == (sorted(outcome.written), [".transcode.lock", "labels.csv", "transcode.json"])
    for name in outcome.written:
        assert len(decode_video(target / name)) == len(decode_video(source / name))

    first = state(target)
    again = transcode_folder(source, target, how)
    assert (again.written, again.kept, again.copied) == ([], sorted(outcome.written), 0)
    assert state(target) == first
    later = time.time() + 5
    os.utime(source / "a.avi", (later, later))
    assert transcode_folder(source, target, how).written == ["a.avi"]


def test_a_few_can_be_tried_first(source: Path, tmp_path: Path) -> None:
    few = transcode_folder(source, tmp_path / "target", Transcoding(), only=2)
    assert few.written == ["a.avi", "deep/er/c.mp4"] and few.copied == 0
    rest = transcode_folder(source, tmp_path / "target", Transcoding())
    assert rest.written == ["deep/b.webm"] and rest.kept == few.written and rest.copied == 1


def run_slowly(source: Path, target: Path) -> None:
    transcode_folder(source, target, Transcoding())


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_goes_on_where_it_was(end: signal.Signals, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    one = write_video(source / "00.mp4", moving_frames(40, 160, 224)).read_bytes()
    for number in range(1, 16):
        (source / f"{number:02}.mp4").write_bytes(one)
    process = get_context("forkserver").Process(target=run_slowly, args=(source, target))
    process.start()
    deadline = time.monotonic() + 120
    while len(list(target.glob("*.mp4"))) < 2:
        assert time.monotonic() < deadline and process.is_alive()
        time.sleep(0.01)
    os.kill(process.pid or 0, end)
    process.join(60)
    assert process.exitcode not in (None, 0)
    written = {path.name for path in target.glob("*.mp4")}
    assert 2 <= len(written) < 16
    (target / ".09.mp4.abc.part").write_bytes(b"what a killed process leaves")
    before = {name: (target / name).stat().st_mtime_ns for name in written}

    deadline = time.monotonic() + 60
    while True:  # a process that was killed takes a moment to let go of the folder
        try:
            outcome = transcode_folder(source, target, Transcoding(), jobs=2)
            break
        except UserError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert written <= set(outcome.kept) and len(outcome.kept) + len(outcome.written) == 16
    assert all((target / name).stat().st_mtime_ns == stamp for name, stamp in before.items())
    assert not list(target.glob(".*.part"))
    assert len({(target / f"{number:02}.mp4").read_bytes() for number in range(16)}) == 1


def test_two_runs_do_not_meet_in_a_folder(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"

    def second(done: int, total: int) -> None:
        with pytest.raises(UserError, match="another process is writing into it"):
            transcode_folder(source, target, Transcoding())

    assert isinstance(transcode_folder(source, target, Transcoding(), only=1, progress=second), Outcome)


def test_mistakes_are_named(source: Path, tmp_path: Path) -> None:
    how, target = Transcoding(), tmp_path / "target"
    for arguments, message in (
        ((tmp_path / "none", target, how), "no such folder"),
        ((source, source, how), "must not change"),
        ((source, source / "new", how), "must not change"),
        ((source, tmp_path, how), "must not change"),
        ((source, target, how, 0), "jobs is 0"),
    ):
        with pytest.raises(UserError, match=message):
            transcode_folder(*arguments)  # type: ignore[arg-type]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no video found"):
        transcode_folder(tmp_path / "empty", target, how)
    transcode_folder(source, target, how, only=1)
    with pytest.raises(UserError, match="choose another folder"):
        transcode_folder(source, target, Transcoding(crf=20))
    for wrong in ({"short_side": 8}, {"gop": 0}, {"crf": 52}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            Transcoding(**wrong)


def test_a_full_disk_is_named_and_leaves_nothing(source: Path, tmp_path: Path) -> None:
    """The limit on a file's size stands in for a full disk: both refuse a write in the middle of a file."""
    (tmp_path / "out").mkdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(UserError, match=r"cannot write .*c\.mp4: the file size limit is reached"):
            transcode(source / "deep" / "er" / "c.mp4", tmp_path / "out" / "c.mp4", Transcoding())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path / "out") == []


def test_an_unwritable_target_is_named(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "file", tmp_path / "file" / "deep"):
        with pytest.raises(UserError, match=f"cannot write {target}"):
            transcode_folder(source, target, Transcoding())


def test_a_broken_video_leaves_nothing(source: Path, tmp_path: Path) -> None:
    path = source / "deep" / "er" / "c.mp4"
    data = path.read_bytes()
    place = data.index(b"mdat") + 400
    path.write_bytes(data[:place] + bytes(2000) + data[place + 2000 :])
    (tmp_path / "out").mkdir()
    with pytest.raises(BrokenVideo, match=r"c\.mp4"):
        transcode(path, tmp_path / "out" / "c.mp4", Transcoding())
    assert os.listdir(tmp_path / "out") == []
