"""Fixtures of the data tests: a tiny benchmark, written once per session as real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_modules.glyphs.spec import GlyphSpec
from data_modules.glyphs.store import GlyphStore

TINY = GlyphSpec(train_clips=24, val_clips=8, test_clips=10)


@pytest.fixture(scope="session")
def spec() -> GlyphSpec:
    return TINY


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> GlyphStore:
    """A finished store that tests read but never change."""
    store = GlyphStore(TINY, tmp_path_factory.mktemp("cache"))
    store.prepare()
    return store


@pytest.fixture
def store(tmp_path: Path) -> GlyphStore:
    """An empty store of its own for a test that writes."""
    return GlyphStore(TINY, tmp_path / "cache")
