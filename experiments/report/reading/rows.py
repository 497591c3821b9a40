"""The rows of an evaluation that a report shows: a twentieth of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from experiments.report.sections.training import SPECTRUM
from experiments.results import Row, read_rows

_OF_CLEAN = ("top1", "majority_rate", "constant_predictor")
_OF_PROBES = ("mpc_", "rpc_corrected_")
_OF_SUBSPACES = ("ssi_", "centred_drift_")


def read_wanted_rows(files: Iterable[Path]) -> list[Row]:
    """Read files of rows one after the other, and keep what the report shows.

    Raises:
        UserError: a file is missing or damaged.
    """
    return [row for file in files for row in read_rows(file) if is_wanted(row)]


def is_wanted(row: Row) -> bool:
    """Whether a report shows it."""
    if row.split != "test":
        return False
    if row.subspace != "whole":
        return row.metric.startswith(_OF_SUBSPACES)
    if is_clean_accuracy(row) or row.metric.startswith(_OF_PROBES):
        return True
    spectrum = row.metric in SPECTRUM or row.metric.startswith("lidar_")
    return spectrum or row.metric in ("centred_drift", "os")


def is_clean_accuracy(row: Row) -> bool:
    """Whether it belongs into the table of every probe."""
    return row.metric in _OF_CLEAN and row.corruption == "none" and row.subspace == "whole"
