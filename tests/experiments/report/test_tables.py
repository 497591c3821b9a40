"""One table model, three renderings."""

from __future__ import annotations

import pytest

from experiments.report.console import to_console
from experiments.report.document import Column, Document, Entry, Table
from experiments.report.html import to_html
from experiments.report.markdown import to_markdown
from experiments.report.scores import collect_scores
from experiments.report.tables import main_table


def _row(table: Table, *start: str) -> list[str]:
    rows = [[entry.text for entry in row] for row in table.rows]
    return next(row for row in rows if row[: len(start)] == list(start))


def test_main_table_holds_means_spreads_and_the_floor(make_rows):
    table = main_table(collect_scores(make_rows()))
    assert _row(table, "baseline") == [
        "baseline",
        "teacher",
        "3",
        "19.4 ± 0.1",
        "20.5 ± 0.1",
        "48.3 ± 0.1",
        "47.1 ± 0.1",
        "96.1 ± 0.1",
        "93.4 ± 0.1",
    ]
    assert _row(table, "majority class")[3:5] == ["10.4", "10.4"]
    assert table.columns[5].group == "motion, n = 1,000"


def test_one_seed_shows_no_spread(make_rows):
    table = main_table(collect_scores(make_rows(seeds=(0,))))
    assert _row(table, "baseline")[3:5] == ["19.3", "20.4"]
    assert not any("±" in entry.text for row in table.rows for entry in row)
    assert "One pretraining seed" in table.notes[0]


def test_constant_predictor_is_marked(make_row):
    scores = collect_scores([make_row(value=0.125), make_row(metric="constant_predictor", value=1.0)])
    table = main_table(scores)
    assert _row(table, "baseline")[3] == "12.5†"
    assert any(note.startswith("†") for note in table.notes)
    assert not any(note.startswith("†") for note in main_table(collect_scores([make_row()])).notes)


def test_missing_cell_is_an_en_dash(make_rows):
    rows = [row for row in make_rows() if (row.variant, row.benchmark) != ("fwm_hw_ld", "glyphs/order")]
    assert _row(main_table(collect_scores(rows)), "fwm_hw_ld")[-2:] == ["\u2013", "\u2013"]


def test_console_table_is_aligned_and_fits(make_rows):
    text = to_console(main_table(collect_scores(make_rows())))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 110
    body = lines[lines.index(next(line for line in lines if set(line) == {"-"})) - 1 :]
    assert len({len(line) for line in body[:7]}) == 1
    assert "48.3 ± 0.1" in text


def test_console_table_continues_below_when_too_wide(make_rows):
    text = to_console(main_table(collect_scores(make_rows())), width=70)
    assert max(map(len, text.splitlines())) <= 70
    assert text.count("majority class") > 1
    assert all(value in text for value in ("19.4 ± 0.1", "48.3 ± 0.1", "96.1 ± 0.1"))


def test_every_rendering_shows_every_cell_and_escapes():
    table = Table(
        "T",
        (Column("a|b", align="left"), Column("x", "g")),
        ((Entry("<b>*"), Entry("1.5", muted=True, detail="[1, 2]")),),
    )
    document = Document("D", (table,))
    markdown, html = to_markdown(document), to_html(document)
    assert "| a\\|b | g: x |" in markdown
    assert "| &lt;b&gt;\\* | *1.5 \\[1, 2\\]* |" in markdown
    assert '<th scope="row">&lt;b&gt;*</th><td class="right muted">1.5<small>[1, 2]</small></td>' in html
    assert to_console(table).splitlines()[-1] == "<b>*  1.5 [1, 2]"


def test_a_ragged_row_is_refused():
    with pytest.raises(ValueError, match="1 cells in a row of 2 columns"):
        Table("T", (Column("a"), Column("b")), ((Entry("x"),),))
