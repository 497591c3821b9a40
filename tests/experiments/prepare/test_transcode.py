"""``vjepa prepare transcode``: what it says of the copies is true, and mistakes are told in one line."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from data_modules.encode.transcode import Transcoding, transcode
from experiments.cli import main
from experiments.prepare.transcode import peak_signal_to_noise
from tests.data_modules.encoded import moving_frames, write_packed_avi, write_video


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "deep").mkdir(parents=True)
    write_packed_avi(folder / "a.avi", moving_frames(40))
    write_video(folder / "deep" / "b.mp4", moving_frames(40))
    (folder / "c.webm").write_text("no video")
    (folder / "labels.csv").write_text("a.avi 0\n")
    return folder


def test_a_folder_is_written_measured_and_its_broken_files_listed(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "target"
    command = ["prepare", "transcode", str(source), str(target), "--jobs", "1"]
    assert main([*command, "--sample", "2"]) == 0
    out = capsys.readouterr().out
    assert "2 videos written, 0 were there, 1 other files copied, 1 videos cannot be read" in out
    assert "c.webm: cannot be decoded" in out and "measured on 2 of them" in out
    found = re.search(r"read ([\d.]+)x as fast .* ([\d.]+)x the bytes, PSNR ([\d.]+) dB \(worst ([\d.]+)\)", out)
    assert found is not None
    speed, bytes_ratio, mean, worst = map(float, found.groups())
    sizes = [sum((folder / name).stat().st_size for name in ("a.avi", "deep/b.mp4")) for folder in (target, source)]
    assert speed > 0 and bytes_ratio == pytest.approx(sizes[0] / sizes[1], abs=0.01) and 35 < worst <= mean < 60
    assert list(csv.reader((target / "broken.csv").open()))[1][0] == "c.webm"

    (source / "c.webm").unlink()
    assert main([*command, "--sample", "0"]) == 0
    assert "0 videos written, 2 were there" in capsys.readouterr().out
    assert not (target / "broken.csv").exists()


def test_the_noise_is_that_of_the_encoder(source: Path, tmp_path: Path) -> None:
    noise = []
    for crf in (4, 30):
        target, how = tmp_path / f"{crf}.mp4", Transcoding(short_side=64, crf=crf)
        transcode(source / "a.avi", target, how)
        noise.append(peak_signal_to_noise(source / "a.avi", target, how))
    assert noise[0] > noise[1] + 3
    assert peak_signal_to_noise(source / "a.avi", source / "a.avi", Transcoding()) > 100


def test_mistakes_are_one_line(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for target, options, message in (
        (source / "labels.csv", (), "must not change"),
        (tmp_path, (), "must not change"),
        (Path("/dev/null/out"), (), "cannot write /dev/null/out"),
        (tmp_path / "out", ("--sample", "-1"), "--sample -1"),
        (tmp_path / "out", ("--crf", "60"), "crf is 60; expected 0 to 51"),
    ):
        assert main(["prepare", "transcode", str(source), str(target), *options]) == 2
        error = capsys.readouterr().err.strip()
        assert message in error and "\n" not in error


def test_nothing_readable_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "a.mp4").write_text("no video")
    assert main(["prepare", "transcode", str(source), str(target), "--jobs", "1"]) == 2
    assert "no video of the source can be read" in capsys.readouterr().err
