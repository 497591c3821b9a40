"""Runs LightningCLI in this process: quiet where Lightning is chatty, one message where the parser has a tree."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from experiments.stop_signals import STOP_SIGNALS
from vjepa.errors import UserError
from vjepa.storage import NO_ROOM, storage_error


def run_lightning(verb: str, options: Sequence[str]) -> int:
    """Run ``fit``, ``validate`` or ``test``.

    Args:
        verb: one of them.
        options: the rest of the command line.

    Returns:
        0.

    Raises:
        UserError: the parser rejects the options (nothing has been written), the machine lacks what they ask for, or
            the run folder cannot be written.
    """
    _quiet()
    threading.excepthook = _thread_failed
    from lightning.pytorch.utilities.exceptions import MisconfigurationException

    from experiments.training.lightning_cli import JEPACLI

    # Lightning starts the other ranks of a multi-process run with this very command line.
    sys.argv = [sys.argv[0], verb, *options]
    try:
        with stop_signals_interrupt():
            JEPACLI()
    except MisconfigurationException as error:
        raise UserError(str(error)) from error
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise storage_error(Path(error.filename or "the run folder"), error) from error
    return 0


@contextmanager
def stop_signals_interrupt() -> Iterator[None]:
    """Take a request to stop for Ctrl-C while nothing is trained yet, so that it ends with its exit code too."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        wanted = [signum for signum in STOP_SIGNALS if signal.getsignal(signum) == signal.SIG_DFL]
        before = {signum: signal.signal(signum, interrupt) for signum in wanted}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    """Say nothing where an event file cannot grow: the main thread meets the same, and says it once."""
    if not (isinstance(failure.exc_value, OSError) and failure.exc_value.errno in NO_ROOM):
        threading.__excepthook__(failure)


def _quiet() -> None:
    """Silence messages that tell a user of this project nothing."""
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    warnings.filterwarnings("ignore", message=".*that has no `__len__`.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory.*exists and is not empty.*")
    warnings.filterwarnings("ignore", message=".*`Trainer.fit` stopped.*")
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(
        lambda record: (
            not record.getMessage().lstrip().startswith(("💡", "GPU available", "TPU available", "`weights_only`"))
        )
    )
