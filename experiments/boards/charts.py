"""The page of custom scalars: terms, collapse, probes and robustness of all runs, one chart a question."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from experiments.boards.entries import Entry

Charts = dict[str, list[str]]
"""By title, the regular expressions that tags must match."""

_COLLAPSE = {
    "RankMe of the context": "collapse/rankme",
    "RankMe of targets": "collapse/target_rankme",
    "target variance": "collapse/target_variance",
    "feature spread": "collapse/feature_std",
    "spread of z_app": "subspace/app_std",
    "spread of z_dyn": "subspace/dyn_std",
    "gradient norm, encoder": "gradients/encoder",
    "gradient norm, predictor": "gradients/predictor",
}


def chart_layout(terms: Iterable[str], entries: Sequence[Entry]) -> dict[str, dict[str, list[object]]]:
    """Categories of charts as ``SummaryWriter.add_custom_scalars`` takes them.

    Args:
        terms: names of the terms of the runs.
        entries: rows of the table; their curves and accuracies have charts.
    """
    pages = {
        "terms": _terms(terms),
        "collapse": {title: [_exactly(tag)] for title, tag in _COLLAPSE.items()},
        "probes": _probes(entries),
        "robustness (a step is a severity, 0 is clean)": _robustness(entries),
    }
    return {
        page: {title: ["Multiline", tags] for title, tags in charts.items()} for page, charts in pages.items() if charts
    }


def _terms(names: Iterable[str]) -> Charts:
    charts = {"loss": [_exactly("train/loss")]}
    for name in names:
        charts[f"{name}, unweighted"] = [_exactly(f"objective/{name}/raw")]
        charts[f"{name}, validation"] = [_exactly(f"val/objective/{name}")]
    return charts


def _probes(entries: Sequence[Entry]) -> Charts:
    """While training where it was probed, and at the end on test clips."""
    charts: Charts = {}
    for tag in dict.fromkeys(metric.tag for entry in entries for metric in entry.metrics):
        if tag.startswith("test/accuracy/"):
            place = tag.removeprefix("test/accuracy/")
            benchmark, _, probe = place.rpartition("/")
            charts[f"{benchmark}, {probe}"] = [_exactly(f"probe/{place}/top1"), _exactly(tag)]
    return charts


def _robustness(entries: Sequence[Entry]) -> Charts:
    return {curve.title: [_exactly(curve.tag)] for entry in entries for curve in entry.curves}


def _exactly(tag: str) -> str:
    # TensorBoard matches from the start of a tag, not to its end.
    return f"{re.escape(tag)}$"
