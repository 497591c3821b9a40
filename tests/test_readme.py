"""The README names two commands and leads to every page; its commands are tested by test_commands.py."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
INDEX = (ROOT / "docs" / "index.md").read_text()
PAGES = [page.name for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "index.md"]
MAKE = re.findall(r"^make ([\w-]+)", README, flags=re.MULTILINE)


def test_the_two_commands_are_there_and_make_lists_them() -> None:
    assert MAKE[:2] == ["demo", "test"]
    listed = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert all(f"make {target} " in listed for target in MAKE)


def test_the_readme_fits_two_screens() -> None:
    assert len(README.splitlines()) < 100


@pytest.mark.parametrize("name", PAGES)
def test_readme_and_first_page_lead_to_every_page(name: str) -> None:
    assert f"](docs/{name})" in README and f"]({name})" in INDEX


def test_every_file_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links and all((ROOT / link).exists() for link in links if not link.startswith("http"))
