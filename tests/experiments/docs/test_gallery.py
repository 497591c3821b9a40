"""docs/gallery.md is what the code says, and its pictures are there and small."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.docs.command import main
from experiments.docs.gallery import EXHIBITS, draw_gallery, gallery_page
from experiments.show.command import PICTURES
from vjepa.errors import UserError

PAGE = Path(__file__).parents[3] / "docs" / "gallery.md"
IMAGES = [PAGE.parent / "images" / "gallery" / f"{one.name}.{ending}" for one in EXHIBITS for ending in one.endings]


def test_the_page_is_what_the_code_says() -> None:
    assert gallery_page(PAGE.read_text()) == PAGE.read_text(), "run: vjepa docs gallery --write"
    assert main(["gallery", "--check"]) == 0


def test_every_picture_of_the_command_has_a_section_and_an_image() -> None:
    assert {one.name for one in EXHIBITS} == set(PICTURES)
    linked = re.findall(r"\]\(images/gallery/([\w.]+)\)", PAGE.read_text())
    assert linked == [path.name for path in IMAGES]
    assert {path.name for path in IMAGES[0].parent.iterdir()} == set(linked)


def test_images_are_small_and_show_something() -> None:
    assert sum(path.stat().st_size for path in IMAGES) < 1_500_000
    for path in IMAGES:
        assert path.stat().st_size < 300_000, path.name
        with Image.open(path) as image:
            assert getattr(image, "n_frames", 1) == (8 if path.suffix == ".gif" else 1)
            assert 400 <= image.width <= 1600 and 200 <= image.height <= 1700
            assert len(image.convert("RGB").getcolors(1 << 20) or []) > 20


def test_missing_marks_are_named() -> None:
    with pytest.raises(UserError, match="begin pictures"):
        gallery_page("# Gallery\n")


@pytest.mark.slow
def test_the_command_draws_every_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VJEPA_CACHE", str(tmp_path / "cache"))
    sizes = {"train_clips": 64, "val_clips": 32, "test_clips": 16}
    for name, value in (("STEPS", 20), ("NUM_TRAIN", 64), ("NUM_VAL", 32), ("SIZES", sizes)):
        monkeypatch.setattr(f"experiments.docs.gallery.{name}", value)
    draw_gallery(tmp_path / "images")
    made = sorted((tmp_path / "images").iterdir())
    assert [path.name for path in made] == sorted(path.name for path in IMAGES)
    # What depends on neither probes nor training is drawn as it is in docs.
    for name in ("masks.gif", "motion.gif"):
        one, other = (
            np.asarray(Image.open(folder / name).convert("RGB")) for folder in (made[0].parent, IMAGES[0].parent)
        )
        assert one.shape == other.shape and np.abs(one.astype(int) - other).mean() < 3
