"""docs/claims.md: the verdicts, the rules, and a section a claim."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from textwrap import wrap as wrap_text

from scipy import stats

from experiments.claims.check import CheckedClaim
from experiments.claims.defects import DEFECTS, Defect
from experiments.claims.figures import CHOSEN_SEED, MAIN_BENCHMARKS, VARIANT_SEED, Change, seed_noise
from experiments.claims.ours import ANALOGUES
from experiments.claims.section import claim_section, defect_link, heading
from experiments.claims.summary import deciding, our_answers
from experiments.claims.verdict import CLAIM_RULE, RULES, SPREADS, STRICT_SPREADS, Verdict
from experiments.claims.wording import title
from experiments.docs.page import markdown_table
from experiments.published import results
from experiments.report.wording import listed

_HEAD = """\
<!-- Written by `vjepa claims --format markdown --out docs/claims.md`. Edit experiments/claims, not this page. -->

# The study's claims, checked

Twelve claims of the study (arXiv 2605.17165), in our words. Each is checked against the numbers that the study itself
published ([{num_results} results]({docs}../experiments/published/results.csv)), against the defects that touch these
numbers ([defects.md]({docs}defects.md)), and against runs of ours where there are any (`vjepa claims FOLDER`). A
verdict is about the published evidence, not about the method: a claim that fails here may still be true. Every figure
on this page is computed from the data.

## Verdicts

Of {num_claims} claims, {counted}. Differences are in points of top-1 accuracy, and to the baseline that the study chose
where no other is named.

{table}

## How a verdict is found

A claim is one or more statements. A statement gets the first verdict that fits:

{rules}

{claim_rule}

Other defects are listed with the claims they touch, but decide nothing: what they did to a number cannot be computed.
Defects {everywhere} touch every figure. All of this assumes that the released code made the published numbers.

"""
_NOISE = """\
### Noise of seeds and of clips

Every variant ran once, with seed {own}. In the mixed regime two seeds of the baseline have results; the study compares
with seed {chosen}, the better one. A third has a configuration and no results. In the UCF-101 regime there is one
baseline, of the variants' seed, and the spread is borrowed from the mixed regime.

{table}

**This is weak.** A spread is one difference between two runs. If a variant were nothing but another seed of the
baseline, two runs would differ by more than {spreads:g} spread with a probability of {luck}, and by more than
{strict:g} with {strict_luck} (t with one degree of freedom). So *holds* means that a statement is true of the published
numbers, against both baselines, by more than these two differ. It does not mean significant: the smallest p-value of
all differences on this page is {smallest:.2f} ({variant} on {benchmark}). The column *p* is the chance of a run as far
from the mean of the two baselines if it were another seed of them; where the spread is borrowed, as far from the one
baseline. The verdict with a band of {strict:g} spreads stands beside the first.

