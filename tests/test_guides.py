"""The guides to a new data set and a new corruption work, word by word, in a copy of the project."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.data_modules.encoded import moving_frames, write_video
from tests.guides import ROOT, follow, run_in

DATA_SET, CORRUPTION = (ROOT / "docs" / f"adding-a-{what}.md" for what in ("data-set", "corruption"))
FEW_STEPS = ("--trainer.max_steps=2", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false")
FEW_CLIPS = tuple(
    f"--data.init_args.{split}_clips={count}" for split, count in (("train", 48), ("val", 16), ("test", 16))
)
FEWER = ("--num-train", "24", "--num-val", "16", "--num-test", "12", "--device", "cpu")


def write_gestures(root: Path) -> None:
    """As many files as the example says were published."""
    for split, count in (("train", 8), ("test", 3)):
        for label, name in enumerate(("wave", "point")):
            folder = root / "gestures" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                write_video(folder / f"{number}.mp4", moving_frames(24, 72, 96, seed=10 * number + label))


def run_folder(told: str) -> str:
    found = re.search(r"^run folder: (.+)$", told, flags=re.MULTILINE)
    assert found is not None, told
    return found[1]


@pytest.mark.slow
def test_the_guide_to_a_new_data_set_works(tmp_path: Path) -> None:
    write_gestures(tmp_path / "data")
    project = tmp_path / "project"
    test, check, fit, probe = follow(DATA_SET, project)
    settings = {"DATA_ROOT": str(tmp_path / "data"), "VJEPA_CACHE": str(tmp_path / "cache")}
    assert "2 passed" in run_in(project, [*test, "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib"])
    told = run_in(project, check, **settings)
    assert "in order" in told and "train and val are the official train, divided: 15 and 1" in told
    run = run_folder(run_in(project, [*fit, *FEW_STEPS], **settings))
    assert "/gestures/baseline/" in run
    told = run_in(project, [run if word == "RUN" else word for word in probe] + ["--device", "cpu"], **settings)
    assert "gesture" in told and "random init" in told


@pytest.mark.slow
def test_the_guide_to_a_new_corruption_works(tmp_path: Path) -> None:
    project = tmp_path / "project"
    docs, test, fit, robustness = follow(CORRUPTION, project)
    settings = {"VJEPA_CACHE": str(tmp_path / "cache")}
    run_in(project, docs)
    assert "| `vignette` | model | amount | 0.2 | 0.35 |" in (project / "docs" / "robustness.md").read_text()
    told = run_in(project, [*test, "-vv", "-p", "no:cacheprovider"])
    for contract in ("keeps_shape_type", "in_any_order", "the_page_is_what", "profiles_are_complete", "the_corners"):
        assert re.search(rf"{contract}\S* PASSED", told), contract
    assert "FAILED" not in told
    run = run_folder(run_in(project, [*fit, *FEW_STEPS, *FEW_CLIPS], **settings))
    words = [run if word == "RUN" else word for word in robustness]
    told = run_in(project, [*words, *FEWER, "--no-controls", "--without", "stability,order,subspaces"], **settings)
    rows = (project / run / "results.jsonl").read_text()
    assert '"corruption": "vignette"' in rows and '"mpc_lens"' in rows
