"""Measures how long things take: ``vjepa bench NAME``, one module of this package each.

A benchmark module has ``add_options(parser)`` and ``run(options)``, which yields ``Measurement``s as they are made, and
may have a ``table(measured)`` of its own. To add one, write the module and name it in ``BENCHMARKS``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from experiments.bench.timing import machine, table

BENCHMARKS = {
    "masks": "drawing the masks of a micro-batch, guided and not, on one core",
    "decode": "reading a random clip of a video, against decord",
    "robustness": "decode, corruption and encoder shares of an evaluation under a profile",
    "extraction": "features of a split read, encoded and kept, against the plain forward pass",
    "train": "whole training steps of variants: clips a second, where time goes, share of the machine's limit",
    "loader+train": "training steps fed by the real loader, and which side waits",
    "scaling": "what training on up to 64 GPUs would take, worked out from the speed of one",
    "memory": "what a training step keeps on a GPU, counted from shapes where none need be",
    "objectives": "what each term and slot adds to a training step",
}


def main(options: Sequence[str]) -> int:
    """``vjepa bench NAME``: a JSON line for each case, then a table."""
    parser = argparse.ArgumentParser("vjepa bench", description=main.__doc__)
    benches = parser.add_subparsers(dest="bench", required=True, metavar="NAME")
    shown = argparse.ArgumentDefaultsHelpFormatter
    modules = {name: import_module(f"experiments.bench.{name.replace('+', '_')}") for name in BENCHMARKS}
    for name, text in BENCHMARKS.items():
        modules[name].add_options(benches.add_parser(name, help=text, description=text, formatter_class=shown))
    chosen = parser.parse_args(list(options))

    facts, measured = machine(), []
    for measurement in modules[chosen.bench].run(chosen):
        measured.append(measurement)
        print(measurement.json_line(facts), flush=True)
    print(getattr(modules[chosen.bench], "table", table)(measured))
    return 0