Intervals for other test clips (Newcombe's, 95 %) treat the two accuracies as independent, because no prediction is
published; the clips are the same, so they are too wide as a rule. They know nothing of seeds.

"""
_OURS = """\
### Our runs

An ablation of ours is compared by its accuracy family: each variant minus the same-seed baseline of its reading, over
paired seeds and clips, corrected after Holm. Where it was judged on a benchmark of the study, that is shown. On moving
glyphs a task stands in: {mapped}. **That is an analogy**: it asks a similar question of other data and a smaller model,
and can neither confirm nor refute a claim. Our runs never change a verdict. {source}

"""
_wrap = partial(wrap_text, width=120, break_long_words=False, break_on_hyphens=False)
_PLURAL = {
    Verdict.HOLDS: "hold",
    Verdict.ONLY_CHOSEN: "hold only against the chosen baseline",
    Verdict.SEED_NOISE: "are within seed noise",
    Verdict.SOMETHING_ELSE: "measure something else",
    Verdict.DOES_NOT_HOLD: "do not hold",
    Verdict.CANNOT_BE_CHECKED: "cannot be checked",
}
_SINGULAR = {Verdict.SEED_NOISE: "is within seed noise"}


def to_markdown(
    checked: Sequence[CheckedClaim], notes: Sequence[str] = (), source: str | None = None, docs: str = ""
) -> str:
    """The page.

    Args:
        checked: claims.
        notes: of the statistics of our runs.
        source: folder of our runs; None if there are none.
        docs: folder of the documentation as seen from the page, empty or with a slash at its end.
    """
    defects = f"{docs}defects.md"
    parts = [_head(checked, docs, defects), _noise(checked), _ours(notes, source)]
    parts += [claim_section(item, defects) for item in checked]
    return "\n\n".join(map(_wrapped, "".join(parts).strip("\n").split("\n\n"))) + "\n"


def _head(checked: Sequence[CheckedClaim], docs: str, defects: str) -> str:
    counts = [(verdict, sum(item.verdict is verdict for item in checked)) for verdict in Verdict]
    rule = CLAIM_RULE
    for item in DEFECTS:
        rule = rule.replace(f"defect {item.number} ", f"defect {defect_link(item.number, defects)} ")
    return _HEAD.format(
        num_results=len(results()),
        docs=docs,
        num_claims=len(checked),
        counted=listed(f"{n} {_SINGULAR.get(v, v) if n == 1 else _PLURAL[v]}" for v, n in counts if n),
        table=_summary(checked).rstrip("\n"),
        rules="\n".join(f"{at}. **{verdict}**: {text}." for at, (verdict, text) in enumerate(RULES, start=1)),
        claim_rule=rule,
        everywhere=listed(defect_link(item.number, defects) for item in DEFECTS if item.touches_all),
    )


def _summary(checked: Sequence[CheckedClaim]) -> str:
    rows = [
        (
            f"[{item.claim.number}](#{_anchor(item)})",
            item.claim.text,
            f"**{item.verdict}**",
            deciding(item),
            "the same" if item.strict is item.verdict else item.strict,
            our_answers(item),
        )
        for item in checked
    ]
    return markdown_table(("", "claim", "verdict", "what decides", "with a band twice as wide", "our runs"), rows)


def _noise(checked: Sequence[CheckedClaim]) -> str:
    changes = [change for item in checked for statement in item.statements for change in statement.outcome.changes]
    smallest, item = min(((p, item) for item in changes if (p := item.p_value) is not None), key=lambda one: one[0])
    header = (
        "benchmark",
        f"baseline, seed {VARIANT_SEED}",
        f"baseline, seed {CHOSEN_SEED['mixed']}",
        "spread",
        "sd over seeds, 95 %",
        "a third run, 95 %",
    )
    return _NOISE.format(
        own=VARIANT_SEED,
        chosen=CHOSEN_SEED["mixed"],
        table=markdown_table(header, [_noise_row(benchmark, changes) for benchmark in MAIN_BENCHMARKS]).rstrip("\n"),
        spreads=SPREADS,
        strict=STRICT_SPREADS,
        luck=_by_luck(SPREADS),
        strict_luck=_by_luck(STRICT_SPREADS),
        smallest=smallest,
        variant=f"`{item.variant}`",
        benchmark=title(item.benchmark),
    )


def _noise_row(benchmark: str, changes: Sequence[Change]) -> tuple[str, ...]:
    noise = seed_noise("mixed", benchmark)
    if noise is None:
        chosen = {item.chosen.control for item in changes if item.benchmark == benchmark and item.regime == "mixed"}
        return (title(benchmark), "-", *(f"{item.accuracy_percent:.2f}" for item in chosen), "unknown", "-", "-")
    values = {item.pretraining_seed: f"{item.accuracy_percent:.2f}" for item in noise.results}
    low, high = noise.sd_interval
    return (
        title(benchmark),
        values[VARIANT_SEED],
        values[CHOSEN_SEED["mixed"]],
        f"{noise.spread:.2f}",
        f"{low:.1f} to {high:.0f}",
        f"± {noise.half_width:.0f}",
    )


def _by_luck(spreads: float) -> str:
    return f"{200 * float(stats.t.sf(spreads, 1)):.0f} %"


def _ours(notes: Sequence[str], source: str | None) -> str:
    mapped = "; ".join(
        f"{task.split('/')[1]} for {listed(title(name) for name, other in ANALOGUES.items() if other == task)}"
        for task in dict.fromkeys(ANALOGUES.values())
    )
    text = _OURS.format(mapped=mapped, source="No runs were given." if source is None else f"Runs: `{source}`.")
    return text + "".join(f"- {note}\n" for note in notes) + ("\n" if notes else "")


def _wrapped(block: str) -> str:
    """A paragraph in lines; tables, lists and headings stay as they are."""
    return block if block.startswith(("|", "- ", "#", "<!--", "1. ")) else "\n".join(_wrap(block))


def _anchor(checked: CheckedClaim) -> str:
    number, _, text = heading(checked).partition(". ")
    return Defect(int(number), text, 1, "").anchor
