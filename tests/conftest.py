"""Fixtures for all tests: golden numbers, looked up here first and then in ``VJEPA_GOLDEN``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

SHIPPED = Path(__file__).parent / "golden"

Golden = Callable[[str], dict[str, Any]]


def pytest_configure() -> None:
    """One thread: the tests' tensors are so small that several threads only wait for one another."""
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # the same for processes that tests start: sums depend on it in the last bits


@pytest.fixture(scope="session")
def golden() -> Golden:
    """Arrays of ``<name>.npz``: numeric ones as tensors, texts and booleans as NumPy scalars.

    A file that does not ship is looked for in the folder that ``VJEPA_GOLDEN`` names. Without the variable the test is
    skipped; with it, a missing file is a failure.
    """

    def load(name: str) -> dict[str, Any]:
        larger = os.environ.get("VJEPA_GOLDEN")
        for folder in (SHIPPED, *([Path(larger)] if larger else [])):
            path = folder / f"{name}.npz"
            if path.is_file():
                with np.load(path, allow_pickle=False) as arrays:
                    return {key: _tensor(arrays[key]) for key in arrays.files}
        if larger:
            pytest.fail(f"VJEPA_GOLDEN={larger} holds no {name}.npz")
        pytest.skip(f"{name}.npz does not ship: set VJEPA_GOLDEN to a folder that holds it, see tests/golden/README.md")

    return load


def _tensor(array: np.ndarray) -> Any:
    return torch.from_numpy(array.copy()) if array.dtype.kind in "if" else array[()]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many golden tests were skipped, whatever the verbosity."""
    skipped = [report for report in terminalreporter.getreports("skipped") if "VJEPA_GOLDEN" in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(
            f"{len(skipped)} golden tests skipped: set VJEPA_GOLDEN, see tests/golden/README.md"
        )
