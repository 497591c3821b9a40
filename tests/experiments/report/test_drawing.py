"""Pictures: real ones, nothing cut, as many encoders as a table may hold."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from experiments.report.drawing.collapse import draw_collapse
from experiments.report.drawing.costs import draw_costs
from experiments.report.drawing.curves import draw_curves
from experiments.report.drawing.forest import draw_forest
from experiments.report.drawing.heat_map import draw_heat_map
from experiments.report.drawing.highlights import MOST, picked_out
from experiments.report.drawing.labels import place_labels
from experiments.report.drawing.seeds import draw_seeds
from experiments.report.drawing.subspaces import draw_subspaces
from experiments.report.drawing.trade_off import draw_trade_off
from experiments.report.findings import Robustness
from experiments.report.style import new_figure, styled, to_png
from tests.experiments.report.made import ACCURACY, CORE, PRIMARY, SMOKE, make_findings

BOTH = ("as_described", "as_released")
MANY = (*CORE, *(f"variant_{number}" for number in range(23)))
DRAWINGS = {
    "forest": lambda f: draw_forest(f, PRIMARY),
    "trade_off": lambda f: draw_trade_off(f, ACCURACY),
    "heat_map": lambda f: draw_heat_map(f, "glyphs/motion"),
    "accuracy": lambda f: draw_curves(f, f.robustness.accuracy, "glyphs", "as_described", "accuracy", scale=100),
    "subspaces": lambda f: draw_subspaces(f, "glyphs", "as_described", "within_level"),
    "collapse": lambda f: draw_collapse(f, "collapse/rankme", "RankMe"),
    "seeds": lambda f: draw_seeds(f, ACCURACY),
    "costs": draw_costs,
}


@pytest.fixture(scope="module")
def many():
    return make_findings(MANY, BOTH, corruptions=SMOKE)


@pytest.fixture(scope="module")
def single():
    return make_findings(("baseline", "fwm_hw_ld"), seeds=1, corruptions=SMOKE)


def _assert_picture(figure: Figure) -> None:
    pixels = imread(BytesIO(to_png(figure)), format="png")[..., :3]
    assert min(pixels.shape[:2]) > 200
    inked = (pixels < 0.9).any(-1)
    assert 0.003 < inked.mean() < 0.6
    # Nothing is cut: the outermost pixels stay white.
    edges = np.concatenate([inked[0], inked[-1], inked[:, 0], inked[:, -1]])
    assert not edges.any()


@pytest.mark.parametrize("name", DRAWINGS)
def test_sixty_encoders_fit(name, many):
    with styled():
        _assert_picture(DRAWINGS[name](many))


@pytest.mark.parametrize("name", DRAWINGS)
def test_one_seed_fits(name, single):
    with styled():
        _assert_picture(DRAWINGS[name](single))


def test_nothing_to_show_is_no_picture(single):
    bare = replace(single, robustness=Robustness({}, {}, {}), curves={}, costs={}, profile="")
    assert draw_heat_map(bare, "glyphs/motion") is None
    assert draw_curves(bare, {}, "glyphs", "as_described", "accuracy") is None
    assert draw_collapse(bare, "collapse/rankme", "RankMe") is None
    assert draw_subspaces(bare, "glyphs", "as_described", "within_level") is None
    assert draw_costs(bare) is None
    assert draw_trade_off(bare, ACCURACY[:1]) is None
    assert draw_forest(bare, ()) is None


def test_significance_fills_marks_and_one_seed_greys_them(many, single):
    def faces(findings):
        (panel, *_) = draw_forest(findings, PRIMARY[1:]).axes
        return {
            (line.get_color(), line.get_markerfacecolor())
            for line in panel.lines
            if line.get_marker() not in ("", "None")
        }

    filled = {pair for pair in faces(many) if pair[1] != "white"}
    assert ("#D55E00", "#D55E00") in filled
    assert faces(single) == {("#8c8c8c", "white")}


def test_an_interval_of_two_seeds_does_not_squeeze_the_others():
    findings = make_findings(corruptions=SMOKE)
    first, *rest = [c for c in findings.analysis.comparisons if c.endpoint == PRIMARY[0]]
    wide = replace(first, difference=replace(first.difference, low=-5.0, high=5.0))
    changed = replace(findings, analysis=replace(findings.analysis, comparisons=(wide, *rest)))
    low, high = draw_forest(changed, PRIMARY[:1]).axes[0].get_xlim()
    assert -30 < low < min(100 * c.difference.low for c in rest)
    assert max(100 * c.difference.high for c in rest) < high < 30


def test_heat_map_hatches_what_is_not_told_apart():
    findings = make_findings(corruptions=SMOKE)
    cells = findings.robustness.retained
    axis = draw_heat_map(findings, "glyphs/motion").axes[0]
    hatched = sum(patch.get_hatch() is not None for patch in axis.patches)
    assert hatched == sum(c.told_apart is False for (_, task, _), c in cells.items() if task == "glyphs/motion") > 0


def test_lines_are_picked_by_name_and_not_by_result(many):
    names = [candidate.key.variant for candidate in picked_out(many, "as_described")]
    assert names == ["baseline", "fwm", "ld", "hw", "fwm_hw_ld"]
    assert len(names) == MOST


def test_labels_do_not_hide_one_another():
    rng = np.random.default_rng(0)
    points = [(x, y, str(number)) for number, (x, y) in enumerate(rng.uniform(0, 1, (25, 2)).tolist())]
    with styled():
        figure = new_figure(4, 4)
        axis = figure.subplots()
        axis.plot([x for x, _, _ in points], [y for _, y, _ in points], "o")
        place_labels(axis, points)
        figure.canvas.draw()
        boxes = [text.get_window_extent() for text in axis.texts]
    overlaps = [a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k]]
    assert len(boxes) == 25
    assert sum(overlaps) == 0
