"""Lists the variants that ship, with what the study published for them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import get_args

from experiments.overlays import regime_names, variant_names
from experiments.published import configs, study_variants
from experiments.variants.rows import VariantRow, control_rows, study_rows
from experiments.variants.table import to_csv, to_json, to_text
from vjepa.errors import UserError, did_you_mean, unknown_name
from vjepa.reading import Reading

_ORDER = ("mixed", "ucf101", "ucf101_2gpu", "synth")
FORMATS = {"table": to_text, "csv": to_csv, "json": to_json}


def main(options: Sequence[str]) -> int:
    """``vjepa variants``: the study's configurations by regime, with slots, terms, switches and published results."""
    parser = argparse.ArgumentParser("vjepa variants", description=main.__doc__)
    parser.add_argument("names", nargs="*", help="variants or configurations of the study, as names or globs")
    parser.add_argument("--regime", help=f"only this one; for controls, the one to show: {', '.join(regime_names())}")
    parser.add_argument("--readings", help="a row for each, with its switches: as_described,as_released")
    parser.add_argument("--controls", action="store_true", help="also the variants that nobody has run")
    parser.add_argument("--format", choices=FORMATS, default="table", help="(%(default)s)")
    known = parser.parse_args(list(options))
    rows = select(known.names, known.regime, _readings(known.readings), known.controls)
    print(FORMATS[known.format](rows))
    hidden = len(variant_names()) - len(study_variants())
    if known.format == "table" and not known.names and not known.controls:
        print(f"{hidden} controls that nobody has run: --controls")
    return 0


def select(
    names: Sequence[str] = (),
    regime: str | None = None,
    readings: Sequence[Reading] = (),
    controls: bool = False,
) -> list[VariantRow]:
    """Rows by regime, the study's first.

    Args:
        names: variants, configurations of the study, or globs of either; empty takes all.
        regime: takes one alone; controls are shown with its settings.
        readings: rows for each; empty: one row a variant, with the switches on which the readings part.
        controls: also the variants that the study does not have; one that is named needs no asking.

    Raises:
        UserError: an unknown name or regime, or nothing that fits both.
    """
    if regime is not None and regime not in regime_names():
        raise unknown_name("regime", regime, regime_names())
    own = [name for name in variant_names() if name not in study_variants()]
    for name in names:
        _check(name)
    chosen = [
        config
        for config in configs()
        if (not names or any(_fits(name, config.objective, config.config) for name in names))
        and regime in (None, config.regime)
    ]
    ordered = sorted(chosen, key=lambda config: (_ORDER.index(config.regime), config.objective != "baseline"))
    rows = [row for config in ordered for row in study_rows(config, readings)]
    for control in own:
        if control in names or (controls and (not names or any(_fits(name, control) for name in names))):
            rows += control_rows(control, regime, readings)
    if not rows:
        raise UserError(f"{', '.join(names)}: {_where(names)}; the study has no such configuration in regime {regime}")
    return rows


def _check(name: str) -> None:
    known = [*variant_names(), *(config.config for config in configs())]
    if not any(fnmatchcase(other, name) for other in known):
        raise UserError(
            f"unknown variant {name!r}{did_you_mean(name, known)}: expected a name or a glob of "
            f"{', '.join(variant_names())}, or of a configuration of the study, as mixed_4gpu_baseline_seed42"
        )


def _fits(pattern: str, *names: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def _where(names: Sequence[str]) -> str:
    found = {c.regime for c in configs() for name in names if _fits(name, c.objective, c.config)}
    return f"found in {', '.join(sorted(found))}" if found else "a control, see --controls"


def _readings(text: str | None) -> tuple[Reading, ...]:
    chosen = () if text is None else tuple(text.split(","))
    for name in chosen:
        if name not in get_args(Reading):
            raise unknown_name("reading", name, get_args(Reading))
    return chosen  # type: ignore[return-value]
