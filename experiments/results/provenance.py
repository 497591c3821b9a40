"""Which code and which packages made a number."""

from __future__ import annotations

import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vjepa.corruptions.codec import x264_version

_PACKAGES = ("torch", "lightning", "numpy", "av")
_CHECKOUT = Path(__file__).resolve().parents[2]
_CODE = ("vjepa", "data_modules", "experiments", "pyproject.toml")


@lru_cache
def versions() -> str:
    """Return the Python and package versions that a number may depend on, as one short string."""
    found = [f"python {platform.python_version()}"]
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} absent")
    found.append(x264_version())
    return ", ".join(found)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@lru_cache
def git_revision(folder: Path = _CHECKOUT) -> str:
    """Return the commit of the project checkout, with ``-dirty`` when its code differs from that commit.

    Args:
        folder: root of the checkout; new files below the packages count as differences.

    Returns:
        12 hex digits, the same with ``-dirty``, or ``unknown`` outside a git checkout.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    # An installed copy may lie inside the checkout of another project.
    if top is None or commit is None or Path(top).resolve() != folder.resolve():
        return "unknown"
    changes = _git(folder, "status", "--porcelain", "--", *_CODE)
    return commit if changes == "" else f"{commit}-dirty"
