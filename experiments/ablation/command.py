"""``vjepa ablation``: variants x readings x paired seeds, each trained and evaluated, then compared."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.ablation.engine import add_arguments, engine_of
from experiments.ablation.request import Request, seeds_of
from experiments.ablation.run import run_ablation
from experiments.named_options import words
from vjepa.errors import UserError

NO_PROFILE = "none"


def main(options: Sequence[str]) -> int:
    """``vjepa ablation``."""
    known, extra = _parser().parse_known_args(list(options))
    if extra and not extra[0].startswith("-"):
        raise UserError(f"unexpected {extra[0]!r}: name variants with --variants {extra[0]}")
    settings: dict[str, Any] = {
        "title": known.title,
        "data": known.data,
        "preset": known.preset,
        "profile": known.profile,
        "configs": tuple(str(Path(path).absolute()) for path in known.config) or None,
        "extra": tuple(extra) or None,
        "probes": None if known.probes is None else words(known.probes),
        "benchmarks": None if known.benchmarks is None else words(known.benchmarks),
        "command": shlex.join(["vjepa", "ablation", *options]),
    }
    settings = {name: value for name, value in settings.items() if value is not None}
    if known.profile == NO_PROFILE:
        settings["profile"] = None
    request = Request(
        out=Path(known.out),
        variants=None if known.variants is None else words(known.variants),
        readings=None if known.readings is None else words(known.readings),
        seeds=None if known.seeds is None else seeds_of(known.seeds),
        sweeps=tuple(known.sweeps) or None,
        settings=settings,
    )
    return run_ablation(request, engine_of(known), dry_run=known.dry_run)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "vjepa ablation", description=__doc__, allow_abbrev=False,
        epilog="Further options are those of vjepa fit and hold for every cell, as --trainer.max_steps=500. In a "
        "folder that holds an ablation, what is left out stays as it is there; variants, readings and seeds are added.",
    )  # fmt: skip
    ask = parser.add_argument
    ask("--variants", help="names, globs and groups of variants, with commas (core); see vjepa variants")
    ask("--readings", help="as_described, as_released, or both with a comma (both)")
    ask("--seeds", help="pretraining seeds, with commas (0,1,2)")
    ask("--data", help="glyphs, synth, ucf101, ucf101_2gpu, mixed, or a YAML file of yours (glyphs)")
    ask("--set", action="append", default=[], metavar="[VARIANT:]KEY=VALUES", dest="sweeps",
        help="sweep an option of the model, one cell a value, as in objectives.latent_dynamics.weight=0.1,0.3,1; "
        "several make a grid; VARIANT: sweeps that variant alone")  # fmt: skip
    ask("--preset", help="size of encoder and predictor: tiny, glyphs, small, base, large, ... (that of the data)")
    ask("--benchmarks", help="names of data to evaluate on, with commas (those of the data)")
    ask("--profile", help="corruption profile, or none for clean clips alone (core)")
    ask("--probes", help="probe protocols, with commas (linear_time,attentive)")
    ask("--config", action="append", default=[], help="YAML over that of the data; may be repeated")
    ask("--out", required=True, help="folder of cells, runs, results and report")
    ask("--title", help="heading of the report")
    ask("--dry-run", action="store_true", help="print the plan with its cost and write nothing")
    add_arguments(parser)
    return parser
