"""Exported encoders: those that ship open, and files of strangers are refused with one message."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from experiments.export import open_encoder
from experiments.shipped import FOLDER, TEACHERS, shipped_teachers
from vjepa.errors import UserError

SHIPPED = FOLDER / "baseline.safetensors"


def test_shipped_teachers_are_trained_small_and_say_what_made_them() -> None:
    subjects = shipped_teachers()
    assert [subject.stamp.variant for subject in subjects] == list(TEACHERS)
    assert len({subject.digest for subject in subjects}) == 2
    for name, subject in zip(TEACHERS, subjects, strict=True):
        path = FOLDER / f"{name}.safetensors"
        exported = open_encoder(path)
        assert path.stat().st_size <= 6 * 2**20 and subject.stamp.step == 2500
        assert f"experiments/configs/objective/{name}.yaml" in exported.command and "/work" not in exported.command
        untrained = exported.model.frozen("init").state_dict()
        trained = exported.model.frozen("teacher").state_dict()
        assert any(not torch.equal(value, untrained[key]) for key, value in trained.items())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("absent", "no such file"),
        ("torn", "not a whole safetensors file"),
        ("pickle", "not a whole safetensors file"),
        ("foreign", "no encoder of this project"),
        ("other architecture", "is missing"),
    ],
)
def test_bad_file_is_named(tmp_path: Path, damage: str, message: str) -> None:
    path = tmp_path / "encoder.safetensors"
    if damage == "torn":
        path.write_bytes(SHIPPED.read_bytes()[:5000])
    elif damage == "pickle":
        torch.save({"weights": torch.zeros(2)}, path)
    elif damage == "foreign":
        save_file({"weights": torch.zeros(2)}, path)
    elif damage == "other architecture":
        state = load_file(SHIPPED)
        state.pop(next(iter(state)))
        save_file(state, path, {"record": _record()})
    with pytest.raises(UserError, match=message) as error:
        open_encoder(path)
    assert str(path) in str(error.value)


def _record() -> str:
    from safetensors import safe_open

    with safe_open(SHIPPED, "pt") as file:
        return str(file.metadata()["record"])
