"""Where the numbers come from, as a reader may check it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from experiments.results import Row
from vjepa.corruptions import profile as named_profile
from vjepa.storage import read_record

if TYPE_CHECKING:
    from experiments.ablation.cells import Cell
    from experiments.ablation.spec import Ablation


def read_provenance(
    done: Sequence[Cell], cells: Sequence[Cell], ablation: Ablation, rows: Sequence[Row]
) -> dict[str, str]:
    """Item -> value; what differs between cells is listed with commas."""
    made = [read_record(cell.run.environment) or {} for cell in done]
    clean = [row for row in rows if row.metric == "top1"]
    dates = sorted(str(facts["date"])[:10] for facts in made if "date" in facts)
    protocols = dict.fromkeys(f"{row.probe} {row.protocol_hash[:12]}" for row in clean)
    clips = {row.benchmark: row.n for row in clean}
    found = {
        "data": ablation.data,
        "cells": f"{len(done)} of {len(cells)} finished",
        "pretraining seeds": ", ".join(map(str, sorted({cell.seed for cell in done}))),
        "test clips": ", ".join(f"{name} {count:,}" for name, count in clips.items()),
        "probes": ", ".join(protocols),
        "corruptions": f"{ablation.profile} {named_profile(ablation.profile).hash[:12]}"
        if ablation.profile
        else "none",
        "data manifests": _several(str(facts.get("data_manifest_hash", ""))[:12] for facts in made),
        "git revision of the runs": _several(str(facts.get("git_revision", "")) for facts in made),
        "git revision of the evaluation": _several(row.git_revision for row in clean),
        "versions of the runs": _several(
            ", ".join(f"{name} {version}" for name, version in (facts.get("versions") or {}).items()) for facts in made
        ),
        "versions of the evaluation": _several(row.versions for row in clean),
        "machine": _several(str(facts.get("machine", "")) for facts in made),
        "date": " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "",
        "statistics": "t intervals of crossed variance components over seeds and clips with seeds - 1 degrees of "
        "freedom; Holm inside each family at 0.05",
    }
    return {name: value for name, value in found.items() if value}


def _several(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(value for value in values if value))
