"""What a finished evaluation shows: a table in the terminal, and figures as files or in TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from experiments.evaluation.analyses.base import Report
from experiments.evaluation.evaluate import PREDICTIONS
from experiments.evaluation.presentation.figures import FIGURES, log_figures, write_figures
from experiments.evaluation.presentation.summary import summary_text
from experiments.results import Predictions, read_predictions

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def show_outcome(report: Report, folder: Path) -> None:
    """Print the summary and write the figures, unless an earlier call did.

    Args:
        report: of an evaluation, made now or read back.
        folder: of its results.

    Raises:
        UserError: predictions cannot be read back, or figures cannot be written.
    """
    print(f"\n{summary_text(report.rows)}\n")
    figures = folder / FIGURES
    if report.predictions or not figures.exists():
        write_figures(report.rows, _predictions(report, folder), folder)
    if figures.exists():
        print(f"figures: {figures}")
    print(f"results: {folder}")


def log_outcome(report: Report, folder: Path, writer: SummaryWriter, step: int) -> None:
    """Print the summary and log the figures to TensorBoard.

    Args:
        report, folder: as in ``show_outcome``.
        writer: of the event files of the run.
        step: optimizer steps behind the weights.
    """
    print(f"\n{summary_text(report.rows)}\n")
    log_figures(report.rows, _predictions(report, folder), writer, step)


def _predictions(report: Report, folder: Path) -> tuple[Predictions, ...]:
    """Those of the report; one that was read back has none."""
    return report.predictions or tuple(read_predictions(folder / PREDICTIONS))
