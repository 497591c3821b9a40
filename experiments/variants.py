"""Lists the variants that ship."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import yaml

from experiments.study import CONFIGS, variant_names


def main(options: Sequence[str]) -> int:
    """``vjepa variants``: name, layout and weighted terms of each objective overlay."""
    argparse.ArgumentParser("vjepa variants", description=main.__doc__).parse_args(list(options))
    for name in variant_names():
        model = yaml.safe_load((CONFIGS / "objective" / f"{name}.yaml").read_text()).get("model", {})
        terms = [
            f"{term} {settings['weight']}" for term, settings in (model.get("objectives") or {}).items() if settings
        ]
        print(f"{name:<12} {model.get('layout', 'whole'):<11} {', '.join(terms) or 'prediction and context only'}")
    return 0
