"""The documentation builds with warnings as errors, fetches nothing, and shows what the plain Markdown shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.docs.site import linked_files

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
FETCHED = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?([^\s\">]+)|<link\b[^>]*\bhref=\"?([^\s\">]+)")


class Loader(yaml.SafeLoader):
    """YAML whose Python tags are read as what they hold."""


Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)
SETTINGS: dict[str, Any] = yaml.load((ROOT / "mkdocs.yml").read_text(), Loader)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def without_code(markdown: str) -> str:
    return re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_it_builds_strictly_with_every_page(site: Path) -> None:
    for page in PAGES:
        assert (site / f"{page.stem}.html").is_file(), page
    assert "Non-factorized Video-JEPA" in (site / "api.html").read_text()
    assert (site / "source" / "vjepa" / "latents.py.txt").read_text() == (ROOT / "vjepa" / "latents.py").read_text()


@pytest.mark.slow
def test_it_fetches_nothing(site: Path) -> None:
    seen = 0
    for path in site.rglob("*.html"):
        for groups in FETCHED.findall(path.read_text()):
            address = "".join(groups)
            seen += 1
            assert not re.match(r"(https?:)?//", address), f"{path.name}: {address}"
    assert seen > 100
    assert not [path for path in site.rglob("*.css") if re.search(r"url\(['\"]?(https?:)?//", path.read_text())]


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page.stem != "api"], ids=lambda page: page.stem)
def test_tables_and_lists_are_tables_and_lists(site: Path, page: Path) -> None:
    text, shown = without_code(page.read_text()), (site / f"{page.stem}.html").read_text()
    tables = len(re.findall(r"^\|[\s:|-]+\|$", text, flags=re.MULTILINE))
    assert shown.count("<table>") == tables
    assert len(re.findall(r"^- ", text, flags=re.MULTILINE)) <= shown.count("<li>")
    article = shown[shown.index("<article") : shown.index("</article>")]
    assert not re.search(r"<p>[^<]*\n[-*|] ", article)
    assert not re.search(r"<(p|td|li)>[^<]*(\]\(|\*\*)", re.sub(r"<code>.*?</code>", "", article, flags=re.DOTALL))


def test_every_page_is_in_the_navigation_once() -> None:
    named = re.findall(r"[\w-]+\.md", str(SETTINGS["nav"]))
    assert sorted(named) == sorted(page.name for page in PAGES)


def test_nothing_is_asked_of_others() -> None:
    assert SETTINGS["theme"]["font"] is False
    assert not {"analytics", "consent"} & set(SETTINGS["extra"])
    names = [plugin if isinstance(plugin, str) else next(iter(plugin)) for plugin in SETTINGS["plugins"]]
    assert names == ["search", "mkdocstrings"]


def test_files_that_pages_link_to_are_found() -> None:
    found = linked_files(DOCS)
    assert found["vjepa/latents.py"] == "source/vjepa/latents.py.txt"
    assert all((ROOT / name).is_file() for name in found)


@pytest.mark.parametrize("name", re.findall(r"^::: (\S+)", (DOCS / "api.md").read_text(), flags=re.MULTILINE))
def test_names_of_the_api_page_exist(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    assert getattr(import_module(module), attribute).__doc__


def test_the_figures_of_the_first_page_are_those_of_the_others() -> None:
    others = (ROOT / "README.md").read_text() + (DOCS / "results.md").read_text().replace("\\", "")
    intervals = re.findall(r"\[\S[\d.]+, \S[\d.]+\]", (DOCS / "index.md").read_text())
    assert len(intervals) >= 4 and all(interval in others for interval in intervals)
