"""A headless browser sees what TensorBoard makes of a board."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.ablation.cells import Cell
from tests.experiments.boards.browser import CHROMIUM, Browser, tensorboard

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")


def test_the_table_shows_every_row_and_column(ablation: tuple[Path, list[Cell]]) -> None:
    rows = ["baseline/as_described/seed0", "baseline/as_described/seed1", "random_init/seed0", "pixels"]
    heads = ["variant", "reading", "seed", "mPC glyphs/all", "SSI glyphs, within_level", "target variance"]
    with tensorboard(ablation[0]) as address, Browser(f"{address}#hparams") as page:
        texts = page.wait_for(*rows)
    shown = texts.splitlines()
    assert not [text for text in [*rows, *heads] if text not in shown]
    assert "Number of matching session groups: 6" in texts and "hw/as_described/seed0" not in shown
