"""The ``vjepa`` command: dispatches verbs lazily and turns failures into one message and an exit code.

Exit codes: 0 done, 1 failed, 2 bad input, 75 stopped early and resumable.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from vjepa.errors import UserError, unknown_name

LIGHTNING_VERBS = {
    "fit": "train on base + overlay YAML files",
    "validate": "losses on the validation split",
    "test": "losses on the test split",
}
PROJECT_VERBS = {
    "demo": ("experiments.demo", "the whole job at small scale: data, training, probes, report"),
    "prepare": ("experiments.prepare.command", "write an embedded benchmark; check NAME: is a data set whole?"),
    "probe": ("experiments.evaluation.command:probe", "frozen probes of finished runs on any benchmark"),
    "robustness": ("experiments.evaluation.command:robustness", "damaged test clips through finished runs: rob-v1"),
    "features": (
        "experiments.evaluation.features.command",
        "features of the clips of a split as npz or Parquet, for other tools",
    ),
    "ablation": ("experiments.ablation.command", "variants x readings x seeds, trained, evaluated and compared"),
    "cell": ("experiments.ablation.process", "train and evaluate one cell of an ablation; what its scheduler runs"),
    "results": ("experiments.results.command", "filter, sort and print result rows"),
    "report": ("experiments.ablation.run:report", "write table, report and boards of an ablation again"),
    "show": ("experiments.show.command", "pictures of finished runs before a clip: features, masks, attention, ..."),
    "export": ("experiments.export", "weights of a finished run: safetensors, official layout, Hugging Face"),
    "claims": ("experiments.claims.command", "the study's claims, checked against its numbers, defects and our runs"),
    "variants": ("experiments.variants.command", "list the variants that ship"),
    "bench": ("experiments.bench.command", "time masks, objectives, decoding, or the robustness evaluation"),
    "doctor": ("experiments.doctor", "what this machine has, and what would stop a run here"),
    "docs": ("experiments.docs.command", "write the generated parts of docs from the code, or check them"),
}
DONE, FAILED, BAD_INPUT, RESUMABLE = 0, 1, 2, 75


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code.

    Args:
        arguments: without the program's name; None for ``sys.argv``.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if not words or words[0] in ("-h", "--help"):
        print(usage())
        return DONE if words else BAD_INPUT
    try:
        return _dispatch(words[0], words[1:])
    except UserError as error:
        if debug:
            raise
        return _fail(str(error), BAD_INPUT)
    except BrokenPipeError:  # the reader of our output has seen enough, as in: vjepa variants | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        if debug:
            raise
        return _fail("interrupted; the same command continues from what is finished", RESUMABLE)
    except Exception as error:  # the last resort of a command line: say what failed, not where
        if debug:
            raise
        return _fail(f"{type(error).__name__}: {error} (--debug shows where)", FAILED)


def usage() -> str:
    """Help text; imports nothing heavy."""
    verbs = {**LIGHTNING_VERBS, **{name: text for name, (_, text) in PROJECT_VERBS.items()}}
    lines = [f"  {name:<10} {text}" for name, text in verbs.items()]
    return "\n".join(
        [
            "usage: vjepa VERB [options]        vjepa VERB --help for the options of one",
            "",
            "Factorized and non-factorized Video-JEPA: train, probe, compare.",
            "",
            *lines,
            "",
            "  --debug    show the traceback of an error",
        ]
    )


def _dispatch(verb: str, options: list[str]) -> int:
    if verb in LIGHTNING_VERBS:
        from experiments.training.fit import run_lightning

        return run_lightning(verb, options)
    if verb in PROJECT_VERBS:
        module, _, function = PROJECT_VERBS[verb][0].partition(":")
        return int(getattr(import_module(module), function or "main")(options))
    raise unknown_name("verb", verb, [*LIGHTNING_VERBS, *PROJECT_VERBS])


def _fail(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code
