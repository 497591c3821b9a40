"""The numbers in the documents are the committed rows, rendered by the report's own code."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from experiments.report.document import Document
from experiments.report.markdown import to_markdown
from experiments.report.scores import collect_scores
from experiments.report.tables import main_table
from experiments.results import read_rows

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results" / "glyphs"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Lines of the main table as Markdown."""
    rows = tmp_path_factory.mktemp("rows") / "results.jsonl"
    rows.write_bytes(gzip.decompress((RESULTS / "results.jsonl.gz").read_bytes()))
    text = to_markdown(Document("", (main_table(collect_scores(read_rows(rows))),)))
    return [line for line in text.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("page", ["README.md", "docs/benchmark.md", "docs/results/glyphs/report.md"])
def test_table_is_the_committed_rows(page: str, table: list[str]) -> None:
    assert len(table) >= 7
    assert "\n".join(table) in (ROOT / page).read_text()
