"""The tiny run, trained once for all tests of this folder: plain, probed while it trained, and evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from experiments.cli import main
from experiments.runs import Run, open_run
from experiments.training.resolve import resolve_run
from tests.experiments.frozen.tiny_run import (
    ALL_ON,
    ONLINE,
    Watch,
    root_of,
    words,
)


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all runs of these tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module", autouse=True)
def cache(cache_folder: Path) -> Iterator[Path]:
    """The variable of the cache, set for these tests only."""
    with cached_in(cache_folder):
        yield cache_folder


@contextmanager
def cached_in(folder: Path) -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VJEPA_CACHE", str(folder))
        yield patch


@pytest.fixture(scope="session")
def plain(cache_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run without any evaluation."""
    root = tmp_path_factory.mktemp("plain")
    with cached_in(cache_folder):
        assert main(["fit", *words(root)]) == 0
    return open_run(resolve_run(words(root)).folder)


@pytest.fixture(scope="session")
def probed(cache_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Watch]:
    """The same run, probed while it trains."""
    root, watch = tmp_path_factory.mktemp("probed"), Watch()
    with cached_in(cache_folder) as patch:
        watch.on(patch)
        assert main(["fit", *words(root, *ONLINE)]) == 0
    return open_run(resolve_run(words(root)).folder), watch


@pytest.fixture(scope="session")
def tested(probed: tuple[Run, Watch], cache_folder: Path) -> tuple[Run, Watch]:
    """A finished run after ``vjepa test`` with everything on."""
    run, watch = probed[0], Watch()
    with cached_in(cache_folder) as patch:
        watch.on(patch)
        assert main(["test", *words(root_of(run), *ALL_ON)]) == 0
    return run, watch
