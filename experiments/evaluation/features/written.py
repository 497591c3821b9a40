"""Features of clips as a file for other tools: NumPy's npz, or Parquet."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from data_modules.clips.datasets import ClipDataset
from experiments.evaluation.features.token_source import TokenSource
from experiments.evaluation.views import View
from vjepa.storage import atomic_path

Pool = Literal["mean", "time", "tokens"]
Format = Literal["npz", "parquet"]
Tell = Callable[[int], object]
POOLS: tuple[Pool, ...] = get_args(Pool)
FORMATS: tuple[Format, ...] = get_args(Format)
METADATA = "metadata"
"""Under this name a file says what made it, as JSON."""


@dataclass(frozen=True)
class ClipFeatures:
    """Features of n clips, read piece by piece.

    Args:
        source: of the whole representation.
        dataset: the split; gives names of clips and tasks.
        pool: ``mean`` (C,), ``time`` (T, C) or ``tokens`` (T, S, C) of a clip; tokens are kept in 16 bits.
        views: parts to write.
        facts: what made them, as plain data.
    """

    source: TokenSource
    dataset: ClipDataset
    pool: Pool
    views: Sequence[View]
    facts: Mapping[str, Any]

    @property
    def dtype(self) -> type[np.floating]:
        """Of the numbers."""
        return np.float16 if self.pool == "tokens" else np.float32

    @property
    def ids(self) -> list[str]:
        """n names."""
        return [self.dataset.video_ids[position] for position in self.source.index.tolist()]

    def shape(self, view: View) -> tuple[int, ...]:
        """Of what is written of a clip."""
        width = self.source.part(view).width
        if self.pool == "tokens":
            assert self.source.tokens is not None
            return (*self.source.tokens.row_shape[:2], width)
        return (width,) if self.pool == "mean" else (self.source.num_steps, width)

    @property
    def metadata(self) -> str:
        """``facts`` and the shapes, as JSON."""
        shapes = {view.name: list(self.shape(view)) for view in self.views}
        return json.dumps({**self.facts, "pool": self.pool, "shapes": shapes})

    def pieces(self) -> Iterator[slice]:
        """Runs of clips that fit in memory together."""
        means = 4 * self.source.num_steps * self.source.width
        return self.source.pieces(self.source.token_bytes if self.pool == "tokens" else means)

    def read(self, view: View, piece: slice) -> NDArray[np.floating]:
        """What is written of some clips, (b, ...)."""
        part = self.source.part(view)
        with torch.inference_mode():
            values = part.batch(piece) if self.pool == "tokens" else part.time(piece)
            values = values.mean(dim=1) if self.pool == "mean" else values
            return np.asarray(values.cpu().numpy(), dtype=self.dtype)


def write_features(path: Path, features: ClipFeatures, kind: Format, tell: Tell) -> None:
    """Write features, the whole file or nothing.

    Args:
        path: of the file; one that is there gives way.
        features: of at least one clip.
        kind: of file. An ``npz`` holds ``clip`` (n,), ``index`` (n,), ``labels`` (n, Q) with -1 where a task does not
            apply, ``metadata`` and one array (n, ...) for each part, by its name. A ``parquet`` file holds a row for
            each clip: ``clip``, ``index``, ``label.<task>``, null where a task does not apply, and one list of float32
            for each part, in C order of the shape that the metadata tell.
        tell: called with the number of clips of which a part was written.

    Raises:
        UserError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        {"npz": _write_npz, "parquet": _write_parquet}[kind](temporary, features, tell)


def _write_npz(path: Path, features: ClipFeatures, tell: Tell) -> None:
    small = {
        "clip": np.array(features.ids),
        "index": features.source.index.numpy(),
        "labels": features.source.labels.numpy(),
        METADATA: np.array(features.metadata),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, values in small.items():
            with archive.open(_member(name), "w") as member:
                np.lib.format.write_array(member, values, allow_pickle=False)
        for view in features.views:
            header = {
                "descr": np.lib.format.dtype_to_descr(np.dtype(features.dtype)),
                "fortran_order": False,
                "shape": (len(features.source), *features.shape(view)),
            }
            # Piece by piece: tokens of a split seldom fit in memory.
            with archive.open(_member(view.name), "w", force_zip64=True) as member:
                np.lib.format.write_array_header_1_0(member, header)
                for piece in features.pieces():
                    values = features.read(view, piece)
                    member.write(values.tobytes())
                    tell(len(values))


def _member(name: str) -> zipfile.ZipInfo:
    """An array of an archive, without the time: equal features make equal files."""
    return zipfile.ZipInfo(f"{name}.npy")


def _write_parquet(path: Path, features: ClipFeatures, tell: Tell) -> None:
    ids, index = features.ids, features.source.index
    tasks = {f"label.{task.name}": column for column, task in enumerate(features.dataset.tasks)}
    lists = {view.name: pa.list_(pa.float32(), prod(features.shape(view))) for view in features.views}
    fields = {"clip": pa.string(), "index": pa.int64(), **dict.fromkeys(tasks, pa.int64()), **lists}
    schema = pa.schema(fields, metadata={METADATA: features.metadata})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for piece in features.pieces():
            labels = features.source.labels[piece].numpy()
            columns = [pa.array(ids[piece]), pa.array(index[piece].numpy())]
            columns += [pa.array(labels[:, column], mask=labels[:, column] < 0) for column in tasks.values()]
            for view in features.views:
                values = features.read(view, piece).astype(np.float32)
                columns.append(pa.FixedSizeListArray.from_arrays(values.ravel(), type=lists[view.name]))
                tell(len(values))
            writer.write_table(pa.table(columns, schema=schema))
