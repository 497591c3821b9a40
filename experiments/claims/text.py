"""The claims for a terminal, and for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from textwrap import fill
from typing import Any

from experiments.claims.check import CheckedClaim
from experiments.claims.figures import Change
from experiments.claims.ours import Answer, OurResult
from experiments.claims.summary import deciding, our_sentence
from experiments.claims.verdict import CLAIM_RULE, RULES, SPREADS, STRICT_SPREADS

_WIDTH = 110


def to_text(checked: Sequence[CheckedClaim], notes: Sequence[str] = (), source: str | None = None) -> str:
    """A paragraph a claim: verdict, what decides, each statement, defects, our runs.

    Args:
        checked: claims.
        notes: of the statistics of our runs.
        source: folder of our runs; None if there are none.
    """
    blocks = [_block(item) for item in checked]
    end = [
        "Verdicts are about the study's published numbers; the rules, the noise they allow for and all figures: "
        "--format markdown, or docs/claims.md.",
        f"Our runs: {source}. On moving glyphs they are an analogy only."
        if source
        else "Our runs: none were given (vjepa claims FOLDER).",
        *notes,
    ]
    return "\n\n".join([*blocks, "\n".join(map(_wrapped, end))]).replace("`", "")


def _block(checked: CheckedClaim) -> str:
    strict = "" if checked.strict is checked.verdict else f" (with a band twice as wide: {checked.strict})"
    lines = [
        _wrapped(f"{checked.claim.number:>2}. {checked.claim.text}", 4),
        _wrapped(f"    {checked.verdict.upper()}{strict}: {deciding(checked)}", 4),
    ]
    for item in checked.statements:
        if item.outcome.says not in deciding(checked):
            lines.append(_wrapped(f"    - {item.statement.text}: {item.verdict}. {item.outcome.says}", 6))
    if checked.defects:
        lines.append(_wrapped(f"    defects: {', '.join(str(item.number) for item in checked.defects)}", 6))
    lines += [
        _wrapped(f"    our runs: {our_sentence(item)}", 6) for item in checked.ours if item.answer != Answer.NOT_RUN
    ]
    return "\n".join(lines)


def _wrapped(text: str, indent: int = 0) -> str:
    return fill(text, _WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def to_json(checked: Sequence[CheckedClaim], notes: Sequence[str] = (), source: str | None = None) -> str:
    """Everything, with every figure unrounded."""
    document = {
        "rules": {
            "statement": [{"verdict": verdict, "if": text} for verdict, text in RULES],
            "claim": CLAIM_RULE,
            "spreads": SPREADS,
            "strict_spreads": STRICT_SPREADS,
        },
        "claims": [_claim(item) for item in checked],
        "runs": source,
        "notes": list(notes),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _claim(checked: CheckedClaim) -> Mapping[str, Any]:
    return {
        "number": checked.claim.number,
        "key": checked.claim.key,
        "claim": checked.claim.text,
        "verdict": checked.verdict,
        "strict_verdict": checked.strict,
        "decided_by": deciding(checked),
        "statements": [
            {
                "states": item.statement.text,
                "verdict": item.verdict,
                "strict_verdict": item.strict,
                "found": item.outcome.says,
                "finding": asdict(item.outcome.finding),
                "figures": [_figures(change) for change in item.outcome.changes],
            }
            for item in checked.statements
        ],
        "contexts": list(checked.contexts),
        "defects": [item.number for item in checked.defects],
        "objective_absent": [item.number for item in checked.absent],
        "our_runs": [_ours(item) for item in checked.ours],
    }


def _figures(item: Change) -> Mapping[str, Any]:
    return {
        "variant": item.variant,
        "regime": item.regime,
        "benchmark": item.benchmark,
        "accuracy_percent": item.chosen.treatment.accuracy_percent,
        "source_file": item.chosen.treatment.source_file,
        "minus_chosen_baseline": item.chosen.difference,
        "chosen_baseline": item.chosen.control.config,
        "minus_same_seed_baseline": item.same_seed.difference if item.same_seed else None,
        "baseline_spread": item.noise.spread if item.noise else None,
        "baseline_spread_borrowed": item.noise.borrowed if item.noise else None,
        "spreads": item.spreads,
        "p_value": item.p_value,
        "clip_interval": list(item.chosen.clip_interval),
        "test_clips": item.chosen.treatment.test_clips,
        "probe_epochs": [item.chosen.treatment.probe_epochs, item.chosen.control.probe_epochs],
        "equal_budgets": item.chosen.equal_budgets,
    }


def _ours(item: OurResult) -> Mapping[str, Any]:
    found = item.comparison
    return {
        **asdict(item.expectation),
        "answer": item.answer,
        "analogy": item.analogy,
        "reading": found.treatment.reading if found else None,
        "judged_on": found.endpoint.benchmark if found else None,
        "difference": asdict(found.difference) if found else None,
        "p_holm": found.p_holm if found else None,
    }
