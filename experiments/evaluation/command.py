"""``vjepa probe`` and ``vjepa robustness``: the frozen evaluation of finished runs and of encoders of others."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.named_options import named_options, words
from vjepa.errors import unknown_name

if TYPE_CHECKING:
    from experiments.evaluation.plan import EvaluationPlan

RUN_HELP = (
    "folder of a finished run, or an encoder of others: timm:NAME[:pretrained=true], timm:NAME:checkpoint=FILE, "
    "hf:FOLDER of a VJEPA2Model, or a file or folder of V-JEPA weights: [weights:]PATH[:part=encoder]"
)


def probe(options: Sequence[str]) -> int:
    """``vjepa probe``."""
    parser = _parser("vjepa probe", "Fit probes on frozen features of finished runs and judge them on test clips.")
    known = parser.parse_args(list(options))
    return _evaluate(known, [])


def robustness(options: Sequence[str]) -> int:
    """``vjepa robustness``."""
    parser = _parser("vjepa robustness", "Show damaged test clips to finished runs, each clip damaged once for all.")
    parser.add_argument("--profile", default="core", help="smoke, core, full, images, mini_ssv2_c, ... (%(default)s)")
    parser.add_argument("--without", default="", help="comma-separated: stability, order, subspaces")
    known = parser.parse_args(list(options))
    from experiments.evaluation.analyses.base import Analysis
    from experiments.evaluation.analyses.classification import CorruptionRobustness
    from experiments.evaluation.analyses.order import OrderSensitivity
    from experiments.evaluation.analyses.stability import RepresentationStability
    from experiments.evaluation.analyses.subspaces import SubspaceRobustness

    limits = _plan(known).options
    further: dict[str, Analysis] = {
        "stability": RepresentationStability(known.profile, options=limits),
        "order": OrderSensitivity(limits),
        "subspaces": SubspaceRobustness(known.profile, options=limits),
    }
    left_out = words(known.without)
    for name in left_out:
        if name not in further:
            raise unknown_name("analysis", name, further)
    made = [one for name, one in further.items() if name not in left_out]
    return _evaluate(known, [CorruptionRobustness(known.profile, options=limits), *made])


def _parser(name: str, text: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(name, description=text)
    parser.add_argument("runs", nargs="+", metavar="RUN", help=RUN_HELP)
    parser.add_argument(
        "--benchmark", action="append", metavar="NAME[:KEY=VALUE,...]",
        help="ucf101, ssv2, diving48, imagenet100, glyphs, ...; may be repeated; left out: what the first run saw",
    )  # fmt: skip
    parser.add_argument("--probes", default="linear_time,attentive", help="comma-separated protocols (%(default)s)")
    parser.add_argument(
        "--subspaces",
        default="",
        help="comma-separated views to probe too: within_level.app, by_level.dyn, levels, ...",
    )
    for split in ("train", "val", "test"):
        parser.add_argument(f"--num-{split}", type=int, help=f"most {split} clips over all tasks (all)")
    parser.add_argument("--no-controls", action="store_true", help="leave random initialisation and pixels out")
    parser.add_argument("--device", default=None, help="cpu, cuda, cuda:1, ... (a GPU where there is one)")
    parser.add_argument("--cache", help="folder of cached features")
    parser.add_argument("--out", help="folder of the results; needed for several runs")
    return parser


def _evaluate(known: argparse.Namespace, analyses: Sequence[Any]) -> int:
    import torch

    from experiments.evaluation.external import is_external
    from experiments.evaluation.presentation.outcome import show_outcome
    from experiments.evaluation.runs import evaluate_runs
    from experiments.runs import open_run

    evaluated = evaluate_runs(
        [open_run(Path(word)) for word in known.runs if not is_external(word)],
        dict(named_options(text, "--benchmark") for text in known.benchmark) if known.benchmark else None,
        analyses,
        _plan(known),
        others=[word for word in known.runs if is_external(word)],
        out=Path(known.out) if known.out else None,
        cache=known.cache,
        controls=not known.no_controls,
        device=known.device or ("cuda" if torch.cuda.is_available() else "cpu"),
    )
    for folder, report in evaluated:
        show_outcome(report, folder)
    return 0


def _plan(known: argparse.Namespace) -> EvaluationPlan:
    from experiments.evaluation.plan import EvaluationPlan

    return EvaluationPlan(
        probes=words(known.probes),
        subspaces=words(known.subspaces),
        num_train=known.num_train,
        num_val=known.num_val,
        num_test=known.num_test,
    )
