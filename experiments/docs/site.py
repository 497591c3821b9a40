"""Hook of the documentation site: files of the repository that pages link to are put beside the pages.

In a checkout, ``[base.py](../vjepa/objectives/base.py)`` leads to the file. A site has no such file, and which address
the repository is published under is not its business. So each file that is linked to is copied into ``source/``, as
text that every browser shows, and the link of the page is led there.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
OUT_OF_DOCS = re.compile(r"\]\(((?:\.\./)+)([^)#\s]+)(#[^)\s]*)?\)")


def linked_files(folder: Path) -> dict[str, str]:
    """Files outside a folder of pages that its pages link to.

    Args:
        folder: of Markdown pages.

    Returns:
        Path on the site by path in the repository.
    """
    found = {}
    for page in sorted(folder.rglob("*.md")):
        for up, path, _ in OUT_OF_DOCS.findall(page.read_text()):
            target = (page.parent / up / path).resolve()
            if target.is_file() and not target.is_relative_to(folder.resolve()):
                name = target.relative_to(ROOT).as_posix()
                found[name] = f"source/{name}.txt"
    return found


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files that pages link to."""
    from mkdocs.structure.files import File

    for name, place in linked_files(Path(config.docs_dir)).items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Lead links out of the pages to the copies; a link to no file is left for the strict build to refuse."""
    folder = (Path(config.docs_dir) / page.file.src_uri).parent

    def led(match: re.Match[str]) -> str:
        up, path, _anchor = match.groups()
        target = (folder / up / path).resolve()
        if not target.is_file() or not target.is_relative_to(ROOT) or target.is_relative_to(config.docs_dir):
            return match[0]
        copy = f"source/{target.relative_to(ROOT).as_posix()}.txt"
        return f"]({posixpath.relpath(copy, posixpath.dirname(page.file.src_uri) or '.')})"

    return OUT_OF_DOCS.sub(led, markdown)
