"""From the finished cells of an ablation to the findings of its report."""

from experiments.report.reading.findings import read_findings

__all__ = ["read_findings"]
