"""The doctor finds what is there, names what is not, and writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments import doctor
from experiments.cli import main


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VJEPA_CACHE", str(tmp_path / "cache" / "deep"))
    monkeypatch.delenv("DATA_ROOT", raising=False)
    return tmp_path


def lines(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    return {line[6:].split("  ")[0]: line for line in capsys.readouterr().out.splitlines() if line[:4].strip()}


def test_a_sound_machine_is_ready(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    found = lines(capsys)
    assert {"versions", "machine", "decoders", "encoders", "cache", "here", "DATA_ROOT"} <= found.keys()
    assert found["decoders"].startswith("ok") and "vp9" in found["decoders"]
    assert found["DATA_ROOT"].startswith("note") and "DATA_ROOT is not set" in found["DATA_ROOT"]
    assert not list(place.iterdir())


def test_data_sets_are_listed(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "data" / "ucf101").mkdir(parents=True)
    monkeypatch.setenv("DATA_ROOT", str(place / "data"))
    assert main(["doctor"]) == 0
    assert "holds ucf101" in lines(capsys)["DATA_ROOT"]


def test_what_is_missing_is_named(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_ROOT", str(place / "gone"))
    monkeypatch.setitem(doctor.ENCODERS, "libx999", "nothing")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "libx999 (nothing)" in out and "to mend: encoders, DATA_ROOT" in out
