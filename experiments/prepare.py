"""Writes and checks an embedded benchmark."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from data_modules import GlyphsDataModule


def main(options: Sequence[str]) -> int:
    """``vjepa prepare glyphs``: write what is missing, verify every checksum, decode every split."""
    parser = argparse.ArgumentParser("vjepa prepare", description=main.__doc__)
    parser.add_argument("benchmark", choices=["glyphs"])
    parser.add_argument("--root", help="cache folder; default VJEPA_CACHE or the user's cache folder")
    known = parser.parse_args(list(options))
    data = GlyphsDataModule(root=known.root)
    data.prepare_data()
    for stage in ("fit", "test"):
        data.setup(stage)
    print(f"glyphs: {data.store.folder}, manifest {data.manifest_hash}")
    for split in ("train", "val", "test"):
        print(f"  {split:<5} {len(data.dataset(split)):>6} clips")  # type: ignore[arg-type]
    return 0
