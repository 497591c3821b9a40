"""The numbers in the documents are the committed rows, rendered by the report's own code."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from experiments.report.document import Document
from experiments.report.markdown import to_markdown
from experiments.report.scores import collect_scores
from experiments.report.tables import main_table
from experiments.results import read_rows
from experiments.results.table import read_columns

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results" / "glyphs"
ABLATION = ROOT / "docs" / "results" / "glyphs-short"
OTHERS = ROOT / "docs" / "results" / "glyphs-others"
RELEASED = ROOT / "docs" / "results" / "glyphs-released"
REPLICATION = ROOT / "docs" / "results" / "glyphs-replication"
TASKS = ("appearance", "motion", "order")


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


def rows_of_variants(page: Path, reading: str | None = None) -> dict[tuple[str, str], list[str]]:
    """Cells behind variant and reading in the table of every variant; a table of one reading has no such column."""
    lines = page.read_text().split("| mean rank |\n")[1].split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    cells = [row if reading is None else [*row[:2], reading, *row[2:]] for row in cells if row[0].isdigit()]
    return {(row[1].replace("\\_", "_"), row[2].replace(" ", "_")): row[3:] for row in cells}


def test_the_ablation_is_the_committed_rows() -> None:
    report, page = rows_of_variants(ABLATION / "report.md"), rows_of_variants(ROOT / "docs" / "results.md")
    assert len(report) == 14 and page == report
    check_rows(report, ABLATION, seeds=3)


@pytest.mark.parametrize(
    ("folder", "reading", "count", "seeds"),
    [(OTHERS, "as_described", 22, 3), (RELEASED, "as_released", 16, 3), (REPLICATION, "as_described", 7, 5)],
)
def test_the_other_variants_are_the_committed_rows(folder: Path, reading: str, count: int, seeds: int) -> None:
    report = rows_of_variants(folder / "report.md", reading)
    assert len(report) == count
    check_rows(report, folder, seeds)


def check_rows(report: dict[tuple[str, str], list[str]], folder: Path, seeds: int) -> None:
    """Seeds and clean accuracies of a table against the rows of its folder."""
    assert all(cells[0] == str(seeds) for cells in report.values())
    found = read_columns(folder / "results.parquet")
    wanted = {
        "metric": "top1", "split": "test", "corruption": "none", "probe": "linear_time", "subspace": "whole",
    }  # fmt: skip
    for column, value in wanted.items():
        found = found.filter(pc.equal(found.column(column).cast("string"), value))
    for (variant, reading), cells in report.items():
        name, _, initial = variant.partition(" ")
        weights = pa.array(["init"] if initial == "(initial weights)" else ["teacher", "online"])
        own = found.filter(pc.is_in(found.column("weights").cast("string"), weights))
        own = own.filter(pc.equal(own.column("variant").cast("string"), name))
        own = own.filter(pc.equal(own.column("reading").cast("string"), reading))
        assert int(cells[0]) == len(pc.unique(own.column("seed")))
        for task, cell in zip(TASKS, cells[1:4], strict=True):
            values = own.filter(pc.equal(own.column("benchmark").cast("string"), f"glyphs/{task}")).column("value")
            shown = float(re.match(r"\*?([\d.]+)", cell)[1])  # type: ignore[index]
            assert shown == pytest.approx(100 * pc.mean(values).as_py(), abs=0.051), (variant, reading, task)


def test_differences_of_the_page_are_those_of_the_report() -> None:
    report, page = (ABLATION / "report.md").read_text(), (ROOT / "docs" / "results.md").read_text()
    again = (REPLICATION / "report.md").read_text()
    answers = [line[2:] for line in (report + again).splitlines() if line.startswith("> ")]
    assert len(answers) == 3 and all(answer in page for answer in answers)
    reports = report + "".join((folder / "report.md").read_text() for folder in (OTHERS, RELEASED, REPLICATION))
    tables = [line for line in page.splitlines() if line.startswith("| ")]
    assert len(tables) > 50 and all(line in reports for line in tables)


_INTERVAL = re.compile(r"\[[+\u2212]?[\d.]+, [+\u2212]?[\d.]+\]")


def test_intervals_of_the_prose_are_those_of_the_reports() -> None:
    reports = [path.read_text().replace("\\", "") for path in sorted((ROOT / "docs" / "results").glob("*/report.md"))]
    known = set(_INTERVAL.findall("".join(reports)))
    page = (ROOT / "docs" / "results.md").read_text()
    readme = (ROOT / "README.md").read_text().partition("**Factorized against not factorized**")[2]
    told = _INTERVAL.findall(" ".join((page + readme).split()))
    assert len(told) > 30 and not [interval for interval in told if interval not in known]


@pytest.mark.parametrize(
    ("folder", "runs", "told"),
    [
        (ABLATION, (9, 12, 3), "all nine runs / of twelve runs that are not factorized, the same division of three"),
        (
            REPLICATION,
            (15, 20, 2),
            "all fifteen runs / of twenty runs that are not factorized the same division of two",
        ),
    ],
)
def test_random_divisions_of_the_page_are_the_committed_rows(
    folder: Path, runs: tuple[int, int, int], told: str
) -> None:
    found = read_columns(folder / "results.parquet")
    wanted = {"metric": "ssi_p_core", "subspace": "within_level", "weights": "teacher", "reading": "as_described"}
    for column, value in wanted.items():
        found = found.filter(pc.equal(found.column(column).cast("string"), value))
    by_kind: dict[bool, list[float]] = {True: [], False: []}
    for variant, value in zip(found.column("variant").to_pylist(), found.column("value").to_pylist(), strict=True):
        by_kind["fwm" in variant].append(value)
    factorized, whole, chance = runs
    assert by_kind[True] == pytest.approx([1 / 101] * factorized)
    assert len(by_kind[False]) == whole and sum(value < 0.05 for value in by_kind[False]) == chance
    text = " ".join((ROOT / "docs" / "results.md").read_text().split())
    assert all(part in text for part in told.split(" / "))


def test_a_run_without_a_teacher_is_judged_by_its_initial_weights_as_released() -> None:
    lines = (RELEASED / "report.md").read_text().splitlines()
    (kinematic,) = [line for line in lines if line.startswith("| kinematic (initial weights) | init |")]
    (random,) = [line for line in lines if line.startswith("| random init | init |")]
    assert kinematic.split("|")[2:] == random.split("|")[2:]
