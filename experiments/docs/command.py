"""The pages of the documentation that are written from the code: ``vjepa docs``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from experiments.docs.corruptions import robustness_page
from experiments.docs.gallery import draw_gallery, gallery_page
from experiments.docs.page import objectives_page
from vjepa.errors import UserError
from vjepa.storage import atomic_write_text

FOLDER = Path(__file__).resolve().parents[2] / "docs"
# A page is made of another: the objectives link to the defects, the robustness page keeps its own text.
PAGES: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "objectives": ("defects", objectives_page),
    "robustness": ("robustness", robustness_page),
    "gallery": ("gallery", gallery_page),
}
DRAWN: Mapping[str, Callable[[Path], None]] = {"gallery": draw_gallery}
"""Pages whose pictures, in images/PAGE, are drawn when they are written."""


def main(options: Sequence[str]) -> int:
    """``vjepa docs``: print a page, write it, or check that it is what the code says."""
    parser = argparse.ArgumentParser("vjepa docs", description=main.__doc__)
    parser.add_argument("page", nargs="?", choices=PAGES, default="objectives")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", action="store_true", help="write docs/PAGE.md")
    action.add_argument("--check", action="store_true", help="exit with 1 if docs/PAGE.md is not current")
    chosen = parser.parse_args(list(options))
    name, write = PAGES[chosen.page]
    source, path = FOLDER / f"{name}.md", FOLDER / f"{chosen.page}.md"
    if not source.is_file():
        raise UserError(f"{source}: no such file; pages are written in a checkout of the project")
    page = write(source.read_text())
    if chosen.write:
        atomic_write_text(path, page)
        print(f"wrote {path}")
        if chosen.page in DRAWN:
            DRAWN[chosen.page](FOLDER / "images" / chosen.page)
    elif chosen.check:
        if not path.is_file() or path.read_text() != page:
            print(f"{path} is not what the code says: run vjepa docs {chosen.page} --write", file=sys.stderr)
            return 1
    else:
        print(page, end="")
    return 0
