"""Imports go one way: vjepa <- data_modules <- experiments, and the science does not know Lightning."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("vjepa", "data_modules", "experiments")
FREE_OF_LIGHTNING = ("vjepa/nn", "vjepa/objectives", "vjepa/corruptions")
STARTS_THE_CLI = ROOT / "vjepa" / "__main__.py"


def imported(path: Path) -> set[str]:
    """Top-level packages that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def files(package: str) -> list[Path]:
    return [path for path in (ROOT / package).rglob("*.py") if path != STARTS_THE_CLI]


@pytest.mark.parametrize(("package", "forbidden"), [("vjepa", PACKAGES[1:]), ("data_modules", PACKAGES[2:])])
def test_imports_go_one_way(package: str, forbidden: tuple[str, ...]) -> None:
    wrong = {str(path): bad for path in files(package) if (bad := imported(path) & set(forbidden))}
    assert files(package) and not wrong


@pytest.mark.parametrize("folder", FREE_OF_LIGHTNING)
def test_the_science_does_not_import_lightning(folder: str) -> None:
    assert files(folder)
    assert not [path for path in files(folder) if imported(path) & {"lightning", "pytorch_lightning"}]


def test_only_one_lightning_class_tree() -> None:
    assert not [path for package in PACKAGES for path in files(package) if "pytorch_lightning" in imported(path)]


def test_science_works_where_lightning_is_absent() -> None:
    code = (
        "import sys; sys.modules['lightning'] = None; sys.modules['lightning.pytorch'] = None\n"
        "import vjepa.nn, vjepa.objectives, vjepa.corruptions, vjepa.masking, vjepa.targets\n"
        "from vjepa import objectives\n"
        "assert 'prediction' in objectives.REGISTRY"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_help_is_quick_because_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; from experiments.cli import main; main(['--help'])\n"
        "assert not {'torch', 'lightning', 'numpy', 'jsonargparse'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "fit" in done.stdout and "demo" in done.stdout
