"""Docstrings come apart into what the documentation shows."""

from __future__ import annotations

import inspect

import pytest

from experiments.docs.docstrings import parse
from experiments.docs.terms import term_facts
from vjepa.objectives import REGISTRY


def documented() -> None:
    """A sentence.

    With a = 1, 2.5 and b,
    L = a + |b|_2 * ``x``, over masks. Not this.

    Args:
        one: first,
            continued: with a colon.
        two, three: both.

    Raises:
        ValueError: never.

    Source: a paper; golden cases first, second_*, and third.npz. More words. Differs: in a detail
        that runs on.
    """


def bare() -> None:
    """Only a sentence."""


def test_parts() -> None:
    doc = parse(documented)
    assert doc.summary == "A sentence."
    assert doc.definition == "With a = 1, 2.5 and b,\nL = a + |b|_2 * ``x``, over masks. Not this."
    assert doc.equation == "L = a + |b|_2 * ``x``, over masks"
    assert doc.args == {"one": "first, continued: with a colon.", "two": "both.", "three": "both."}
    assert doc.source == "a paper; golden cases first, second_*, and third.npz. More words."
    assert doc.differs == "in a detail that runs on."
    assert doc.golden == ("first", "second_*", "third")


def test_a_docstring_may_have_no_parts() -> None:
    doc = parse(bare)
    assert (doc.summary, doc.definition, doc.args, doc.golden, doc.equation) == ("Only a sentence.", "", {}, (), "")


@pytest.mark.parametrize("name", REGISTRY)
def test_every_term_describes_its_options_and_defines_itself(name: str) -> None:
    facts = term_facts(name, REGISTRY[name])
    assert facts.doc.equation and facts.doc.source
    assert set(facts.doc.args) == set(inspect.signature(REGISTRY[name]).parameters)
    assert all(option.meaning for option in facts.options)


def test_needs_and_ranks_follow_options() -> None:
    facts = {
        name: term_facts(name, REGISTRY[name]) for name in ("kinematic", "latent_dynamics", "orthogonality", "sigreg")
    }
    assert facts["kinematic"].needs == "targets with a gradient (``target.kind: self``); any with ``tokens: context``"
    assert facts["latent_dynamics"].needs == "any; ``layout: factorized`` with ``inputs: dynamics``"
    assert facts["latent_dynamics"].across_ranks == "mean; per_rank beside ``hard_region``"
    assert facts["orthogonality"].needs == "``layout: factorized``"
    assert facts["sigreg"].across_ranks == "global"
    assert [option.name for option in facts["latent_dynamics"].switches] == ["hard_weighting"]
