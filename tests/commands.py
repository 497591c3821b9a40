"""The command lines of README and docs: found, and parsed as far as that goes without doing what they say."""

from __future__ import annotations

import argparse
import itertools
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from experiments.ablation.groups import expand
from experiments.cli import LIGHTNING_VERBS, PROJECT_VERBS, main
from experiments.training.resolve import resolve_run

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
GUIDES = {"adding-an-objective.md", "adding-a-data-set.md", "adding-a-corruption.md"}
"""Their commands are run by test_docs.py and test_guides.py, in a copy of the project that has their new files."""


@dataclass(frozen=True)
class Command:
    """A command line of a page: its words, without settings of variables before it."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def commands() -> Iterator[Command]:
    """Command lines of all bash blocks, each once."""
    seen = set()
    for page in PAGES:
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(), flags=re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                for part in line.split("&&"):
                    words = shlex.split(part, comments=True)
                    while words and re.match(r"[A-Z_]+=", words[0]):
                        words = words[1:]
                    if words and page.name not in GUIDES and tuple(words) not in seen:
                        seen.add(tuple(words))
                        yield Command(page.name, tuple(words))


COMMANDS = list(commands())


class Parsed(Exception):
    """A parser has accepted its words; what it parses for does not happen."""


def parse_project_verb(verb: str, options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the verb's own parser read its options, and stop there."""
    parse = argparse.ArgumentParser.parse_args

    def only_parse(parser: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> Any:
        parse(parser, *args, **kwargs)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", only_parse)
    module, _, function = PROJECT_VERBS[verb][0].partition(":")
    with pytest.raises(Parsed):
        getattr(import_module(module), function or "main")(options)


def parse_vjepa(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    verb, *options = words
    if verb.startswith("--"):
        assert main([verb]) == 0
    elif verb in LIGHTNING_VERBS:
        if "my-videos.yaml" in options:
            (folder / "my-videos.yaml").write_text(quickstart_yaml())
            options = [str(folder / word) if word == "my-videos.yaml" else word for word in options]
        assert resolve_run(options).folder.parts[0] == "runs"
    elif verb == "ablation":  # takes the options of vjepa fit too, which its plan resolves
        assert main([verb, *_few_cells(options, folder), "--dry-run"]) == 0
        assert not list(folder.iterdir())
    else:
        parse_project_verb(verb, options, monkeypatch)


def _few_cells(options: list[str], folder: Path) -> list[str]:
    """An ablation of the same settings in another folder, of one variant and seed: each cell takes time to plan."""
    small = list(options)
    for before, word in itertools.pairwise(options):
        place = small.index(word)
        if before == "--variants":
            small[place] = word if "--set" in options else expand(word.split(","))[0]
        elif before == "--seeds":
            small[place] = word.split(",")[0]
        elif before == "--out":
            small[place] = str(folder / "new")
    return small if "--variants" in small else [*small, "--variants", "baseline"]


def parse_make(words: tuple[str, ...]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    target, *settings = words
    assert re.search(rf"^{target}:.*## ", makefile, flags=re.MULTILINE), "not listed by make help"
    for setting in settings:
        name, equals, value = setting.partition("=")
        assert equals and re.search(rf"\$\({name}\)|\bifdef {name}\b|\({name}\)", makefile), setting
        assert not value.endswith(".yaml") or (ROOT / value).is_file(), setting
    subprocess.run(["make", "--dry-run", *words], cwd=ROOT, check=True, capture_output=True)


def parse_python(words: tuple[str, ...]) -> None:
    assert words[0] == "-m"
    assert find_spec(words[1]) is not None
    assert all((ROOT / word).exists() for word in words[2:] if word.endswith(".py"))


def parse_tool(words: tuple[str, ...]) -> None:
    """Tools of others: that what they read of the project is there."""
    named = [word for word in words if re.search(r"\.(toml|lock|yaml)$", word)]
    assert all((ROOT / word).is_file() for word in named)
    extras = re.findall(r"\[(\w+)\]$", " ".join(words))
    extras += [word for before, word in itertools.pairwise(words) if before == "--extra"]
    project = (ROOT / "pyproject.toml").read_text()
    assert all(re.search(rf"^{extra} = \[", project, flags=re.MULTILINE) for extra in extras)


TOOLS = {"uv", "pip", ".", "export", "pre-commit"}


def quickstart_yaml() -> str:
    """The configuration that the quickstart saves."""
    page = (ROOT / "docs" / "quickstart.md").read_text()
    (text,) = re.findall(r"Save as `my-videos.yaml`:\n\n```yaml\n(.*?)```", page, flags=re.DOTALL)
    return str(text)
