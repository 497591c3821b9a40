"""The README's commands exist and parse; the quick ones run."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from experiments.cli import LIGHTNING_VERBS, PROJECT_VERBS, main
from experiments.lightning_cli import resolve_run

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    shlex.split(line, comments=True) for block in BLOCKS for line in block.replace("\\\n", " ").splitlines() if line
]
VJEPA = [words[1:] for words in COMMANDS if words[0] == "vjepa"]
MAKE = [words[1:] for words in COMMANDS if words[0] == "make"]


def test_readme_has_commands() -> None:
    assert len(VJEPA) >= 7 and ["demo"] in MAKE and ["test"] in MAKE
    assert len(VJEPA) + len(MAKE) == len(COMMANDS)


@pytest.mark.parametrize("words", MAKE, ids=" ".join)
def test_make_targets_exist_and_are_listed(words: list[str]) -> None:
    subprocess.run(["make", "--dry-run", *words], cwd=ROOT, check=True, capture_output=True)
    listed = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert f"make {words[0]} " in listed


@pytest.mark.parametrize("words", [w for w in VJEPA if w[0] == "fit"], ids=" ".join)
def test_fit_commands_resolve(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert resolve_run(words[1:]).folder.parts[0] == "runs"


@pytest.mark.parametrize("words", [w for w in VJEPA if w[0] == "ablation"], ids=" ".join)
def test_ablation_commands_plan(words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    chosen = [str(tmp_path / "new") if word.startswith("runs/") else word for word in words]
    assert main([*chosen, "--dry-run"]) == 0
    assert not list(tmp_path.iterdir())


def test_every_verb_of_the_readme_exists() -> None:
    assert {words[0] for words in VJEPA} <= LIGHTNING_VERBS.keys() | PROJECT_VERBS.keys()


def test_variants_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["variants"]) == 0
    assert "latent_dynamics 1.0" in capsys.readouterr().out


def test_every_file_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links and all((ROOT / link).exists() for link in links if not link.startswith("http"))
