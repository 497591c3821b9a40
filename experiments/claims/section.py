"""The section of docs/claims.md about one claim."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.claims.check import CheckedClaim
from experiments.claims.defects import DEFECTS
from experiments.claims.figures import VARIANT_SEED, Change
from experiments.claims.ours import OurResult
from experiments.claims.summary import deciding
from experiments.claims.verdict import STRICT_SPREADS
from experiments.claims.wording import count, interval, signed, title
from experiments.docs.page import markdown_table
from experiments.statistics.types import format_p


def claim_section(checked: CheckedClaim, defects: str) -> str:
    """The section of one claim.

    Args:
        checked: the claim.
        defects: link to docs/defects.md.
    """
    parts = [f"## {heading(checked)}\n\n**Verdict: {checked.verdict}.** {_sentence(deciding(checked))}\n\n"]
    if checked.strict is not checked.verdict:
        parts.append(f"With a band of {STRICT_SPREADS:g} spreads: {checked.strict}.\n\n")
    rows = [(item.statement.text, item.verdict.value, item.outcome.says) for item in checked.statements]
    parts.append(markdown_table(("states", "verdict", "found"), rows))
    changes = [change for item in checked.statements for change in item.outcome.changes]
    if changes:
        parts.append(markdown_table(_HEADER, map(_row, changes)))
    parts += [f"- {text}\n" for text in checked.contexts]
    parts.append("\n" if checked.contexts else "")
    parts.append(_defects(checked, defects))
    parts.append(_our_results(checked.ours))
    return "".join(parts)


_HEADER = (
    "variant", "benchmark", "published", "minus the chosen baseline", f"minus the baseline of seed {VARIANT_SEED}",
    "spreads", "p", "other clips, 95 %", "probe epochs",
)  # fmt: skip


def _row(item: Change) -> tuple[str, ...]:
    same = item.same_seed
    own, other = item.chosen.treatment.probe_epochs, item.chosen.control.probe_epochs
    epochs = "not given" if own is None else f"{own}" if own == other else f"{own}, baseline {other}"
    return (
        f"`{item.variant}`",
        title(item.benchmark),
        f"{item.chosen.treatment.accuracy_percent:.2f}",
        f"{signed(item.chosen.difference)} (seed {item.chosen.control.pretraining_seed})",
        "not published" if same is None else "the same" if same == item.chosen else signed(same.difference),
        "-"
        if item.spreads is None
        else f"{item.spreads:.2f}{' (borrowed)' if item.noise and item.noise.borrowed else ''}",
        "-" if item.p_value is None else f"{item.p_value:.2f}",
        interval(item.chosen.clip_interval),
        epochs,
    )


def _defects(checked: CheckedClaim, defects: str) -> str:
    if not checked.defects:
        return "**Defects:** none touches it in particular.\n\n"
    stars = {3: "★★★", 2: "★★", 1: "★"}
    lines = []
    for item in sorted(checked.defects, key=lambda item: (-item.stars, item.number)):
        names = item.names(checked.claim.subjects)
        whom = f" (`{'`, `'.join(names)}`)" if names and len(names) < len(checked.claim.subjects) else ""
        lines.append(f"- {stars[item.stars]} {defect_link(item.number, defects)} {item.title}{whom}: {item.text}.\n")
    return f"**Defects that touch it:**\n\n{''.join(lines)}\n"


def _our_results(ours: Sequence[OurResult]) -> str:
    if not ours:
        return "**Our runs:** no comparison of ours speaks of it.\n\n"
    if all(item.comparison is None for item in ours):
        names = dict.fromkeys(item.expectation.variant for item in ours)
        return f"**Our runs:** not run ({count(len(names), 'variant')}).\n\n"
    rows = []
    for item in ours:
        found, wanted = item.comparison, item.expectation
        if found is None:
            rows.append((f"`{wanted.variant}`", "-", title(wanted.benchmark), "-", "-", "-", "-", item.answer.value))
            continue
        where = f"{found.endpoint.benchmark}{f', for {title(wanted.benchmark)}' if item.analogy else ''}"
        rows.append(
            (
                f"`{wanted.variant}`",
                found.treatment.reading.replace("_", " "),
                where,
                found.difference.signed(found.difference.mean),
                found.difference.interval,
                "-" if found.p_holm is None else format_p(found.p_holm),
                found.difference.sample,
                item.answer.value,
            )
        )
    header = ("variant", "reading", "judged on", "minus baseline", "95 %", "Holm", "sample", "answer")
    return f"**Our runs:**\n\n{markdown_table(header, rows)}"


def heading(checked: CheckedClaim) -> str:
    """Number and claim."""
    return f"{checked.claim.number}. {checked.claim.text}"


def defect_link(number: int, defects: str) -> str:
    """The number of a defect, linked to its section in ``defects``."""
    item = next(item for item in DEFECTS if item.number == number)
    return f"[{number}]({defects}#{item.anchor})"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
