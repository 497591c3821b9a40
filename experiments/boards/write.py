"""Write the board of an ablation: event files that TensorBoard reads beside those of the runs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.boards.cells import BoardCell, read_entries
from experiments.boards.entries import Entry
from experiments.boards.settings import active_terms
from vjepa.storage import storage_error

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
    from torch.utils.tensorboard import SummaryWriter

BOARD = "board"
_UNDONE = ".board."


def write_boards(folder: Path, cells: Iterable[BoardCell]) -> Path | None:
    """Write ``<folder>/board``, all of it anew: no row is there twice, however often this is called.

    ``tensorboard --logdir <folder>`` then shows a table of all finished cells and of the controls that were judged
    beside them (HParams), pages of charts (Custom Scalars), and every number of the table as a scalar. A TensorBoard
    that is open must be started again to see other columns.

    Args:
        folder: of the ablation, with the runs below it.
        cells: its cells; those that are not finished are left out.

    Returns:
        The folder that was written, or None where no cell is finished: then nothing changes.

    Raises:
        UserError: results cannot be read, or the folder cannot be written.
    """
    finished = [cell for cell in cells if cell.is_done]
    if not finished:
        return None
    terms = list(dict.fromkeys(name for cell in finished for name in active_terms(cell.run.settings)))
    entries = read_entries(finished, terms)
    target = folder / BOARD
    try:
        for left in folder.glob(f"{_UNDONE}*"):  # TensorBoard would show what a killed call left behind
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(dir=folder, prefix=_UNDONE) as temporary:
            new, old = Path(temporary) / "new", Path(temporary) / "old"
            _write(new, entries, terms)
            if target.exists():
                target.rename(old)
            new.rename(target)
    except OSError as error:
        raise storage_error(target, error) from error
    return target


def _write(folder: Path, entries: Sequence[Entry], terms: Sequence[str]) -> None:
    # TensorBoard takes seconds to import, and a command line that writes no board should not wait for it.
    from torch.utils.tensorboard import SummaryWriter

    from experiments.boards.charts import chart_layout
    from experiments.boards.hparams import column_names, experiment_summary

    names = column_names(entries)
    with SummaryWriter(str(folder)) as writer:
        _add(writer, experiment_summary(entries, names))
        writer.add_custom_scalars(chart_layout(terms, entries))
    for entry in entries:
        with SummaryWriter(str(folder / entry.name)) as writer:
            _write_entry(writer, entry, names)


def _write_entry(writer: SummaryWriter, entry: Entry, names: Mapping[str, str]) -> None:
    from experiments.boards.hparams import session_summaries

    start, end = session_summaries(entry, names)
    _add(writer, start, walltime=entry.seconds)
    for metric in entry.metrics:
        writer.add_scalar(metric.tag, metric.value, entry.step, walltime=entry.seconds)
    for curve in entry.curves:
        for severity, accuracy in curve.points.items():
            writer.add_scalar(curve.tag, accuracy, severity, walltime=entry.seconds)
    _add(writer, end, walltime=entry.seconds)


def _add(writer: SummaryWriter, summary: Summary, walltime: float | None = None) -> None:
    assert writer.file_writer is not None, "the writer is open"
    writer.file_writer.add_summary(summary, walltime=walltime)
