"""What made a number: machine, versions, revision."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from experiments.results import git_revision

_PACKAGES = (
    *("torch", "lightning", "torchmetrics", "timm", "av", "einops", "tensorboard"),
    *("jsonargparse", "numpy", "scikit-learn"),
)


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that a number may depend on."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def describe_machine() -> str:
    """Processor, cores and accelerator in words."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    return f"{os.cpu_count()} cores, {model}{gpu}, {platform.system()}"


def environment_facts() -> dict[str, Any]:
    """Everything about the surroundings of a run that its record keeps."""
    return {
        "git_revision": git_revision(),
        "command": sys.argv,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "platform": platform.platform(),
        "versions": package_versions(),
    }
