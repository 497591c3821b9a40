"""What an evaluation writes and a report reads: rows, per-clip predictions, and where both come from."""

from experiments.results.clip_values import ClipValues, read_clip_values, write_clip_values
from experiments.results.predictions import Predictions, read_predictions, write_predictions
from experiments.results.provenance import git_revision, versions
from experiments.results.rows import (
    RANDOM_INIT,
    Row,
    RowStamp,
    is_random_init,
    merge_rows,
    read_rows,
    write_rows,
)

__all__ = [
    "RANDOM_INIT",
    "ClipValues",
    "Predictions",
    "Row",
    "RowStamp",
    "git_revision",
    "is_random_init",
    "merge_rows",
    "read_clip_values",
    "read_predictions",
    "read_rows",
    "versions",
    "write_clip_values",
    "write_predictions",
    "write_rows",
]
