"""Imports go one way: vjepa <- data_modules <- experiments, and the science does not know Lightning."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vjepa

ROOT = Path(__file__).parents[1]
PACKAGES = ("vjepa", "data_modules", "experiments")
FREE_OF_LIGHTNING = (
    "nn", "objectives", "corruptions", "masking", "placement", "motion", "targets", "pixels", "reading", "layout",
    "interop",
)  # fmt: skip
KNOW_NO_TRAINING = (
    "runs", "checkpoints", "load", "pretrained", "export", "evaluation", "probes", "results", "statistics", "report",
    "boards", "pictures", "show", "shipped", "published", "callbacks",
)  # fmt: skip
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


@pytest.mark.parametrize("name", KNOW_NO_TRAINING)
def test_a_run_is_read_without_what_trains_it(name: str) -> None:
    """Evaluation, export and reports need a run's folder, not the command line of training."""
    chosen = files(f"experiments/{name}") or [ROOT / "experiments" / f"{name}.py"]
    assert not [path for path in chosen if "experiments.training" in path.read_text()]


@pytest.mark.parametrize("name", FREE_OF_LIGHTNING)
def test_the_science_does_not_import_lightning(name: str) -> None:
    chosen = files(f"vjepa/{name}") or [ROOT / "vjepa" / f"{name}.py"]
    assert not [path for path in chosen if imported(path) & {"lightning", "pytorch_lightning"}]


def test_the_science_knows_no_yaml_and_no_command_line() -> None:
    assert not [path for path in files("vjepa") if imported(path) & {"yaml", "argparse", "jsonargparse"}]


def test_hugging_face_is_only_needed_by_those_who_use_it() -> None:
    """vjepa.interop reads and writes its layout by itself."""
    assert not [path for path in files("vjepa") if imported(path) & {"transformers", "huggingface_hub"}]


def test_only_one_lightning_class_tree() -> None:
    assert not [path for package in PACKAGES for path in files(package) if "pytorch_lightning" in imported(path)]


def test_most_of_it_works_where_lightning_is_absent() -> None:
    code = f"""
import sys
sys.modules["lightning"] = sys.modules["lightning.pytorch"] = None
from importlib import import_module
for name in {FREE_OF_LIGHTNING}:
    import_module(f"vjepa.{{name}}")
import torch, vjepa
encoder = vjepa.nn.Encoder(vjepa.nn.preset("tiny"), patch=8)
assert encoder(torch.zeros(1, 3, 2, 8, 8)).shape == (1, 1, 96)
assert "prediction" in vjepa.objectives.REGISTRY
try:
    vjepa.VideoJEPA
except ImportError as error:
    print("blocked:", error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("blocked: import of lightning")


def test_the_public_names_are_there() -> None:
    assert vjepa.VideoJEPA.__name__ == "VideoJEPA"
    assert issubclass(vjepa.FactorizedVideoJEPA, vjepa.VideoJEPA)
    with pytest.raises(AttributeError, match="has no attribute 'VideoJepa'"):
        vjepa.VideoJepa  # noqa: B018


def test_help_is_quick_because_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; from experiments.cli import main; main(['--help'])\n"
        "assert not {'torch', 'lightning', 'numpy', 'jsonargparse'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "fit" in done.stdout and "demo" in done.stdout
