"""Figures show the numbers of the rows, hatch what is not told apart, and come back from real event files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import _pylab_helpers
from matplotlib.figure import Figure
from matplotlib.image import imread
from tensorboard.backend.event_processing.event_accumulator import IMAGES, SCALARS, EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from experiments.evaluation.conditions import CLEAN
from experiments.evaluation.presentation.boards import Board, make_boards
from experiments.evaluation.presentation.figures import log_figures, write_figures
from experiments.evaluation.presentation.figures.curves import draw_curves
from experiments.evaluation.presentation.figures.heat_maps import draw_encoders, draw_severities
from experiments.evaluation.presentation.figures.scatter import draw_scatter
from experiments.evaluation.presentation.figures.subspaces import draw_subspaces
from experiments.evaluation.presentation.resampling import ClipResampling, interval
from experiments.evaluation.presentation.selectivity_rows import make_subspace_boards
from experiments.results import Predictions, Row
from tests.experiments.evaluation.presentation.outcomes import (
    CORE,
    INIT,
    MAJORITY,
    NUM_CLIPS,
    PIXELS,
    RUN,
    falling,
    first,
    judged,
    row,
    selectivity,
)


def collected(*parts: tuple[list[Row], list[Predictions]]) -> tuple[list[Row], list[Predictions]]:
    return [line for rows, _ in parts for line in rows], [block for _, blocks in parts for block in blocks]


ROWS, BLOCKS = collected(
    judged(PIXELS, falling(0.9, 0.02)), judged(INIT, falling(0.3, 0.01)), judged(RUN, falling(0.9, 0.1))
)
"""Runs stand first whatever the order; the random initialisation is too near to the majority rate for a ratio."""


def board(rows: list[Row] = ROWS, blocks: list[Predictions] | None = None) -> Board:
    (found,) = make_boards(rows, BLOCKS if blocks is None else blocks)
    return found


def drawn(figure: Figure | None) -> Figure:
    assert figure is not None
    return figure


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axis in figure.axes for text in axis.texts]


def test_a_board_has_runs_first_and_titles_that_tell_encoders_apart() -> None:
    assert [one.title for one in board().standings] == ["fwm", "pixels", "random init"]
    other = judged(dataclasses.replace(RUN, seed=1), falling(0.8, 0.1))
    released = judged(dataclasses.replace(RUN, reading="as_released"), falling(0.8, 0.1))
    rows, _ = collected((ROWS, []), other, released)
    titles = [one.title for one in board(rows).standings]
    assert titles[:3] == ["fwm, as described, seed 0", "fwm, as described, seed 1", "fwm, as released, seed 0"]
    assert len(set(titles)) == 5


def test_subspaces_label_free_rows_and_other_splits_are_no_part_of_a_board() -> None:
    foreign = [row(RUN, "top1", 0.5, subspace="levels"), row(RUN, "top1", 0.5, probe="none")]
    foreign += [row(RUN, "top1", 0.5, split="val"), *selectivity(RUN, 0.2, 0.01)]
    with_foreign, alone = board([*foreign, *ROWS]), board(ROWS)
    assert [one.title for one in with_foreign.standings] == [one.title for one in alone.standings]
    for one, two in zip(with_foreign.standings, alone.standings, strict=True):
        assert one.top1 == two.top1 and one.values.keys() == two.values.keys()
    assert make_boards(foreign) == ()


def test_curves_show_each_accuracy_the_floor_and_an_interval_over_clips() -> None:
    figure = drawn(draw_curves(board()))
    assert [axis.get_title().strip() for axis in figure.axes] == ["gaussian noise", "frame freeze", "h264 crf"]
    axis = figure.axes[0]
    lines = [line for line in axis.lines if line.get_marker() not in ("None", "", None)]
    assert np.allclose(lines[0].get_xdata(), [0, 1, 3, 5])
    assert np.allclose(lines[0].get_ydata(), [90, 80, 60, 40])
    floor = [line for line in axis.lines if set(line.get_ydata()) == {100 * MAJORITY}]
    assert len(floor) == 1
    (band, *_) = axis.collections
    heights = band.get_paths()[0].vertices
    at_three = heights[heights[:, 0] == 3][:, 1]
    half = 196 * np.sqrt(0.6 * 0.4 / NUM_CLIPS)
    assert at_three.min() == pytest.approx(60 - half, abs=1.5)
    assert at_three.max() == pytest.approx(60 + half, abs=1.5)


def test_curves_without_predictions_have_no_band_and_the_shuffle_is_set_apart() -> None:
    shuffled = [row(RUN, "top1", 0.4, ("local_shuffle", severity)) for severity in (1, 5)]
    figure = drawn(draw_curves(board([*ROWS, *shuffled], [])))
    assert not any(axis.collections for axis in figure.axes)
    assert "order probe, not in mPC" in texts(figure)
    (clean,) = make_boards([row(RUN, "top1", 0.5), row(RUN, "majority_rate", MAJORITY)])
    assert draw_curves(clean) is None and draw_encoders(clean) is None and draw_severities(clean) is None


def hatched(figure: Figure) -> set[tuple[float, float]]:
    """(row, column) of hatched cells."""
    patches = [patch for patch in figure.axes[0].patches if patch.get_hatch()]
    return {(patch.get_y() + 0.5, patch.get_x() + 0.5) for patch in patches}


def test_the_heat_map_corrects_for_chance_and_leaves_undefined_rows_blank() -> None:
    figure = drawn(draw_encoders(board()))
    said = texts(figure)
    lost = (0.9 - 0.1 * 3 - MAJORITY) / (0.9 - MAJORITY)  # severities 1, 3 and 5
    assert said[:4] == [f"{lost:.2f}"] * 4
    blank = [text for text in said if text.startswith("blank")]
    assert len(blank) == 1 and "30.0 % against 25.0 %" in blank[0]
    assert hatched(figure) == set(), "0.1 against 0.02 a severity on nested clips is told apart"
    assert draw_encoders(board(judged(INIT, falling(0.3, 0.01))[0])) is None


def test_cells_that_are_not_told_apart_are_hatched_paired_by_clip() -> None:
    run = falling(0.9, 0.1)
    twin = {**falling(0.9, 0.02), ("gaussian_noise", 5): run["gaussian_noise", 5]}
    for severity in (1, 3):
        twin["gaussian_noise", severity] = run["gaussian_noise", severity]
    rows, blocks = collected(judged(RUN, run), judged(PIXELS, twin))
    assert hatched(drawn(draw_encoders(board(rows, blocks)))) == {(1.0, 0.0)}
    assert hatched(drawn(draw_encoders(board(rows, [])))) == set()
    moved = [dataclasses.replace(block, index=block.index + 1) for block in blocks if block.stamp == PIXELS]
    others = [block for block in blocks if block.stamp == RUN]
    assert hatched(drawn(draw_encoders(board(rows, others + moved)))) == set(), "other clips allow no paired test"


def test_severities_have_a_panel_for_each_encoder_with_a_ratio() -> None:
    figure = drawn(draw_severities(board()))
    assert [axis.get_title() for axis in figure.axes[:2]] == ["fwm", "pixels"]
    values = [text.get_text() for text in figure.axes[0].texts]
    expected = [(0.9 - 0.1 * severity - MAJORITY) / (0.9 - MAJORITY) for _, severity in CORE]
    assert values == [f"{value:.2f}" for value in expected]


def test_the_scatter_puts_clean_accuracy_against_mpc() -> None:
    figure = drawn(draw_scatter(board(), "core"))
    (axis,) = figure.axes
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axis.lines if len(line.get_xdata()) == 1]
    assert np.allclose(points, [(90, 60), (90, 84), (30, 27)], atol=0.5)
    assert axis.get_xlim() == axis.get_ylim()
    assert draw_scatter(board(), "full") is None


def test_subspaces_have_four_panels_with_random_divisions_and_the_index_beside() -> None:
    rows = [*ROWS, *selectivity(RUN, 0.25, 0.01), *selectivity(INIT, -0.001, 0.6)]
    (found,) = make_subspace_boards(rows)
    figure = draw_subspaces(found)
    titles = [axis.get_title() for axis in figure.axes]
    assert titles[:2] == ["z_app, spatial corruptions", "z_dyn, spatial corruptions"] and len(titles) == 5
    band, mark = figure.axes[0].lines[:2]
    assert np.allclose(band.get_xdata(), [0.51, 0.52]) and np.allclose(mark.get_xdata(), [0.5])
    said = texts(figure)
    assert "SSI +0.250, p = 0.010" in said and "SSI \u22120.001, p = 0.600" in said
    assert "within level" in said


def test_files_are_pictures_the_same_each_time_and_no_global_state_is_left(tmp_path: Path) -> None:
    rows = [*ROWS, *selectivity(RUN, 0.25, 0.01)]
    before = dict(mpl.rcParams)
    first_time = write_figures(rows, BLOCKS, tmp_path / "a")
    names = [path.relative_to(tmp_path / "a" / "figures").as_posix() for path in first_time]
    place = "glyphs/motion/linear_time"
    kinds = ("curves", "heat_map", "severities", "scatter_core")
    assert names == [*(f"{place}/{kind}.png" for kind in kinds), "glyphs/subspaces_core.png"]
    for one, two in zip(first_time, write_figures(rows, BLOCKS, tmp_path / "b"), strict=True):
        assert one.read_bytes() == two.read_bytes()
        assert imread(one).std() > 0.01
    assert dict(mpl.rcParams) == before
    assert not _pylab_helpers.Gcf.figs


def test_event_files_give_back_images_and_the_scalars_of_the_run(tmp_path: Path) -> None:
    sensitivity = row(RUN, "os", 0.7, ("local_shuffle", 5))
    with SummaryWriter(str(tmp_path)) as writer:
        log_figures([*ROWS, sensitivity], BLOCKS, writer, 100)
    events = EventAccumulator(str(tmp_path), size_guidance={SCALARS: 0, IMAGES: 0}).Reload()
    place = "robustness/glyphs/motion/linear_time"
    kinds = ("curves", "heat_map", "severities", "scatter_core")
    assert set(events.Tags()[IMAGES]) == {f"{place}/{kind}" for kind in kinds}
    (image,) = events.Images(f"{place}/curves")
    assert image.step == 100 and image.width > 1000
    logged = {tag.removeprefix(f"{place}/"): events.Scalars(tag)[0] for tag in events.Tags()[SCALARS]}
    assert set(logged) == {
        "top1", "os", "mpc_core", "mpc_spatial_core", "mpc_temporal_core", "mpc_codec_core", "rpc_corrected_core",
    }  # fmt: skip
    assert logged["mpc_core"].value == pytest.approx(0.6) and logged["mpc_core"].step == 100


def test_scalars_of_several_runs_carry_their_names_and_undefined_ones_are_left_out(tmp_path: Path) -> None:
    weak = dataclasses.replace(RUN, variant="weak")
    rows, blocks = collected(judged(RUN, falling(0.9, 0.1)), judged(weak, falling(0.3, 0.01)))
    with SummaryWriter(str(tmp_path)) as writer:
        log_figures(rows, blocks, writer, 1)
    tags = EventAccumulator(str(tmp_path), size_guidance={SCALARS: 0}).Reload().Tags()[SCALARS]
    names = {tag.partition("linear_time/")[2] for tag in tags}
    assert {"mpc_core/fwm", "mpc_core/weak", "rpc_corrected_core/fwm"} <= names
    assert "rpc_corrected_core/weak" not in names


def test_resampled_clips_are_the_same_for_all_and_as_wide_as_the_binomial() -> None:
    resampling = ClipResampling(NUM_CLIPS, 2000)
    means = resampling.means([first(0.6), first(0.6), first(1.0)])
    assert np.array_equal(means[:, 0], means[:, 1]) and np.all(means[:, 2] == 1)
    assert means[:, 0].std() == pytest.approx(np.sqrt(0.6 * 0.4 / NUM_CLIPS), rel=0.1)
    low, high = interval(means)
    assert low[0] < 0.6 < high[0] and low[2] == high[2] == 1
    assert np.array_equal(ClipResampling(NUM_CLIPS, 5).counts, resampling.counts[:5])
    assert resampling.counts.sum(1).tolist() == [NUM_CLIPS] * 2000


def test_a_constant_predictor_is_hollow_named_and_has_no_ratio() -> None:
    rows = [
        dataclasses.replace(line, value=1.0)
        if line.metric == "constant_predictor" and line.weights == "pixels"
        else line
        for line in ROWS
    ]
    found = board(rows)
    legend = drawn(draw_curves(found)).legends[0]
    assert "pixels (constant predictor)" in [text.get_text() for text in legend.get_texts()]
    assert any("is constant" in text for text in texts(drawn(draw_encoders(found))))
    assert CLEAN in found.standings[1].top1
