"""Columns of an ablation: each variant, with each setting of a sweep, as one resolved configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.ablation.groups import BASELINE
from experiments.ablation.spec import Ablation, Grid
from experiments.ablation.sweep import Setting, combinations, parse_sweep, swept_name
from experiments.overlays import BASE, CONFIGS, objective_overlay, regime_names, regime_overlay
from experiments.training.resolve import resolve_settings
from vjepa.errors import UserError, did_you_mean, unknown_name

DATA = {"glyphs": CONFIGS / "study" / "glyphs.yaml"} | {name: regime_overlay(name) for name in regime_names()}
"""Settings of data, model and steps by the name of the data."""

_CHOSEN_ELSEWHERE = {
    "seed_everything": "--seeds", "model.seed": "--seeds", "data.init_args.seed": "--seeds",
    "model.reading": "--readings", "run.variant": "--variants", "run.root": "--out",
    "probe.probes": "--probes", "probe.benchmarks": "--benchmarks", "model.preset": "--preset",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A variant with settings of a sweep, if any.

    Args:
        name: of the variant; settings stand behind it.
        settings: resolved, for any reading and seed.
    """

    name: str
    settings: Mapping[str, Any]


def columns_of(ablation: Ablation, grid: Grid) -> list[Column]:
    """Resolve the variants of a grid, the plain baseline among them.

    Raises:
        UserError: a sweep that a variant cannot take, or options that the parser rejects.
    """
    sweeps = [parse_sweep(text) for text in grid.sweeps]
    for sweep in sweeps:
        if sweep.variant not in (None, *grid.variants):
            raise unknown_name(f"variant of --set {sweep.text}:", str(sweep.variant), grid.variants)
    chosen: list[tuple[str, tuple[Setting, ...]]] = []
    for variant in grid.variants:
        model = resolve_settings(options_of(ablation, variant))["model"] if sweeps else {}
        chosen += [(variant, settings) for settings in combinations(sweeps, variant, model)]
    if (BASELINE, ()) not in chosen:
        chosen.insert(0, (BASELINE, ()))
    return [Column(swept_name(*one), resolve_settings(options_of(ablation, *one))) for one in chosen]


def options_of(ablation: Ablation, variant: str, settings: Sequence[Setting] = ()) -> list[str]:
    """Options of ``vjepa fit`` for a variant, evaluation included; reading and seed are those of the files."""
    paths = [BASE, data_overlay(ablation.data), *_evaluation_overlay(ablation.data), *ablation.configs]
    options = [word for path in (*paths, objective_overlay(variant)) for word in ("--config", str(path))]
    options += [f"--run.root={(ablation.folder / 'runs').absolute()}", *_evaluation(ablation)]
    options += [f"--model.preset={ablation.preset}"] if ablation.preset else []
    options += ablation.extra
    options += [f"--model.{key}={value}" for key, value in settings]
    return [*options, f"--run.variant={swept_name(variant, settings)}"] if settings else options


def data_overlay(data: str) -> Path:
    """File that says what is trained on.

    Raises:
        UserError: there is no such data.
    """
    if data in DATA:
        return DATA[data]
    if data.endswith((".yaml", ".yml")):
        return Path(data)
    raise UserError(
        f"unknown data {data!r}{did_you_mean(data, DATA)}: expected one of {', '.join(DATA)}, or a YAML file of yours"
    )


def check_extra(extra: Sequence[str]) -> None:
    """Refuse options that the plan itself sets.

    Raises:
        UserError: with the option to use in place of it.
    """
    for word in extra:
        key = word.removeprefix("--").partition("=")[0]
        if word.startswith("--") and key in _CHOSEN_ELSEWHERE:
            raise UserError(f"{word}: an ablation chooses this by {_CHOSEN_ELSEWHERE[key]}")


def _evaluation_overlay(data: str) -> list[Path]:
    path = CONFIGS / "ablation" / f"{data}_evaluation.yaml"
    return [path] if path.is_file() else []


def _evaluation(ablation: Ablation) -> list[str]:
    options = ["--probe.enabled=true", f"--probe.probes={json.dumps(list(ablation.probes))}"]
    if ablation.benchmarks:
        options.append(f"--probe.benchmarks={json.dumps({name: {} for name in ablation.benchmarks})}")
    under = dict.fromkeys(("robustness", "stability", "order", "subspaces"), ablation.profile is not None)
    options += [f"--{name}.enabled={str(on).lower()}" for name, on in under.items()]
    if ablation.profile is not None:
        options += [f"--{name}.profile={ablation.profile}" for name in under if name != "order"]
    return options
