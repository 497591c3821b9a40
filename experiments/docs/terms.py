"""What the code knows of a term: needs, behaviour across ranks, options."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from experiments.docs.docstrings import Docstring, parse
from vjepa.layout import NUM_LEVELS, Layout
from vjepa.objectives import ModelFacts, Objective
from vjepa.objectives.base import ANY_LAYOUT, FACTORIZED
from vjepa.reading import SWITCHES, Reading, Switch

WIDTH = 8
READINGS: tuple[Reading, ...] = get_args(Reading)


@dataclass(frozen=True)
class Option:
    """One argument in YAML.

    Args:
        name: of the key.
        default: the value if it is not set.
        meaning: its description.
        switch: the row of the table of readings, where it has one.
    """

    name: str
    default: Any
    meaning: str
    switch: Switch | None


@dataclass(frozen=True)
class TermFacts:
    """One objective.

    Args:
        name: in YAML.
        cls: its class.
        doc: its docstring in parts.
        weight: default.
        needs: slots that it needs by default, in words, and with which option that changes.
        across_ranks: ``mean``, ``per_rank`` or ``global``, and when it changes.
        options: beside the weight.
    """

    name: str
    cls: type[Objective]
    doc: Docstring
    weight: float
    needs: str
    across_ranks: str
    options: tuple[Option, ...]

    @property
    def switches(self) -> tuple[Option, ...]:
        """The options that the readings or their options decide."""
        return tuple(option for option in self.options if option.switch is not None)


def term_facts(name: str, cls: type[Objective]) -> TermFacts:
    """Look at a class, at its default instance, and at instances with one option changed."""
    options = options_of(cls, f"model.objectives.{name}")
    return TermFacts(
        name, cls, parse(cls), cls().weight, _needs(cls), _across_ranks(cls),
        tuple(option for option in options if option.name != "weight"),
    )  # fmt: skip


def options_of(documented: type, owner: str) -> tuple[Option, ...]:
    """The arguments of a class with their descriptions and switches.

    Args:
        documented: a class whose docstring describes its arguments.
        owner: its place in YAML, as ``SWITCHES`` names owners.
    """
    switches = {key.split(".")[-1]: switch for key, switch in SWITCHES.items() if switch.owner == owner}
    described = parse(documented).args
    parameters = inspect.signature(documented).parameters.items()
    return tuple(
        Option(name, parameter.default, described.get(name, ""), switches.get(name)) for name, parameter in parameters
    )


def _needs(cls: type[Objective]) -> str:
    usual = _slots(cls())
    changed = [
        f"{_slots(term)} with ``{option}: {value}``"
        for option, value, term in _variations(cls)
        if _slots(term) != usual
    ]
    return "; ".join([usual, *changed])


def _slots(term: Objective) -> str:
    words = []
    if term.layouts == FACTORIZED:
        words.append("``layout: factorized``")
    elif term.layouts != ANY_LAYOUT:
        words.append(f"layout {' or '.join(sorted(term.layouts))}")
    if term.needs_target_gradient:
        words.append("targets with a gradient (``target.kind: self``)")
    return " and ".join(words) or "any"


def _variations(cls: type[Objective]) -> Iterator[tuple[str, str, Objective]]:
    """Each option that is a choice, with each of its values."""
    for name, hint in get_type_hints(cls.__init__).items():
        for choice in (hint, *get_args(hint)):
            if get_origin(choice) is Literal:
                for value in get_args(choice):
                    yield name, value, cls(**{name: value})


def _across_ranks(cls: type[Objective]) -> str:
    usual = _built(cls, None).across_ranks
    beside = _built(cls, 1.0).across_ranks
    return usual if beside == usual else f"{usual}; {beside} beside ``hard_region``"


def _built(cls: type[Objective], hard_region_temperature: float | None) -> Objective:
    term = cls()
    layout = Layout("within_level", WIDTH, 0.5)
    term.build(ModelFacts(NUM_LEVELS * WIDTH, layout, READINGS[0], hard_region_temperature, True))
    return term
