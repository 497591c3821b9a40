"""Settings of a run as columns of the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from experiments.boards.entries import Setting


def run_settings(
    variant: str, reading: str, seed: int, layout: str, settings: Mapping[str, Any], terms: Iterable[str]
) -> tuple[Setting, ...]:
    """What a run was, those first that tell runs apart.

    Args:
        variant, reading, seed: of the cell; the seed becomes a text, so that it is a choice and no range.
        layout: as it was resolved.
        settings: the resolved configuration.
        terms: names of the terms that have a column; one that this run has not weighs nothing, where a blank would
            take the run out of the plots.
    """
    model, trainer, data = settings["model"], settings["trainer"], settings["data"]["init_args"]
    chosen = [
        Setting("variant", variant),
        Setting("reading", reading),
        Setting("seed", str(seed)),
        Setting("layout", layout),
        Setting("target", _target(model["target"])),
        Setting("masker", _masker(model["masker"])),
        *(Setting(f"{name} weight", _weight(model["objectives"], name)) for name in terms),
        Setting("preset", str(model["preset"])),
        Setting("learning rate", float(model["optimizer"]["lr"])),
        Setting("steps", float(trainer["max_steps"])),
    ]
    micro_batch = data.get("batch_size")
    if micro_batch is not None:
        batch = float(micro_batch) * trainer["accumulate_grad_batches"]
        chosen.append(Setting("clips per step and process", batch))
    return tuple(chosen)


def control_settings(variant: str, seed: int, preset: str) -> tuple[Setting, ...]:
    """What a control was: nothing was trained, so most columns do not apply."""
    return (
        Setting("variant", variant),
        Setting("reading", "none"),
        Setting("seed", str(seed)),
        Setting("preset", preset),
    )


def active_terms(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the terms of a resolved configuration."""
    return tuple(name for name, term in (settings["model"]["objectives"] or {}).items() if term is not None)


def _weight(objectives: Mapping[str, Any] | None, name: str) -> float:
    term = (objectives or {}).get(name)
    return 0.0 if term is None else float(term["weight"])


def _target(options: Mapping[str, Any]) -> str:
    if options["kind"] == "ema":
        return "EMA"
    return "self, stop-gradient" if options["stop_gradient"] else "self"


def _masker(options: Mapping[str, Any]) -> str:
    kinds = [name for name in ("motion", "future") if options.get(name)]
    if not kinds:
        return "blocks"
    matched = ", matched" if (options.get("motion") or {}).get("ratio_matched") else ""
    return " + ".join(kinds) + matched
