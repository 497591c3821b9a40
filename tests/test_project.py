"""What stands around the code: citation, changelog, hooks, templates, and the mark that the packages have types."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import vjepa

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = ("vjepa", "data_modules", "experiments")
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_the_citation_has_the_keys_that_its_format_requires() -> None:
    cited = load(ROOT / "CITATION.cff")
    assert cited.keys() >= {"cff-version", "message", "title", "authors"}
    assert cited["cff-version"] == "1.2.0" and cited["type"] == "software"
    assert cited["version"] == vjepa.__version__ == PROJECT["project"]["version"]
    assert cited["license"] == PROJECT["project"]["license"]
    for entry in (cited, *cited["references"]):
        assert entry["title"] and all(author["name"] for author in entry["authors"])
    (study,) = cited["references"]
    assert study["type"] == "article" and study["url"].endswith("/2605.17165")


def test_the_changelog_has_a_section_for_what_comes_and_for_this_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == "Unreleased" and vjepa.__version__ in headings
    assert len(set(headings)) == len(headings)


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_ship_their_types(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
    assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"][package]


def test_hooks_are_those_of_the_environment() -> None:
    repos = load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert {repo["repo"] for repo in repos} == {"local"}
    hooks = {hook["entry"].split()[0]: hook for repo in repos for hook in repo["hooks"]}
    assert {"ruff", "mypy", "python"} <= hooks.keys()
    assert all(hook["language"] == "system" for hook in hooks.values())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_issue_templates_are_forms(path: Path) -> None:
    form = load(path)
    assert form["name"] and form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in fields} <= {"textarea", "input", "dropdown", "checkboxes"}
    assert all(field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields)


def test_there_is_a_template_for_bugs_and_one_for_questions() -> None:
    assert [path.stem for path in TEMPLATES] == ["bug", "question-or-result"]
