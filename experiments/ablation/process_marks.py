"""What a cell leaves behind: the marks of its run and evaluations, which are checked, and its own, written last."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from experiments.ablation.cells import Cell
from experiments.ablation.process_pulse import read_pulse
from experiments.ablation.process_ticket import TICKET
from vjepa.storage import atomic_write_text, digest_file, read_record

_EVALUATED, _RESULTS = "EVALUATED.json", "results.jsonl"


def missing_result(cell: Cell, evaluations: Sequence[Path]) -> str | None:
    """What the run and its evaluations lack to be finished, in words; None if nothing.

    Args:
        cell: whose run is checked.
        evaluations: folders of evaluations that must be whole.
    """
    if not cell.run.is_done:
        return f"no valid DONE.json in {cell.run.folder}"
    for folder in evaluations:
        mark = read_record(folder / _EVALUATED) or {}
        if _RESULTS not in mark:
            return f"no valid {_EVALUATED} in {folder}"
        # The mark holds the digest of each file that it vouches for.
        for name in sorted(mark.keys() - {"key"}):
            path = folder / name
            if not path.is_file() or digest_file(path) != mark[name]:
                return f"{path} is not what {_EVALUATED} vouches for"
    return None


def write_done(cell: Cell, seconds: Mapping[str, float], peak_rss_bytes: int, evaluations: Sequence[Path]) -> None:
    """Mark a cell finished.

    Args:
        cell: whose run and evaluations have been checked.
        seconds: by stage; a training run that an earlier cell has made costs what it cost there.
        peak_rss_bytes: most memory of one process.
        evaluations: folders of its evaluations.

    Raises:
        UserError: the mark cannot be written.
    """
    environment = read_record(cell.run.environment) or {}
    fit = seconds.get("fit", _fit_seconds_of_another(cell))
    said = {
        "hash": cell.hash,
        "config_hash": cell.run.config_hash,
        "git_revision": _revision_of_results(evaluations) or environment.get("git_revision", "unknown"),
        "seconds": {"fit": round(fit, 1), "evaluation": round(seconds.get("evaluation", 0.0), 1)},
        "machine": environment.get("machine", "unknown"),
        "peak_rss_bytes": peak_rss_bytes,
        "date": _now(),
    }
    cell.failed_mark.unlink(missing_ok=True)
    atomic_write_text(cell.done_mark, json.dumps(said, indent=2) + "\n")


def write_failed(cell: Cell, reason: str) -> None:
    """Say why a cell failed.

    Raises:
        UserError: the mark cannot be written.
    """
    said = {"reason": reason, "hash": cell.hash, "log": str(cell.log), "date": _now()}
    atomic_write_text(cell.failed_mark, json.dumps(said, indent=2) + "\n")


def _fit_seconds_of_another(cell: Cell) -> float:
    """Time that another cell of the same run, evaluated otherwise, spent on training it."""
    for path in cell.folder.parent.glob(f"*/{TICKET}"):
        pulse = read_pulse(path.with_name(cell.heartbeat.name))
        if pulse is not None and (read_record(path) or {}).get("config_hash") == cell.run.config_hash:
            return pulse.seconds.get("fit", 0.0)
    return 0.0


def _revision_of_results(evaluations: Sequence[Path]) -> str | None:
    """Revision of the code in the newest row of the first evaluation."""
    for folder in evaluations:
        with open(folder / _RESULTS) as file:
            return str(json.loads(file.readline()).get("git_revision", "")) or None
    return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
