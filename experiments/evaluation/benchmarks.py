"""What encoders are evaluated on: the data that a run saw, or any benchmark by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_modules.base import ClipDataModule
from data_modules.generated.cache import cache_root
from data_modules.named import make_data
from experiments.evaluation.ranks import ALONE, Ranks


def feature_folder(chosen: str | None = None) -> Path:
    """Where cached features are kept: as asked, else beside the generated data of this machine."""
    return Path(chosen) if chosen else cache_root() / "features"


def open_benchmarks(
    benchmarks: Mapping[str, Mapping[str, Any]] | None, trained_on: ClipDataModule | None, ranks: Ranks = ALONE
) -> list[ClipDataModule]:
    """Data modules to evaluate on, prepared and set up.

    Args:
        benchmarks: options of each by name; None is what the run was trained on.
        trained_on: that; gives the shape of clips where the options do not. None leaves it to the benchmarks.
        ranks: processes that share the files; the first prepares them.

    Raises:
        UserError: an unknown benchmark or option, or its files are not there.
    """
    if ranks.is_first:
        prepare_benchmarks(benchmarks, trained_on)
    ranks.barrier()
    found = _make(benchmarks, trained_on)
    for data in found:
        data.setup("test")
    return found


def prepare_benchmarks(benchmarks: Mapping[str, Mapping[str, Any]] | None, trained_on: ClipDataModule | None) -> None:
    """Make or check the files of data to evaluate on; arguments and errors as ``open_benchmarks``."""
    for data in _make(benchmarks, trained_on):
        data.prepare_data()


def _make(
    benchmarks: Mapping[str, Mapping[str, Any]] | None, trained_on: ClipDataModule | None
) -> list[ClipDataModule]:
    if benchmarks is None:
        assert trained_on is not None
        return [trained_on]
    names = () if trained_on is None else ("num_frames", "size", "batch_size", "num_workers")
    shared = {name: getattr(trained_on, name) for name in names}
    return [make_data(name, options, shared) for name, options in benchmarks.items()]
