"""The written report: right numbers, nothing external, nothing unescaped, real pictures."""

from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from matplotlib.image import imread

from experiments.report import render
from experiments.report.plots import plot_accuracies, plot_corruptions, plot_training
from experiments.report.scores import collect_scores
from vjepa.errors import UserError


@pytest.fixture
def rendered(tmp_path, make_rows, make_comparisons, curves, facts):
    """Paths of a full report."""
    return render(tmp_path, make_rows(corruptions=("noise", "blur")), make_comparisons(), curves, facts)


def _assert_picture(png: bytes) -> None:
    pixels = imread(BytesIO(png), format="png")[..., :3]
    assert min(pixels.shape[:2]) > 300
    inked = (pixels < 0.9).any(-1)
    assert 0.005 < inked.mean() < 0.5
    # Nothing is cut: the outermost pixels stay white.
    edges = np.concatenate([inked[0], inked[-1], inked[:, 0], inked[:, -1]])
    assert not edges.any()


def test_writes_both_reports_and_all_plots(rendered, tmp_path):
    assert rendered.markdown == tmp_path / "report.md"
    assert [path.name for path in rendered.plots] == ["accuracy.png", "corruptions.png", "training.png"]
    for path in rendered.plots:
        _assert_picture(path.read_bytes())
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {"report.md", "report.html", *(f"plots/{path.name}" for path in rendered.plots)}


@pytest.mark.parametrize("kind", ["markdown", "html"])
def test_holds_numbers_and_provenance(rendered, kind):
    text = getattr(rendered, kind).read_text()
    for expected in ("48.3 ± 0.1", "43.5 ± 0.1", "not significant", "13.1", "2,000 train", "abc123def456"):
        assert expected in text
    assert "rob-v1" in text
    assert "Glyphs are synthetic." in text


def test_html_needs_nothing_beside_itself(rendered):
    html = rendered.html.read_text()
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert len(sources) == 3
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r"https?://|@import|url\(|<script|<link", html)


def test_names_are_escaped(tmp_path, make_rows, make_comparisons, curves, facts):
    evil = "<script>alert(1)</script>"
    rows = [replace(row, variant=evil) if row.variant == "fwm_hw_ld" else row for row in make_rows()]
    comparisons = [replace(item, treatment=evil) for item in make_comparisons()]
    paths = render(tmp_path, rows, comparisons, [replace(curves[0], label=evil)], replace(facts, title=evil))
    assert "<script" not in paths.html.read_text()
    assert "<script" not in paths.markdown.read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in paths.html.read_text()


def test_one_seed_prints_no_interval(tmp_path, make_rows, make_comparisons, facts):
    paths = render(tmp_path, make_rows(seeds=(0,)), make_comparisons(num_seeds=1), [], replace(facts, num_seeds=1))
    for text in (paths.markdown.read_text(), paths.html.read_text()):
        assert "One seed: no interval, nothing is claimed." in text
        assert "n=1 seed, no interval" in text
        assert "±" not in text
        assert not re.search(r"\[[+\u2212]", text)
    assert [path.name for path in paths.plots] == ["accuracy.png"]


def test_missing_cells_are_listed(tmp_path, make_rows, facts):
    rows = [row for row in make_rows() if (row.variant, row.benchmark) != ("fwm_hw_ld", "glyphs/order")]
    text = render(tmp_path, rows, [], [], facts).html.read_text()
    assert "<h2>Missing cells</h2>" in text
    assert "fwm_hw_ld (teacher), order, linear_time: 0 of 3 seeds" in text


def test_refused_rows_write_nothing(tmp_path, facts):
    with pytest.raises(UserError):
        render(tmp_path / "report", [], [], [], facts)
    assert not (tmp_path / "report").exists()


def test_many_encoders_still_fit(make_rows):
    rows = make_rows(corruptions=("noise",))
    rows += [replace(row, variant=f"variant_{k}") for k in range(8) for row in rows if row.variant == "fwm_hw_ld"]
    scores = collect_scores(rows)
    _assert_picture(plot_accuracies(scores))
    _assert_picture(plot_corruptions(scores))


def test_plots_without_data_are_left_out(make_rows):
    assert plot_corruptions(collect_scores(make_rows())) is None
    assert plot_training([]) is None
