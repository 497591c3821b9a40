"""``vjepa claims``: the study's claims and what is left of them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from experiments.claims.check import check_claims
from experiments.claims.ours import analyse_folder
from experiments.claims.page import to_markdown
from experiments.claims.text import to_json, to_text
from experiments.docs.command import FOLDER as DOCS
from vjepa.storage import atomic_write_text

FORMATS = ("text", "markdown", "json")


def main(options: Sequence[str]) -> int:
    """Check the study's twelve claims against its published numbers, its defects, and runs of ours."""
    parser = argparse.ArgumentParser("vjepa claims", description=main.__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="an ablation of ours; without it, published numbers alone")
    parser.add_argument("--format", choices=FORMATS, default="text", help="(%(default)s)")
    parser.add_argument("--out", type=Path, help="write to this file and not to the terminal")
    chosen = parser.parse_args(list(options))
    analysis = None if chosen.folder is None else analyse_folder(chosen.folder)
    checked = check_claims(analysis)
    notes, source = (analysis.notes, str(chosen.folder)) if analysis else ((), None)
    if chosen.format == "markdown":
        written = to_markdown(checked, notes, source, _docs_from(chosen.out))
    elif chosen.format == "json":
        written = to_json(checked, notes, source) + "\n"
    else:
        written = to_text(checked, notes, source) + "\n"
    if chosen.out is None:
        print(written, end="")
    else:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_text(chosen.out, written)
        print(f"wrote {chosen.out}")
    return 0


def _docs_from(out: Path | None) -> str:
    """Where the documentation lies as seen from the page that is written."""
    if out is None or not DOCS.is_dir():
        return ""
    path = Path(os.path.relpath(DOCS, out.resolve().parent)).as_posix()
    return "" if path == "." else f"{path}/"
