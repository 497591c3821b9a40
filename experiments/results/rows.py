"""Result rows and per-clip predictions: what an evaluation writes and a report reads."""

from __future__ import annotations

import json
import math
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vjepa.corruptions.codec import x264_version
from vjepa.errors import UserError
from vjepa.storage import atomic_path, atomic_write_text

RANDOM_INIT = "random_init"
"""Variant of the control that was never trained."""

_PACKAGES = ("torch", "lightning", "numpy", "av")
_CHECKOUT = Path(__file__).resolve().parents[1]
_CODE = ("vjepa", "data_modules", "experiments", "pyproject.toml")


@lru_cache
def versions() -> str:
    """Return the Python and package versions that a number may depend on, as one short string."""
    found = [f"python {platform.python_version()}"]
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} absent")
    found.append(x264_version())
    return ", ".join(found)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@lru_cache
def git_revision(folder: Path = _CHECKOUT) -> str:
    """Return the commit of the project checkout, with ``-dirty`` when its code differs from that commit.

    Args:
        folder: root of the checkout; new files below the packages count as differences.

    Returns:
        12 hex digits, the same with ``-dirty``, or ``unknown`` outside a git checkout.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    # An installed copy may lie inside the checkout of another project.
    if top is None or commit is None or Path(top).resolve() != folder.resolve():
        return "unknown"
    changes = _git(folder, "status", "--porcelain", "--", *_CODE)
    return commit if changes == "" else f"{commit}-dirty"


@dataclass(frozen=True)
class RowStamp:
    """Which encoder a result belongs to: the identity columns of a row.

    Args:
        data: data set the encoder was pretrained on, or ``none``.
        regime: pretraining mixture, e.g. ``glyphs``, ``ucf101`` or ``mixed``.
        variant, reading, layout: what was trained, by which reading, with which layout of the latent.
        seed: pretraining seed.
        step: optimizer steps taken.
        weights: ``teacher``, ``online``, ``init`` or ``pixels``.
        config_hash: digest of the resolved configuration.
    """

    data: str
    regime: str
    variant: str
    reading: str
    layout: str
    seed: int
    step: int
    weights: str
    config_hash: str


@dataclass(frozen=True)
class Row:
    """One number and everything needed to say what it is.

    Args:
        benchmark: ``<data set>/<task>``, or the data set alone when it has one task.
        split: ``train``, ``val`` or ``test``.
        probe: name of the probe protocol; ``protocol_hash`` pins its settings.
        subspace: part of the latent the probe reads; ``whole`` is all of it.
        corruption: corruption of the evaluated clips, ``none`` for clean ones, or a profile for a summary.
        severity: 1-5, or 0 where there is none.
        metric: name of the metric; ``value`` may be NaN where it is undefined.
        n: clips behind ``value``.
        excluded: clips that belong there and are missing, because their files are broken.
    """

    data: str
    regime: str
    variant: str
    reading: str
    layout: str
    seed: int
    step: int
    weights: str
    benchmark: str
    split: str
    probe: str
    subspace: str
    corruption: str
    severity: int
    metric: str
    value: float
    n: int
    protocol_hash: str
    config_hash: str
    git_revision: str = field(default_factory=git_revision)
    versions: str = field(default_factory=versions)
    excluded: int = 0


def is_random_init(row: Row | RowStamp) -> bool:
    """Whether an encoder is the control that was never trained.

    A run whose reading evaluates its initial weights has the weights ``init`` too, after its steps: it is no control.
    """
    return row.variant == RANDOM_INIT or (row.weights == "init" and row.step == 0)


_INTEGERS = frozenset({"seed", "step", "severity", "n", "excluded"})


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write ``rows`` as JSON lines, the whole file or nothing; NaN becomes ``null``."""
    lines = []
    for row in rows:
        record = asdict(row)
        record["value"] = row.value if math.isfinite(row.value) else None
        lines.append(json.dumps(record, allow_nan=False))
    atomic_write_text(path, "".join(line + "\n" for line in lines))


def read_rows(path: Path) -> list[Row]:
    """Read what ``write_rows`` wrote.

    Raises:
        UserError: the file is missing, or a line is no row; the message names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read results {path}: {error}; run the evaluation again") from error
    return [
        _parse_row(line, f"{path}, line {number}")
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip()
    ]


def _parse_row(line: str, place: str) -> Row:
    fix = "delete the file and run the evaluation again"
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{place}: not JSON ({error.msg}); {fix}") from error
    names = {item.name for item in fields(Row)}
    if isinstance(record, dict):
        record.setdefault("excluded", 0)  # results written before clips could be excluded have no such column
    if not isinstance(record, dict) or set(record) != names:
        wrong = sorted(set(record) ^ names) if isinstance(record, dict) else [type(record).__name__]
        raise UserError(f"{place}: not a result row, missing or unknown columns {', '.join(wrong)}; {fix}")
    for name, value in record.items():
        if not _has_type(name, value):
            raise UserError(f"{place}: column {name!r} holds {value!r}; {fix}")
    if record["value"] is None:
        record["value"] = math.nan
    return Row(**record)


def _has_type(name: str, value: Any) -> bool:
    if name == "value":
        return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
    if name in _INTEGERS:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)


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


def _table(block: Predictions) -> pa.Table:
    n = len(block.video_ids)
    constants = {**asdict(block.stamp), **{name: getattr(block, name) for name in _CONDITION}}
    columns: dict[str, Any] = {}
    for name, value in constants.items():
        if isinstance(value, int):
            columns[name] = pa.array([value] * n, pa.int64())
        else:
            columns[name] = pa.array([value] * n, pa.string())
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
    with atomic_path(path) as temporary:
        schema = _table(blocks[0]).schema
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for block in blocks:
                writer.write_table(_table(block), row_group_size=max(1, len(block.video_ids)))


def read_predictions(path: Path) -> list[Predictions]:
    """Read what ``write_predictions`` wrote.

    Raises:
        UserError: the file is missing or no such Parquet file.
    """
    try:
        with pq.ParquetFile(path) as file:
            return [_block(file.read_row_group(group)) for group in range(file.num_row_groups)]
    except (OSError, pa.ArrowException, KeyError) as error:
        raise UserError(f"cannot read predictions {path}: {error}; run the evaluation again") from error


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
