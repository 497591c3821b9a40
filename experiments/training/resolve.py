"""What ``vjepa fit`` would train with some options: its resolved configuration and its run, with nothing made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.runs import Run
from experiments.training.lightning_cli import JEPACLI


class _Resolver(JEPACLI):
    """Parses and plans, and instantiates nothing."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """``fit`` alone: the parser of each subcommand takes a while to build."""
        return {"fit": JEPACLI.subcommands()["fit"]}

    def instantiate_classes(self) -> None:
        """Leave everything unmade."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Run nothing."""

    def _set_seed(self) -> None:
        """Leave the random state alone."""


def _resolve(options: Sequence[str]) -> _Resolver:
    return _Resolver(["fit", *options])


def resolve_run(options: Sequence[str]) -> Run:
    """The run that ``vjepa fit`` with these options would train.

    Raises:
        UserError: the parser rejects the options.
    """
    record = _resolve(options).record
    assert record is not None
    return record


def resolve_settings(options: Sequence[str]) -> dict[str, Any]:
    """The resolved configuration of ``vjepa fit`` with these options, as plain data.

    Raises:
        UserError: the parser rejects the options.
    """
    return _resolve(options).settings()
