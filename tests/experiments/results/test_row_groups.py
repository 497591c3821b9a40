"""Only the wanted blocks of a file of per-clip numbers are read."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from experiments.results import ClipValues, Predictions, read_clip_values, read_predictions, write_clip_values
from experiments.results import write_predictions as write
from tests.experiments.statistics.invented import STAMP
from vjepa.errors import UserError

SUBSPACES = ("whole", "within_level.app", "random0.dyn")


def block(subspace: str, severity: int, seed: int = 0) -> Predictions:
    stamp = dataclasses.replace(STAMP, seed=seed)
    ones = np.ones(3, np.int64)
    return Predictions(
        stamp, "glyphs/motion", "linear_time", subspace, "fog", severity, np.arange(3), ("a", "b", "c"), ones, ones,
        np.zeros(3, np.float32),
    )  # fmt: skip


BLOCKS = [block(subspace, severity, seed) for subspace in SUBSPACES for severity in (1, 3) for seed in (0, 1)]


class Reads:
    """Counts row groups that are read whole."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        real = pq.ParquetFile.read_row_group

        def read(file: pq.ParquetFile, *args: Any, **kwargs: Any) -> Any:
            self.count += "columns" not in kwargs
            return real(file, *args, **kwargs)

        patch.setattr(pq.ParquetFile, "read_row_group", read)


@pytest.mark.parametrize(
    ("where", "count"),
    [
        (None, 12),
        ({"subspace": ("whole",)}, 4),
        ({"subspace": ("whole", "random0.dyn"), "severity": (3,), "seed": (1,)}, 2),
        ({"variant": ("nobody",)}, 0),
    ],
)
@pytest.mark.parametrize("statistics", [True, False])
def test_only_wanted_predictions_are_read(
    where: Any, count: int, statistics: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "predictions.parquet"
    write(path, BLOCKS)
    if not statistics:
        table = pq.read_table(path)
        pq.write_table(table, path, row_group_size=3, write_statistics=False)
    reads = Reads(monkeypatch)
    found = read_predictions(path, where)
    assert len(found) == reads.count == count
    names = [(one.subspace, one.severity, one.stamp.seed) for one in found]
    wanted = [
        (one.subspace, one.severity, one.stamp.seed)
        for one in BLOCKS
        if all((vars(one) | vars(one.stamp))[name] in values for name, values in (where or {}).items())
    ]
    assert names == wanted


def test_clip_values_and_unknown_columns(tmp_path: Path) -> None:
    path = tmp_path / "clips.parquet"
    values = [
        ClipValues(STAMP, "glyphs", name, "centred_drift", "fog", 3, np.arange(2), ("a", "b"), np.ones(2, np.float32))
        for name in SUBSPACES
    ]
    write_clip_values(path, values)
    assert [one.subspace for one in read_clip_values(path, {"subspace": SUBSPACES[1:]})] == list(SUBSPACES[1:])
    with pytest.raises(UserError, match="no column probe"):
        read_clip_values(path, {"probe": ("knn",)})
