"""What a probe said about each clip, as Parquet: statistics that are paired by clip are made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa

from experiments.results.row_groups import Where, constant_columns, read_row_groups, write_row_groups
from experiments.results.rows import RowStamp


@dataclass(frozen=True)
class Predictions:
    """What one probe on one encoder said about each clip under one condition.

    Args:
        stamp: the encoder.
        benchmark, probe, subspace, corruption, severity: as in ``Row``.
        index: (n,) int64 positions in the split.
        video_ids: n names.
        labels, predictions: (n,) int64 classes.
        log_probs: (n,) float32, log-probability of the label.
    """

    stamp: RowStamp
    benchmark: str
    probe: str
    subspace: str
    corruption: str
    severity: int
    index: np.ndarray
    video_ids: tuple[str, ...]
    labels: np.ndarray
    predictions: np.ndarray
    log_probs: np.ndarray

    @property
    def correct(self) -> np.ndarray:
        """(n,) bool."""
        return np.asarray(self.labels == self.predictions)


_IDENTITY = tuple(item.name for item in fields(RowStamp))
_CONDITION = ("benchmark", "probe", "subspace", "corruption", "severity")
_PER_CLIP = ("index", "video_id", "label", "prediction", "log_prob")


def _table(block: Predictions) -> pa.Table:
    n = len(block.video_ids)
    constants = {**asdict(block.stamp), **{name: getattr(block, name) for name in _CONDITION}}
    columns = constant_columns(constants, n)
    columns["index"] = pa.array(block.index, pa.int64())
    columns["video_id"] = pa.array(block.video_ids, pa.string())
    columns["label"] = pa.array(block.labels, pa.int64())
    columns["prediction"] = pa.array(block.predictions, pa.int64())
    columns["correct"] = pa.array(block.correct, pa.bool_())
    columns["log_prob"] = pa.array(block.log_probs, pa.float32())
    return pa.table(columns)


def write_predictions(path: Path, blocks: Sequence[Predictions]) -> None:
    """Write per-clip predictions to Parquet, one row group a block, the whole file or nothing."""
    if not blocks:
        raise ValueError("no predictions to write")
    write_row_groups(path, map(_table, blocks))


def read_predictions(path: Path, where: Where | None = None) -> list[Predictions]:
    """Read what ``write_predictions`` wrote.

    Args:
        path: of the file.
        where: wanted values by identity column, for example ``{"subspace": ("whole",), "seed": (0, 1)}``; blocks of
            others are never loaded. None reads all.

    Raises:
        UserError: the file is missing or no such Parquet file.
    """
    names = (*_IDENTITY, *_CONDITION, *_PER_CLIP)
    return [_block(table) for table in read_row_groups(path, "predictions", names, where)]


def _block(table: pa.Table) -> Predictions:
    constants = {name: table.column(name)[0].as_py() for name in (*_IDENTITY, *_CONDITION)}

    def column(name: str) -> np.ndarray:
        return np.asarray(table.column(name).to_numpy())

    return Predictions(
        stamp=RowStamp(**{name: constants[name] for name in _IDENTITY}),
        **{name: constants[name] for name in _CONDITION},
        index=column("index"),
        video_ids=tuple(table.column("video_id").to_pylist()),
        labels=column("label"),
        predictions=column("prediction"),
        log_probs=column("log_prob"),
    )
