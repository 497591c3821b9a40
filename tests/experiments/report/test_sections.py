"""Tables hold the right numbers, marks where they belong, and nothing that was not measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.report.document import Bullets, Table
from experiments.report.findings import Cost
from experiments.report.ranks import mean_ranks
from experiments.report.sections.contrasts import control_blocks, factorization_blocks
from experiments.report.sections.cost import cost_blocks
from experiments.report.sections.differences import difference_blocks
from experiments.report.sections.provenance import caveat_blocks, missing_blocks
from experiments.report.sections.results import results_table
from experiments.report.sections.robustness import robustness_blocks
from experiments.report.sections.training import training_blocks
from experiments.statistics import VariantKey
from tests.experiments.report.made import SMOKE, make_findings

BOTH = ("as_described", "as_released")


@pytest.fixture(scope="module")
def findings():
    return make_findings(corruptions=SMOKE)


def _row(table: Table, *start: str) -> dict[str, str]:
    titles = [column.title for column in table.columns]
    rows = [[entry.line for entry in row] for row in table.rows]
    found = next(row for row in rows if tuple(row[: len(start)]) == start)
    return dict(zip(titles, found, strict=True))


def _tables(blocks) -> dict[str, Table]:
    return {block.title: block for block in blocks if isinstance(block, Table)}


def test_main_table_holds_levels_controls_and_floor(findings):
    table = results_table(findings)
    assert _row(table, "1", "baseline")["motion"] == "48.0 [46.0, 50.0]"
    assert _row(table, "", "random init")["motion"] == "17.0 [15.0, 19.0]"
    assert _row(table, "", "pixels")["motion"] == "17.0"
    assert _row(table, "", "majority class")["order"] == "17.2"
    assert _row(table, "", "majority class")["mPC, %"] == "\u2013"
    assert [row[1].text for row in table.rows[:4]] == ["pixels", "random init", "majority class", "baseline"]
    assert _row(table, "4", "hw")["appearance"].startswith("20.0\u2020")
    assert table.columns[3].group == "clean accuracy in %, n = 1,000"


def test_main_table_marks_what_holm_leaves(findings):
    marked = {
        row[1].text: "\u25b2" in row[-3].text + row[-4].text + row[-2].text for row in results_table(findings).rows
    }
    wanted = {c.treatment.variant for c in findings.analysis.comparisons if c.significant and c.endpoint.name == "SSI"}
    assert {name for name, has in marked.items() if has} == wanted
    assert {"fwm", "fwm_ld", "fwm_hw_ld"} <= wanted


def test_ratios_say_over_how_many_tasks_they_are(findings):
    key = VariantKey("fwm", "as_described")
    of_key = {m: v for m, v in findings.measures.values[key].items() if not m.benchmark.endswith("appearance")}
    fewer = replace(findings.measures, values={**findings.measures.values, key: of_key})
    table = results_table(replace(findings, measures=fewer))
    assert _row(table, "2", "fwm")["rPC*"].endswith("(2 of 3 tasks)")
    assert "tasks" not in _row(table, "3", "ld")["rPC*"]


def test_intervals_stay_within_what_an_accuracy_can_be(findings):
    wide = tuple(replace(s, low=-0.2, high=1.3) if s.low is not None else s for s in findings.analysis.summaries)
    table = results_table(replace(findings, analysis=replace(findings.analysis, summaries=wide)))
    assert _row(table, "1", "baseline")["motion"] == "48.0 [0.0, 100.0]"


def test_one_seed_is_grey_and_without_interval():
    table = results_table(make_findings(seeds=1, corruptions=SMOKE))
    cells = [entry for row in table.rows[3:] for entry in row[3:8]]
    assert cells
    assert all(entry.muted and "[" not in entry.line for entry in cells)


def test_ranks_are_taken_within_a_reading():
    findings = make_findings(readings=BOTH, corruptions=SMOKE)
    ranks = mean_ranks(findings)
    for reading in BOTH:
        found = [rank for key, rank in ranks.items() if key.reading == reading]
        assert len(found) == 7
        assert sum(found) == pytest.approx(28)


def test_full_tables_hold_everything_about_a_difference(findings):
    tables = _tables(difference_blocks(findings))
    row = _row(tables["SSI minus baseline, nats"], "2", "fwm")
    assert row["difference, nats"] == "+0.34 \u25b2 [+0.30, +0.38]"
    assert row["bootstrap"].startswith("[+0.3")
    assert row["p, Holm"] == "< 0.001"
    assert row["in words"] == "higher"
    assert row["sd of seeds"].count("+") == 3
    assert "Holm's first step" in row["detectable"]
    assert _row(tables["mPC minus baseline, points"], "2", "fwm")["in words"] == "not significant"
    power = _row(tables["What could have been found"], "mPC, points")
    assert float(power["detectable alone"]) < float(power["detectable at Holm's first step"])


def test_one_seed_prints_no_bare_difference():
    findings = make_findings(seeds=1, corruptions=SMOKE)
    blocks = [*difference_blocks(findings), *control_blocks(findings), *factorization_blocks(findings)]
    cells = [entry for table in _tables(blocks).values() for row in table.rows for entry in row]
    numbers = [entry for entry in cells if entry.text[:1] in "+\u2212" and entry.text[1:2].isdigit()]
    assert numbers
    assert all(entry.muted and entry.detail == "n = 1, no interval" for entry in numbers)


def test_pairs_stand_below_their_mean_and_are_not_tested(findings):
    (table,) = _tables(factorization_blocks(findings)).values()
    assert [row[0].text for row in table.rows] == [
        "mean of the pairs", "fwm \u2212 baseline", "fwm_ld \u2212 ld", "fwm_hw_ld \u2212 hw_ld",
    ]  # fmt: skip
    assert "\u25b2" in table.rows[0][2].text
    assert not any("\u25b2" in entry.text for row in table.rows[1:] for entry in row)


def test_swept_variants_count_as_settings_and_say_so():
    name = "ld@latent_dynamics.weight=0.3"
    findings = make_findings(variants=("baseline", "ld", name), corruptions=SMOKE)
    tried = [replace(c, num_settings=2) if c.key.variant.startswith("ld") else c for c in findings.candidates]
    findings = replace(findings, candidates=tuple(tried))
    (table,) = _tables(cost_blocks(findings)).values()
    assert _row(table, "3", "ld latent_dynamics.weight=0.3")["settings tried"] == "2"
    assert _row(table, "1", "baseline")["settings tried"] == "1"
    assert not any("No weight of any objective was tuned" in item for item in _bullets(caveat_blocks(findings)))


def test_unknown_costs_stay_blank(findings):
    costs = {key: Cost(fit_seconds=120.0) for key in findings.costs}
    blocks = cost_blocks(replace(findings, costs=costs))
    row = _row(_tables(blocks)["Cost and tuning budget"], "2", "fwm")
    assert (row["training"], row["parameters"], row["step time / baseline"]) == ("2 min", "\u2013", "\u2013")
    assert len(blocks) == 2


def test_missing_cells_say_why(findings):
    (table,) = _tables(missing_blocks(findings)).values()
    assert [entry.text for entry in table.rows[0]] == [
        "ld as_described seed 2", "training failed: the loss is not finite at step 310",
    ]  # fmt: skip
    assert missing_blocks(replace(findings, missing={})) == []


def test_caveats_follow_from_the_numbers(findings):
    items = _bullets(caveat_blocks(findings))
    assert any("2 degrees of freedom" in item for item in items)
    assert any("No weight of any objective was tuned" in item for item in items)
    assert "Glyphs are synthetic." in items
    released = make_findings(variants=("baseline", "kinematic"), readings=BOTH, corruptions=SMOKE)
    assert "kinematic, as released: no number of this row depends on training." in _bullets(caveat_blocks(released))


def test_clean_clips_alone_make_no_robustness_section():
    findings = make_findings(corrupted=False)
    assert robustness_blocks(findings) == []
    assert "mPC, %" not in [column.title for column in results_table(findings).columns]


def test_spectra_are_listed(findings):
    table = _tables(training_blocks(findings))["The whole representation on clean test clips, glyphs"]
    assert {"RankMe", "LiDAR", "dead channels, %"} <= {column.title for column in table.columns}


def _bullets(blocks) -> list[str]:
    return [item for block in blocks if isinstance(block, Bullets) for item in block.items]
