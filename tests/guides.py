"""Does to a copy of the project what a guide of the docs says, word by word."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def guide_blocks(page: Path) -> list[tuple[str, str, str]]:
    """Sentence before each code block, its language and its text."""
    found = re.findall(r"([^\n]+)\n\n```(\w+)\n(.*?)```", page.read_text(), flags=re.DOTALL)
    return [(before, language, text) for before, language, text in found]


def code_lines(text: str) -> int:
    """Lines that are neither empty nor comment nor docstring."""
    text = re.sub(r'""".*?"""', "", text, flags=re.DOTALL)
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in text.splitlines())


def written_lines(page: Path) -> int:
    """Lines of code that a guide asks for."""
    return sum(code_lines(text) for _, language, text in guide_blocks(page) if language != "bash")


def follow(page: Path, folder: Path) -> list[list[str]]:
    """Do to a copy of the project what a guide says, and return its commands as words.

    "Save as `FILE`:" writes a file; "Add to `NAME` in `FILE`:" puts lines at the beginning of a collection; "Add to the
    imports of `FILE`:" adds lines to them.
    """
    for name in ("vjepa", "data_modules", "experiments", "tests", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    commands = []
    for before, language, text in guide_blocks(page):
        if language == "bash":
            commands += [shlex.split(line, comments=True) for line in text.replace("\\\n", " ").splitlines()]
        elif saved := re.search(r"Save as `(.+?)`:$", before):
            path = folder / saved[1]
            assert not path.exists()
            path.write_text(text)
        elif added := re.search(r"Add to `(\w+)` in `(.+?)`:$", before):
            opening = rf"^{added[1]}\b[^\n]* = [{{(\[]\n"
            _insert(folder / added[2], opening, text, after=True)
        else:
            imports = re.search(r"Add to the imports of `(.+?)`:$", before)
            assert imports is not None, before
            _insert(folder / imports[1], r"^from (?=vjepa|data_modules)", text, after=False)
    return commands


def _insert(path: Path, place: str, text: str, after: bool) -> None:
    content = path.read_text()
    found = list(re.finditer(place, content, flags=re.MULTILINE))
    assert len(found) == 1 if after else found, place
    at = found[0].end() if after else found[0].start()
    path.write_text(content[:at] + text + content[at:])


def run_in(folder: Path, words: Sequence[str], **settings: str) -> str:
    """Run a command of a guide in the copy, whose packages come before the installed ones."""
    given = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
    words = [word for word in words if not re.match(r"[A-Z_]+=", word)]
    words = [sys.executable, *(["-m", *words] if words[0] == "vjepa" else words[1:])]
    environment = {**os.environ, **given, **settings, "PYTHONPATH": str(folder)}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
