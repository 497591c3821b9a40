"""The examples of docs/python.md run as they stand, on fewer clips and steps; the last one without Lightning."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lightning.pytorch import Trainer

from data_modules import GlyphsDataModule
from experiments.in_python import evaluate_model, from_yaml
from experiments.overlays import BASE, CONFIGS
from tests.vjepa.runs import QUIET
from vjepa import FactorizedVideoJEPA, objectives
from vjepa.errors import UserError

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "python.md").read_text()
TRAINED, FROM_YAML, PLAIN = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
SMALL = {"train_clips=1024": "train_clips=48", "val_clips=256": "val_clips=24", "test_clips=512": "test_clips=24",
         "max_steps=400": "max_steps=3"}  # fmt: skip
NO_LIGHTNING = 'import sys\nsys.modules["lightning"] = sys.modules["lightning.pytorch"] = None\n'


def run(code: str, folder: Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", "VJEPA_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_example_trains_probes_and_plots(tmp_path: Path) -> None:
    code = TRAINED
    for long, short in SMALL.items():
        assert code.count(long) == 1
        code = code.replace(long, short)
    told = run(code, tmp_path)
    for expected in ("model  ", "random init", "pixels", "appearance", "motion", "order"):
        assert expected in told
    assert (tmp_path / "accuracy.png").read_bytes().startswith(b"\x89PNG")


def test_the_example_is_about_twenty_statements() -> None:
    lines = [line for line in TRAINED.splitlines() if line.strip()]
    assert len(lines) <= 22


def test_a_yaml_file_makes_model_and_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    made: dict[str, object] = {}
    exec(FROM_YAML, made)
    model, data = made["model"], made["data"]
    assert isinstance(model, FactorizedVideoJEPA) and "latent_dynamics" in model.objectives
    assert getattr(data, "name", None) == "glyphs"


def test_plain_pytorch_trains_where_lightning_is_absent(tmp_path: Path) -> None:
    losses = [float(value) for value in re.findall(r"loss ([\d.]+)", run(NO_LIGHTNING + PLAIN, tmp_path))]
    assert len(losses) == 3 and losses[2] < losses[0]


def test_every_term_is_a_name_of_the_package() -> None:
    for cls in objectives.REGISTRY.values():
        assert getattr(objectives, cls.__name__) is cls
    for name in objectives.__all__:
        assert getattr(objectives, name) is not None
    with pytest.raises(AttributeError, match="did you mean 'LatentDynamics'"):
        objectives.LatentDynamic  # noqa: B018


def test_what_editors_are_told_of_the_terms_is_true() -> None:
    (told,) = re.findall(r"    class Objectives:\n(.*?)\nelse:", Path(objectives.__file__).read_text(), flags=re.DOTALL)
    fields = dict(re.findall(r"^ +(\w+): (\w+) \| None = None$", told, flags=re.MULTILINE))
    assert len(fields) >= 14
    assert all(objectives.REGISTRY[name].__name__ == kind for name, kind in fields.items())


def test_a_model_that_was_not_trained_is_evaluated_and_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VJEPA_CACHE", str(tmp_path))
    sizes = [f"--data.init_args.{split}_clips=24" for split in ("train", "val", "test")]
    model, data = from_yaml(BASE, CONFIGS / "study" / "glyphs.yaml", options=[*sizes, "--model.preset=tiny"])
    report = evaluate_model(model, data, ["knn"], controls=False, out=tmp_path / "out", num_test=12)
    assert model.training
    top1 = [row for row in report.rows if row.metric == "top1" and row.split == "test"]
    assert {row.benchmark for row in top1} == {"glyphs/appearance", "glyphs/motion", "glyphs/order"}
    assert {(row.step, row.weights, row.layout) for row in top1} == {(0, "teacher", "whole")}
    assert len(report.predictions) == 3 and "log_probs" not in repr(report)
    again = evaluate_model(model, data, ["knn"], controls=False, out=tmp_path / "out", num_test=12)
    assert not again.predictions and [row.value for row in again.rows] == [row.value for row in report.rows]


def test_a_trainer_without_a_length_is_told_so(tmp_path: Path) -> None:
    data = GlyphsDataModule(train_clips=24, val_clips=24, test_clips=24, root=str(tmp_path))
    model = FactorizedVideoJEPA(preset="tiny", patch_size=8)
    with pytest.raises(UserError, match="max_steps -1: expected a number of optimizer steps"):
        Trainer(**QUIET).fit(model, data)
