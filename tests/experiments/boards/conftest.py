"""An ablation of four cells, three of them finished, with its board."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments.ablation.cells import Cell
from experiments.boards import write_boards
from experiments.overlays import BASE
from experiments.training.resolve import resolve_settings
from tests.experiments.boards.browser import CHROMIUM
from tests.experiments.boards.made import make_cell


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say that nobody has looked, whatever the verbosity."""
    if CHROMIUM is None:
        terminalreporter.write_line("browser check of TensorBoard skipped: no Chromium (apt-get install chromium)")


@pytest.fixture(scope="session")
def base_settings() -> dict[str, Any]:
    """The resolved base configuration; tests must not change it."""
    return resolve_settings(["--config", str(BASE)])


@pytest.fixture(scope="session")
def ablation(base_settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Cell]]:
    """Folder and cells; tests must not change them."""
    folder = tmp_path_factory.mktemp("ablation")
    cells = [
        make_cell(folder, base_settings, "baseline", 0, 0.7, controls=True),
        make_cell(folder, base_settings, "baseline", 1, 0.75, controls=True),
        make_cell(folder, base_settings, "ld@latent_dynamics.weight=0.3", 0, 0.8),
        make_cell(folder, base_settings, "hw", 0, 0.9, done=False),
    ]
    assert write_boards(folder, cells) == folder / "board"
    return folder, cells
