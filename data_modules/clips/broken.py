"""Keeps the list of broken files, and says when there are too many of them to go on."""

from __future__ import annotations

import csv
import errno
import fcntl
import io
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from data_modules.decode.frames import BrokenVideo
from vjepa.errors import UserError
from vjepa.storage import atomic_write_text, storage_error

Outcome = Literal["replaced", "used", "left out"]

BROKEN_FILE = "broken.csv"

_log = logging.getLogger(__name__)
_NAMED_IN_LOG = 10
_NAMED_IN_ERROR = 3
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}
_MIN_DRAWN = 1000
_BATCHES_BETWEEN_SUMS = 16


class BrokenFile(NamedTuple):
    """One line of the list.

    Args:
        id: stable name of the file, in a mixture ``part/id``.
        file: its path.
        reason: what is wrong with it, as the end of a sentence.
        split: train, val or test.
        outcome: training ``replaced`` it, or ``used`` what is left of it; evaluation has ``left out`` it.
    """

    id: str
    file: str
    reason: str
    split: str
    outcome: Outcome


class BrokenLog:
    """Broken files of a data set, each listed once in a CSV file that all processes share.

    A copy in a loader process keeps no file: it remembers what is new, and the loader hands that to the log of the
    process that asked for the data. A mixture and its parts share one log.

    Args:
        path: of the CSV file, or None to keep no file.
        split: of the data set.
    """

    def __init__(self, path: Path | None = None, split: str = "train") -> None:
        self.path = path
        self.split = split
        self.found: dict[str, BrokenFile] = {}
        self.num_met = 0
        """How often a broken file was met, every time counted."""
        self._new: list[BrokenFile] = []
        self._is_copy = False

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"path": None, "_new": [], "_is_copy": True}

    def __contains__(self, video_id: str) -> bool:
        return video_id in self.found

    def __len__(self) -> int:
        return len(self.found)

    def is_left_out(self, video_id: str) -> bool:
        """Whether evaluation does without this file."""
        return video_id in self.found and self.found[video_id].outcome == "left out"

    def error(self, video_id: str) -> BrokenVideo:
        """Return the error that a listed file raised."""
        found = self.found[video_id]
        return BrokenVideo(found.file, found.reason)

    def add(self, video_id: str, error: BrokenVideo, outcome: Outcome = "replaced") -> None:
        """Note that a broken file was met; it is listed the first time.

        Args:
            video_id: stable name of the file.
            error: what is wrong with it.
            outcome: what was done about it.

        Raises:
            UserError: the CSV file cannot be written.
        """
        self.num_met += 1
        self.note(BrokenFile(video_id, str(error.path), " ".join(error.reason.split()), self.split, outcome))

    def note(self, file: BrokenFile) -> None:
        """List a file, unless it is listed with this outcome.

        Raises:
            UserError: the CSV file cannot be written.
        """
        known = self.found.get(file.id)
        if known is not None and (known.outcome == file.outcome or file.outcome == "used"):
            return
        self.found[file.id] = file
        if self._is_copy:
            self._new.append(file)
            return
        if self.path is not None:
            _append(self.path, [file])
        if len(self.found) <= _NAMED_IN_LOG:
            _log.warning("%s: broken file %s: %s: %s", file.split, file.outcome, file.file, file.reason)
        elif len(self.found) == _NAMED_IN_LOG + 1:
            where = "not shown" if self.path is None else f"listed in {self.path} only"
            _log.warning("%s: more files are broken; they are %s", file.split, where)

    def keep_in(self, path: Path | None) -> None:
        """List what was found and will be found in ``path``.

        Raises:
            UserError: the CSV file cannot be written.
        """
        self.path = path
        if path is not None and self.found:
            _append(path, list(self.found.values()))

    def take_new(self) -> tuple[BrokenFile, ...]:
        """Return what a copy has found since it was last asked."""
        new, self._new = tuple(self._new), []
        return new


def _append(path: Path, files: list[BrokenFile]) -> None:
    """Add lines that are not in the file, in one write that no other process can come between."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a+", newline="") as file:
            _lock(file.fileno())
            file.seek(0)
            content = file.read()
            listed = {(row.get("id"), row.get("outcome")) for row in csv.DictReader(io.StringIO(content))}
            text = io.StringIO()
            writer = csv.writer(text)
            if not content:
                writer.writerow(BrokenFile._fields)
            elif not content.endswith("\n"):  # the last writer was killed within its line
                text.write("\r\n")
            writer.writerows(entry for entry in files if (entry.id, entry.outcome) not in listed)
            file.write(text.getvalue())
    except OSError as problem:
        raise storage_error(path, problem) from problem


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        # Some network file systems know no locks; there a line is still appended by a single write.
        if error.errno not in _NO_LOCKS:
            raise


def write_broken(path: Path, files: Sequence[BrokenFile]) -> None:
    """Write the list anew, whole or not at all; without files there is none.

    Raises:
        UserError: the CSV file cannot be written.
    """
    if not files:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    csv.writer(text).writerows([BrokenFile._fields, *files])
    atomic_write_text(path, text.getvalue())


class BrokenLimit:
    """Stops a run when too large a share of the training clips comes from broken files.

    The share is that of broken files met among the clips drawn since the process started, summed over ranks, and is
    taken of 1,000 clips at least: with a ratio of 0.01 the eleventh broken file stops a run at the earliest.

    Args:
        max_ratio: largest share, in [0, 1]; 1 never stops.
        world: number of ranks.
        total: sums two numbers over all ranks, called by all of them for the same batch; None with one rank.
    """

    def __init__(
        self, max_ratio: float, world: int = 1, total: Callable[[list[float]], list[float]] | None = None
    ) -> None:
        self.max_ratio = max_ratio
        self._world, self._total = world, total
        self._num_batches = self._num_drawn = self._num_broken = 0

    def count(self, num_drawn: int, num_broken: int, log: BrokenLog) -> None:
        """Count a batch of this rank.

        Args:
            num_drawn: clips in it.
            num_broken: broken files met on the way.
            log: what is broken, for the message.

        Raises:
            UserError: too many clips come from broken files; on all ranks for the same batch.
        """
        self._num_batches += 1
        self._num_drawn += num_drawn
        self._num_broken += num_broken
        drawn, broken = float(self._num_drawn), float(self._num_broken)
        if self._world > 1 and self._total is not None:
            # A rank that stopped alone would leave the others waiting for its gradients.
            if self._num_batches % _BATCHES_BETWEEN_SUMS:
                return
            drawn, broken = self._total([drawn, broken])
        if self.max_ratio < 1 and broken > self.max_ratio * max(drawn, _MIN_DRAWN):
            named = [f"{file.file}: {file.reason}" for file in list(log.found.values())[:_NAMED_IN_ERROR]]
            more = "; ..." if len(log.found) > len(named) else ""
            times = "once" if broken == 1 else f"{broken:.0f} times"
            where = "" if log.path is None else f", listed in {log.path}"
            raise UserError(
                f"too much of the training data is broken: broken files were met {times} in {drawn:.0f} clips, more "
                f"than max_broken_ratio {self.max_ratio:g}{where} ({'; '.join(named)}{more}); mend the files or "
                "take them out of the annotations, or raise max_broken_ratio"
            )
