"""``vjepa bench decode``: the files it draws are what they claim to be, and all readers read the same clips."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import av
import numpy as np
import pytest
import torch

from data_modules.clips.sampling import FrameSampling
from data_modules.decode.frames import decode_video
from data_modules.encode.packed_avi import write_packed_avi
from experiments.bench import decode, footage
from experiments.bench.clip_readers import ClipJob, decode_only, decord_readers, pyav_float, vjepa
from experiments.cli import main
from tests.data_modules.encoded import moving_frames, write_video
from vjepa.pixels import to_pixels

SAMPLING = FrameSampling(8, frame_step=2)
GREY = 255 * np.array([0.229, 0.224, 0.225]).reshape(3, 1, 1, 1)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, what in footage.KINDS.items():
        monkeypatch.setitem(
            footage.KINDS, kind, replace(what, height=48, width=63 + (kind != "ssv2"), least=20, most=24)
        )


def fake_decord(monkeypatch: pytest.MonkeyPatch) -> None:
    """The part of decord that is used, on top of a full decode."""

    class VideoReader:
        def __init__(self, path: str, num_threads: int, ctx: object) -> None:
            assert num_threads == 1
            self._frames = decode_video(path)

        def __len__(self) -> int:
            return len(self._frames)

        def seek(self, number: int) -> None: ...

        def get_avg_fps(self) -> float:
            return 25.0

        def get_batch(self, indices: np.ndarray) -> SimpleNamespace:
            return SimpleNamespace(asnumpy=lambda: self._frames[indices])

    module = ModuleType("decord")
    module.VideoReader, module.cpu = VideoReader, lambda number: number  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "decord", module)


@pytest.mark.parametrize(("kind", "codec"), [("ucf", "mpeg4"), ("ssv2", "vp9"), ("diving", "h264")])
def test_drawn_files_are_of_their_kind_and_kept(kind: str, codec: str, small: None, tmp_path: Path) -> None:
    paths = footage.make_footage(kind, tmp_path, 2)
    for path in paths:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            what = footage.KINDS[kind]
            assert (stream.codec_context.name, stream.height, stream.width) == (codec, what.height, what.width)
            assert stream.average_rate == what.rate
            packets = [packet for packet in container.demux(stream) if packet.size]
        assert sum(packet.is_keyframe for packet in packets) == 1 and 20 <= len(packets) <= 24
        frames = decode_video(path).astype(int)
        assert 20 <= len(frames) <= 24 and abs(frames[0] - frames[-1]).mean() > 2
    before = [path.stat().st_mtime_ns for path in paths]
    assert footage.make_footage(kind, tmp_path, 2) == paths
    assert [path.stat().st_mtime_ns for path in paths] == before


def test_pictures_are_packed_as_xvid_does(tmp_path: Path) -> None:
    path = write_packed_avi(tmp_path / "a.avi", moving_frames(20), gop=250)
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    pictures = [packet.count(b"\x00\x00\x01\xb6") for packet in packets]
    assert len(packets) == 20 and pictures.count(2) == 6 and max(pictures) == 2
    assert sum(len(packet) < 19 for packet in packets) == 6
    assert b"DivX503b1393p" in packets[0] and b"XviD" in packets[0]
    assert len(decode_video(path)) == 20


def test_all_readers_read_the_same_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_decord(monkeypatch)
    path = write_video(tmp_path / "a.mp4", moving_frames(40), options={"bf": "2"})
    flips = set()
    for seed in range(6):
        job = ClipJob(path, seed, SAMPLING, 32)
        flips.add(job.view(96, 128).flip)
        ours = vjepa(job)
        assert ours.shape == (8, 32, 32, 3) and ours.dtype == np.uint8
        readers = decord_readers()
        assert np.array_equal(readers["decord, uint8 crop"](job), ours)
        assert decode_only(job) == 8
        pixels = to_pixels(torch.from_numpy(ours)[None])[0].numpy()
        for read in (readers["decord, float crop"], pyav_float):
            clip = read(job).numpy()
            assert clip.shape == (3, 8, 32, 32)
            assert np.abs((clip - pixels) * GREY).max() <= 1.01
    assert flips == {True, False}


def test_the_floor_is_that_of_files_without_display_times_too(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mpg", moving_frames(40), "mpeg2video", {"bf": "2"})
    assert [decode_only(ClipJob(path, seed, SAMPLING, 32)) for seed in range(4)] == [8] * 4


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[dict[str, dict], list[str]]:
    assert main(["bench", "decode", "--rounds", "2", "--warmup", "0", "--frames", "4", "--size", "32", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    cases = [json.loads(line) for line in lines if line.startswith("{")]
    return {case["case"]: case for case in cases}, [line for line in lines if not line.startswith("{")]


def test_drawn_kinds_against_decord(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_decord(monkeypatch)
    monkeypatch.setitem(decode.GOALS, "ucf", (0.0, 1e9))
    cases, text = run(capsys, "--kinds", "ucf,ssv2", "--files", "1", "--root", str(tmp_path))
    readers = ["vjepa", "decord, float crop", "decord, uint8 crop", "decode only"]
    assert list(cases) == [f"{kind}: {reader}" for kind in ("ucf", "ssv2") for reader in readers]
    assert all(case["reference"] == f"{name[: name.index(':')]}: vjepa" for name, case in cases.items())
    assert cases["ucf: vjepa"]["ratio"] == 1.0 and cases["ucf: vjepa"]["settings"]["clip"] == [4, 2, 32]
    assert any("at least 0.0 wanted)" in line for line in text)
    assert any("at least 1000000000.0 wanted, missed)" in line for line in text)


def test_a_folder_without_decord(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "decord", None)
    for number in range(3):
        write_video(tmp_path / f"{number}.MP4".lower(), moving_frames(20, seed=number))
    (tmp_path / "notes.txt").write_text("no video")
    cases, text = run(capsys, "--folder", str(tmp_path), "--files", "2")
    assert list(cases) == ["folder: vjepa", "folder: decode only", "folder: PyAV, float crop"]
    assert cases["folder: vjepa"]["settings"]["files"] == 2
    assert "decord is not installed" in text[0]


def test_mistakes_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    for words, message in (
        (["--kinds", "ucff"], "did you mean 'ucf'"),
        (["--folder", str(tmp_path / "none")], "no video found"),
        (["--folder", str(tmp_path)], "a.mp4: cannot be decoded"),
        (["--files", "0"], "--files 0"),
    ):
        assert main(["bench", "decode", *words]) == 2
        assert message in capsys.readouterr().err
