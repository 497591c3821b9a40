"""The first paragraph: factorized against not factorized, in words, from the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.report.document import Block, Bullets, Paragraph
from experiments.report.endpoints import ACCURACY, PERFORMANCE, SELECTIVITY, comparison_of, of_family, title_of
from experiments.report.findings import Findings
from experiments.report.wording import listed, probe_name, signed
from experiments.statistics import FACTORIZED, Comparison
from experiments.statistics.types import count_seeds, format_p

NAMES = {
    PERFORMANCE: "accuracy under corruption (mPC)",
    SELECTIVITY: "the selectivity index of the halves (SSI)",
}


def answer_blocks(findings: Findings) -> list[Block]:
    """The answer for every reading, and how it was reached."""
    readings = [text for reading in findings.readings if (text := _of_reading(findings, reading))]
    if not readings:
        return [Paragraph(_without_pairs(findings), lead=True)]
    paragraphs: list[Block] = [Paragraph(text, lead=True) for text in readings]
    return [*paragraphs, Bullets(tuple(_notes(findings)))]


def _without_pairs(findings: Findings) -> str:
    """What can be said where factorized variants have nothing to be matched with."""
    text = (
        "This ablation cannot say what factorizing the latent does: no factorized variant stands beside the variant "
        "that differs from it in nothing else, with a seed in common."
    )
    if not findings.has_intervals:
        text = "One seed: no interval, and nothing is claimed about factorized against non-factorized latents."
    endpoints = [*of_family(findings, "primary"), *of_family(findings, "accuracy")]
    said = []
    for candidate in findings.candidates:
        found = [comparison_of(findings.analysis.comparisons, candidate.key, endpoint) for endpoint in endpoints]
        known = [comparison for comparison in found if comparison is not None]
        if candidate.is_factorized and known:
            name = findings.title_of(candidate.key)
            several = any(comparison.difference.low is not None for comparison in known)
            numbers = [(_accuracy if several else _seen)(findings, comparison) for comparison in known]
            seen = "" if several else "Seen, "
            said.append(f"{seen}{name} minus baseline, which differ in more than the factorization: {listed(numbers)}.")
    return " ".join([text, *said])


def pooled(findings: Findings, reading: str) -> list[Comparison]:
    """The mean over matched pairs of one reading, an entry an endpoint."""
    found = findings.analysis.factorization
    return [c for c in found if c.treatment.variant == FACTORIZED and c.treatment.reading == reading]


def pairs(findings: Findings, reading: str) -> list[str]:
    """The matched pairs of one reading, in words."""
    found = findings.analysis.factorization
    single = [c for c in found if c.treatment.variant != FACTORIZED and c.treatment.reading == reading]
    return list(dict.fromkeys(f"{c.treatment.variant} \u2212 {c.control.variant}" for c in single))


def _of_reading(findings: Findings, reading: str) -> str:
    found = [c for c in pooled(findings, reading) if c.endpoint.family != "descriptive"]
    if not found:
        return ""
    primary = [c for c in found if c.endpoint.family == "primary"]
    accuracies = [c for c in found if c.endpoint.name == ACCURACY]
    where = f"{reading.replace('_', ' ').capitalize()}: " if len(findings.readings) > 1 else ""
    if all(c.difference.low is None for c in found):
        seen = "; ".join(_seen(findings, c) for c in found)
        return (
            f"{where}one seed: no interval, and nothing is claimed about factorized against non-factorized latents. "
            f"Seen, factorized minus not factorized: {seen}."
        )
    sentences = [_conclusion(primary or accuracies)]
    if primary:
        numbers = "; ".join(_primary(findings, comparison) for comparison in primary)
        sentences.append(f"Factorized minus not factorized, {_sample(findings, reading, primary)}: {numbers}.")
    if accuracies:
        sentences.append(f"Clean accuracy: {listed([_accuracy(findings, c) for c in accuracies])}.")
    text = " ".join(sentences)
    return f"{where}{text[0].lower()}{text[1:]}" if where else text


def _sample(findings: Findings, reading: str, comparisons: Sequence[Comparison]) -> str:
    """Pairs, seeds and clips behind the numbers."""
    count = len(pairs(findings, reading))
    seeds = " or ".join(dict.fromkeys(count_seeds(c.difference.num_seeds) for c in comparisons))
    clips = " or ".join(dict.fromkeys(f"{c.difference.num_clips:,}" for c in comparisons))
    return f"{count} matched pair{'s' if count > 1 else ''}, n = {seeds} x {clips} clips"


def _conclusion(comparisons: Sequence[Comparison]) -> str:
    """One plain sentence by the verdicts alone."""
    parts = []
    for comparison in comparisons:
        name = NAMES.get(comparison.endpoint.name, comparison.endpoint.benchmark.rpartition("/")[2])
        name = name.partition(" (")[0]
        if comparison.difference.low is None:
            parts.append(f"nothing can be said about {name}")
        elif not comparison.significant:
            parts.append(f"no effect on {name} is shown")
        else:
            parts.append(f"{'raises' if comparison.difference.mean > 0 else 'lowers'} {name}")
    effects = [part for part in parts if part.startswith(("raises", "lowers"))]
    others = [part for part in parts if part not in effects]
    said = f"Factorizing the latent {listed(effects)}" if effects else "For factorizing the latent"
    if not others:
        return f"{said}."
    return f"{said}; {listed(others)}." if effects else f"{said}, {listed(others)}."


def _primary(findings: Findings, comparison: Comparison) -> str:
    found = comparison.difference
    remarks = []
    if comparison.p_holm is not None:
        remarks += [] if comparison.significant else ["not significant"]
        remarks.append(f"Holm-corrected {format_p(comparison.p_holm)}")
    text = f"{title_of(findings, comparison.endpoint)} {_number(comparison)}"
    text += f" ({', '.join(remarks)})" if remarks else ""
    if not comparison.significant and found.mdd is not None:
        least = f"{signed(found.mdd, found.unit)[1:]} {found.unit}"
        text += f", where a true difference below {least} would mostly be missed"
    return text


def _accuracy(findings: Findings, comparison: Comparison) -> str:
    task = title_of(findings, comparison.endpoint)
    if comparison.difference.low is None:
        return f"{task} with one seed, no claim"
    outcome = "not significant"
    if comparison.significant:
        outcome = "higher" if comparison.difference.mean > 0 else "lower"
    return f"{task} {_number(comparison)} ({outcome})"


def _number(comparison: Comparison) -> str:
    found = comparison.difference
    text = f"{signed(found.mean, found.unit)} {found.unit}"
    if found.low is None or found.high is None:
        return f"{text} (n = 1, no interval)"
    return f"{text} [{signed(found.low, found.unit)}, {signed(found.high, found.unit)}]"


def _seen(findings: Findings, comparison: Comparison) -> str:
    found = comparison.difference
    return f"{title_of(findings, comparison.endpoint)} {signed(found.mean, found.unit)} {found.unit}"


def _notes(findings: Findings) -> list[str]:
    by_reading = {reading: pairs(findings, reading) for reading in findings.readings}
    matched = [f"{reading.replace('_', ' ')}: {listed(names)}" for reading, names in by_reading.items() if names]
    notes = [
        "Each number is the mean of the differences between variants that differ in nothing but the factorization, "
        f"paired by seed and by clip, in brackets its 95 % interval for new seeds and new clips. Pairs, "
        f"{'; '.join(matched)}."
    ]
    if of_family(findings, "primary"):
        notes.append(
            f"mPC is the accuracy of the {probe_name(findings.primary_probe)} averaged over the corruptions of the "
            f"profile {findings.profile}. SSI is positive where z_app follows spatial and z_dyn temporal corruption; "
            "a division that specialises is not by itself of use."
        )
    return notes
