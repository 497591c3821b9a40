"""The written report: nothing external, nothing unescaped, no file half or left over."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from experiments.report import write_report
from experiments.statistics import VariantKey
from tests.experiments.report.made import SMOKE, make_findings


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A full report in a folder that holds an older one."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "plots").mkdir()
    (folder / "plots" / "old.png").write_bytes(b"old")
    return folder, write_report(folder, make_findings(("baseline", "ld", "hw_ld", "fwm_hw_ld"), corruptions=SMOKE))


def test_writes_both_reports_and_all_pictures(written):
    folder, paths = written
    assert {path.stem for path in paths.plots} == {
        "seeds", "trade_off", "forest_primary", "forest_accuracy", "heat_map_glyphs_appearance",
        "heat_map_glyphs_motion", "heat_map_glyphs_order", "curves_accuracy_glyphs", "curves_drift_glyphs",
        "subspaces_glyphs", "collapse_rankme", "collapse_target_variance", "costs",
    }  # fmt: skip
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {"report.md", "report.html", *(f"plots/{path.name}" for path in paths.plots)}


def test_the_answer_comes_first_everywhere(written):
    _, paths = written
    start = "Factorizing the latent raises the selectivity index of the halves"
    assert paths.text.startswith(start)
    assert paths.markdown.read_text().split("\n\n")[1].startswith(f"> {start}")
    html = paths.html.read_text()
    assert html.index(start) < html.index("<h2")


def test_html_needs_nothing_beside_itself(written):
    _, paths = written
    html = paths.html.read_text()
    sources = re.findall(r'src="([^"]*)"', html)
    assert len(sources) == len(paths.plots)
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert all(link.startswith("#") for link in re.findall(r'href="([^"]*)"', html))
    assert not re.search(r"https?://|@import|url\(|<script|<link", html)


def test_links_lead_somewhere_and_pictures_have_words(written):
    _, paths = written
    html = paths.html.read_text()
    anchors = re.findall(r'href="#([^"]*)"', html)
    assert len(anchors) > 8
    assert all(f'id="{anchor}"' in html for anchor in anchors)
    alts, captions = re.findall(r'alt="([^"]*)"', html), re.findall(r"<figcaption>([^<]*)</figcaption>", html)
    assert len(alts) == len(captions) == len(paths.plots)
    assert all(len(text) > 30 for text in (*alts, *captions))
    assert re.search(r"SSI significantly higher: [\w, ]*fwm_hw_ld", " ".join(alts))


def test_provenance_command_and_missing_cells_are_there(written):
    _, paths = written
    for text in (paths.markdown.read_text(), paths.html.read_text()):
        for expected in (
            "vjepa ablation --variants core",
            "abc123def456",
            "1111aaaa",
            "2026-01-02",
            "not finite at step",
        ):
            assert expected in text


def test_names_are_escaped(tmp_path):
    evil = "<script>alert(1)</script>"
    findings = make_findings(("baseline", "ld", evil), title=evil, corrupted=False)
    findings = replace(findings, missing={evil: evil}, caveats=(evil,), command=evil, provenance={evil: evil})
    assert VariantKey(evil, "as_described") in findings.by_key
    paths = write_report(tmp_path, findings)
    assert "<script" not in paths.html.read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in paths.html.read_text()
    outside_code = re.sub(r"(?s)```.*?```", "", paths.markdown.read_text())
    assert "<script" not in outside_code
