"""requirements.lock pins what pyproject.toml asks for, each file by its hash."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def pinned() -> dict[str, tuple[str, int]]:
    """Version and number of hashes of each package; several versions for several Pythons end with the last."""
    found = {}
    for entry in re.split(r"\n(?=[a-z0-9])", (ROOT / "requirements.lock").read_text()):
        if match := re.match(r"([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", entry):
            found[canonicalize_name(match[1])] = (match[2], entry.count("--hash=sha256:"))
    return found


def test_every_dependency_is_pinned_within_its_range(pinned: dict[str, tuple[str, int]]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for text in [*project["dependencies"], *extras["dev"], *extras["slurm"], *extras["hf"], *extras["site"]]:
        wanted = Requirement(text)
        if wanted.name == project["name"]:
            continue  # dev takes in the other extras
        version, _ = pinned[canonicalize_name(wanted.name)]
        assert wanted.specifier.contains(version), f"{text}: {version} is locked; run make lock"


def test_every_file_has_a_hash(pinned: dict[str, tuple[str, int]]) -> None:
    assert len(pinned) > 60
    assert all(hashes >= 1 for _, hashes in pinned.values())
