"""The report of an ablation: one reading of its results, written as Markdown, as HTML and for the terminal.

``write_ablation_report`` and ``write_report`` are loaded when they are asked for, so that tables for the terminal need
neither matplotlib nor torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from experiments.report.scalars import Scalars, read_scalars

if TYPE_CHECKING:
    from experiments.report.findings import Findings, ReportPaths
    from experiments.report.write import write_ablation_report, write_report

__all__ = ["Findings", "ReportPaths", "Scalars", "read_scalars", "write_ablation_report", "write_report"]

_LAZY = {"Findings": "findings", "ReportPaths": "findings", "write_ablation_report": "write", "write_report": "write"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"experiments.report.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'experiments.report' has no attribute {name!r}")
