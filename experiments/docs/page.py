"""docs/objectives.md: every term and slot, with equation, needs, readings, source and golden cases."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.docs.docstrings import parse
from experiments.docs.terms import Option, TermFacts, options_of, term_facts
from vjepa.masking import BlockMask, FuturePrediction, MotionGuidance, MultiBlockMasker
from vjepa.module import PredictorOptions, VideoJEPA
from vjepa.objectives import REGISTRY
from vjepa.targets import TargetOptions

SLOTS: Mapping[str, type] = {
    "model.masker": MultiBlockMasker,
    "model.masker.masks": BlockMask,
    "model.masker.motion": MotionGuidance,
    "model.masker.future": FuturePrediction,
    "model.target": TargetOptions,
    "model.predictor": PredictorOptions,
}
MODEL_SLOTS = (
    *(
        "layout",
        "app_ratio",
        "rope",
        "image_mode",
        "image_frames",
        "loss_exponent",
        "reading",
        "init_from",
        "init_allow",
    ),
)

HEAD = """\
<!-- Written from the code by `vjepa docs objectives --write`. Edit docstrings, not this page. -->

# Objectives and slots

A training step encodes the context of each mask, encodes the whole clip with the target, predicts, and sums **terms**,
each under its weight. What changes *what is computed* is a **slot**, exactly one choice each. This page is written from
the code; [adding-an-objective.md](adding-an-objective.md) shows how to add a term to it.

Symbols: z a context token of the online encoder (D channels), h a target token, z_pred and z_ctx what the predictor
makes of hidden and of visible places, sg stop-gradient, t the time step of a token, m one of M masks. A *valid pair* is
a context token whose successor in time is context too. z_app and z_dyn are the two parts of a factorized z.

## Terms

`model.objectives.<name>`. Without an entry a term is off, and `null` takes it out again. Golden cases are the study's
own numbers, `tests/golden/loss_<case>.npz` or `<case>.npz`, which the tests hold the term to.

"""

RANKS = """\
**Across ranks**, with masks of equal size on every rank: *mean*: the average over ranks is the value of one process
with all samples. *per\\_rank*: the term pools statistics over the samples of one process, as in the study, so its value
depends on the micro-batch. *global*: statistics are gathered over all ranks, so the number of processes is irrelevant.

"""

SLOT_HEAD = """\
## Slots

Where the readings part, an option that is not set takes the value of the run's `reading`; set, it overrides the reading
for that option alone. Numbers link to [defects.md](defects.md).

"""


def objectives_page(defects: str) -> str:
    """The page.

    Args:
        defects: text of docs/defects.md, whose headings are linked to.
    """
    links = defect_links(defects)
    terms = [term_facts(name, cls) for name, cls in REGISTRY.items()]
    parts = [HEAD, _terms_table(terms, links), RANKS, SLOT_HEAD]
    chosen = [option for option in options_of(VideoJEPA, "model") if option.name in MODEL_SLOTS]
    parts.append(
        _slot(
            "model",
            "Layout, rotary positions, images, reading, and weights to start from ([weights.md](weights.md)).",
            chosen,
            links,
        )
    )
    for path, cls in SLOTS.items():
        parts.append(_slot(path, markdown_text(parse(cls).summary), options_of(cls, path), links))
    parts.append("## Each term\n\n")
    parts += [_term(term, links) for term in terms]
    return "".join(parts).rstrip("\n") + "\n"


def defect_links(defects: str) -> dict[int, str]:
    """For each numbered heading, the link to it as GitHub makes it."""
    found = {}
    for number, title in re.findall(r"^## (\d+)\. (.+)$", defects, flags=re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", f"{number}. {title}".lower()).replace(" ", "-")
        found[int(number)] = f"[{number}](defects.md#{anchor})"
    return found


def _terms_table(terms: Sequence[TermFacts], links: Mapping[int, str]) -> str:
    header = (
        "name", "class", "equation", "needs", "weight", "options", "as described / as released", "across ranks",
        "source", "golden",
    )  # fmt: skip
    rows = [
        (
            f"[`{term.name}`](#{term.name})",
            f"`{term.cls.__name__}`",
            markdown_text(term.doc.equation),
            markdown_text(term.needs),
            _value(term.weight),
            ", ".join(f"`{option.name}`" for option in term.options),
            "; ".join(f"`{option.name}`: {_readings(option, links)}" for option in term.switches),
            markdown_text(term.across_ranks),
            markdown_text(_first_clause(term.doc.source)),
            ", ".join(f"`{case}`" for case in term.doc.golden),
        )
        for term in terms
    ]
    return markdown_table(header, rows)


def _slot(path: str, summary: str, options: Iterable[Option], links: Mapping[int, str]) -> str:
    return f"### {path}\n\n{summary}\n\n{_options_table(options, links)}"


def _term(term: TermFacts, links: Mapping[int, str]) -> str:
    lines = [f"### {term.name}\n\n`{term.cls.__name__}` in `{_file(term.cls)}`. {markdown_text(term.doc.summary)}\n\n"]
    if term.doc.definition:
        lines.append(f"```text\n{term.doc.definition.replace('``', '')}\n```\n\n")
    for title, text in (("Source", term.doc.source), ("Differs", term.doc.differs)):
        if text:
            lines.append(f"**{title}:** {markdown_text(text)}\n\n")
    if term.options:
        lines.append(_options_table(term.options, links))
    return "".join(lines)


def _options_table(options: Iterable[Option], links: Mapping[int, str]) -> str:
    header = ("option", "default", "meaning", "as described / as released")
    rows = [
        (
            f"`{option.name}`",
            "by the reading" if option.default is None and option.switch else _value(option.default),
            markdown_text(option.meaning),
            _readings(option, links) if option.switch else "",
        )
        for option in options
    ]
    return markdown_table(header, rows)


def _readings(option: Option, links: Mapping[int, str]) -> str:
    assert option.switch is not None
    switch = option.switch
    values = f"{_value(switch.as_described)} / {_value(switch.as_released)}"
    chosen = values if switch.differs else f"{_value(switch.as_described)} in both"
    others = f" (also {', '.join(_value(value) for value in switch.options)})" if switch.options else ""
    return f"{chosen}{others}, {links[switch.defect]}"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines) + "\n"


def _value(value: Any) -> str:
    """A default as YAML has it."""
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{list(value)}`" if isinstance(value, tuple) else f"`{value}`"


def markdown_text(text: str) -> str:
    """Docstring text as Markdown that shows every character as it is, also in a cell."""
    parts = re.split(r"``(.+?)``", text)
    parts[0::2] = [re.sub(r"([\\*_|<\[\]])", r"\\\1", part) for part in parts[0::2]]
    parts[1::2] = [f"`{part.replace('|', chr(92) + '|')}`" for part in parts[1::2]]
    return "".join(parts)


def _first_clause(source: str) -> str:
    return re.split(r"; golden|, golden|\. ", source)[0].rstrip(".")


def _file(cls: type) -> str:
    return f"{inspect.getmodule(cls).__name__.replace('.', '/')}.py"  # type: ignore[union-attr]
