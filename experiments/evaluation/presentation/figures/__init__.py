"""Figures of a frozen evaluation: a set for each benchmark and probe, and of subspaces; as files or in TensorBoard."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from matplotlib.figure import Figure

from experiments.evaluation.presentation.boards import Board, make_boards
from experiments.evaluation.presentation.figures.curves import draw_curves
from experiments.evaluation.presentation.figures.heat_maps import draw_encoders, draw_severities
from experiments.evaluation.presentation.figures.scatter import draw_scatter
from experiments.evaluation.presentation.figures.subspaces import draw_subspaces
from experiments.evaluation.presentation.selectivity_rows import make_subspace_boards
from experiments.evaluation.presentation.titles import is_control
from experiments.report.style import styled, to_pixels, to_png
from experiments.results import Predictions, Row
from vjepa.storage import atomic_write_bytes

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FIGURES = "figures"
TAG = "robustness"

_Rendered = TypeVar("_Rendered")


def write_figures(rows: Sequence[Row], predictions: Iterable[Predictions], folder: Path) -> list[Path]:
    """Write the figures of one evaluation as PNG files below ``folder/figures``, each whole or not at all.

    Args:
        rows: of one evaluation.
        predictions: of the same; without them there are no intervals and no hatching.
        folder: of its results.

    Returns:
        The files: ``<benchmark>/<probe>/curves.png``, ``heat_map.png``, ``severities.png`` and
        ``scatter_<profile>.png``, and ``<data set>/subspaces_<profile>.png``; only those with something to show.

    Raises:
        UserError: the folder cannot be written.
    """
    written = []
    for name, png in _drawn(rows, make_boards(rows, predictions), to_png):
        path = folder / FIGURES / f"{name}.png"
        atomic_write_bytes(path, png)
        written.append(path)
    return written


def log_figures(rows: Sequence[Row], predictions: Iterable[Predictions], writer: SummaryWriter, step: int) -> None:
    """Log the same figures as images, and the summaries of trained encoders as scalars, to TensorBoard.

    Tags are ``robustness/<benchmark>/<probe>/<kind>``. Scalars are ``top1``, every mean over a profile, and ``os``;
    where several trained encoders are compared, the tag ends with the name of each.

    Args:
        rows, predictions: as in ``write_figures``.
        writer: of the event files.
        step: optimizer steps behind the weights.
    """
    boards = make_boards(rows, predictions)
    for name, pixels in _drawn(rows, boards, to_pixels):
        writer.add_image(f"{TAG}/{name}", pixels, step, dataformats="HWC")
    for board in boards:
        for name, value in _scalars(board):
            writer.add_scalar(f"{TAG}/{board.benchmark}/{board.probe}/{name}", value, step)
    writer.flush()


def _drawn(
    rows: Sequence[Row], boards: Sequence[Board], render: Callable[[Figure], _Rendered]
) -> Iterator[tuple[str, _Rendered]]:
    """Name and picture, one at a time."""
    for name, draw in _drawings(rows, boards):
        with styled():
            figure = draw()
            picture = None if figure is None else render(figure)
        if picture is not None:
            yield name, picture


def _drawings(rows: Sequence[Row], boards: Sequence[Board]) -> Iterator[tuple[str, Callable[[], Figure | None]]]:
    for board in boards:
        place = f"{board.benchmark}/{board.probe}"
        yield f"{place}/curves", partial(draw_curves, board)
        yield f"{place}/heat_map", partial(draw_encoders, board)
        yield f"{place}/severities", partial(draw_severities, board)
        for profile in board.profiles:
            yield f"{place}/scatter_{profile}", partial(draw_scatter, board, profile)
    for subspaces in make_subspace_boards(rows):
        yield f"{subspaces.benchmark}/subspaces_{subspaces.profile}", partial(draw_subspaces, subspaces)


def _scalars(board: Board) -> Iterator[tuple[str, float]]:
    trained = [one for one in board.standings if not is_control(one.stamp)]
    for one in trained:
        ending = f"/{one.title}" if len(trained) > 1 else ""
        named = {"top1": one.clean.value, "os": one.order_sensitivity}
        named |= {metric: value for (metric, (where, _)), value in one.values.items() if where in board.profiles}
        for name, value in named.items():
            if math.isfinite(value):
                yield name + ending, value
