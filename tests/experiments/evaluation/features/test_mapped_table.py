"""Reading a mapped file leaves none of it in the memory of the process."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.evaluation.features import mapped_table
from experiments.evaluation.features.feature_file import FileInMaking, Layout, read_footer
from experiments.evaluation.features.mapped_table import MappedTable

MEBI = 2**20
NUM_CLIPS, CHUNK = 192, 16
ROW = (8, 16, 2048)
"""Half a mebibyte a clip in float16, 96 in all."""


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    making = FileInMaking(
        tmp_path_factory.mktemp("cache") / "tokens-x.features", Layout((NUM_CLIPS, *ROW), "float16", CHUNK)
    )
    making.create()
    for number in range(NUM_CLIPS // CHUNK):
        values = np.arange(number * CHUNK, (number + 1) * CHUNK, dtype=np.float16)
        making.write(number, np.broadcast_to(values[:, None, None, None], (CHUNK, *ROW)), {}, 0)
    making.publish({})
    return making.path


def growth(table: MappedTable) -> int:
    """Most that reading all clips in a random order adds to what is resident, beside what is returned."""
    order = torch.randperm(NUM_CLIPS, generator=torch.Generator().manual_seed(0))
    before, most = resident(), 0
    for chosen in order.split(8):
        read = table.read(chosen)
        assert torch.equal(read[:, 3, 7, 11], chosen.half())
        most = max(most, resident() - before - read.nbytes)
    return most


def test_what_is_resident_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped_table, "RESIDENT_BYTES", 8 * MEBI)
    bounded = growth(MappedTable(path, read_footer(path)))
    # The same reads keep the whole file where nothing lets go of it, so the bound above means something.
    monkeypatch.setattr(mapped_table, "RESIDENT_BYTES", 2**40)
    unbounded = growth(MappedTable(path, read_footer(path)))
    assert bounded < 24 * MEBI
    assert unbounded > 80 * MEBI


def test_a_large_read_is_made_in_pieces(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped_table, "RESIDENT_BYTES", 4 * MEBI)
    table = MappedTable(path, read_footer(path))
    before = resident()
    read = table.read(torch.arange(128))
    assert torch.equal(read[:, 0, 0, 0], torch.arange(128).half())
    assert resident() - before - read.nbytes < 16 * MEBI


def test_a_removed_file_stays_readable(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "tokens-y.features"
    os.link(path, copy)
    table = MappedTable(copy, read_footer(copy))
    copy.unlink()
    assert float(table.read(torch.tensor([77]))[0, 0, 0, 0]) == 77
