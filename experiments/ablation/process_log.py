"""The log of a cell: what its children print, without the states of progress bars that were drawn over."""

from __future__ import annotations

import codecs
import re
from typing import IO

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_BAR = re.compile(r"^\s*(?P<title>.*?):?\s*(?P<percent>\d{1,3})%\|")


class LogFilter:
    """Copies output to a file line by line, as a terminal would show it in the end.

    Args:
        file: opened for writing bytes.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.doing = ""
        self._file = file
        self._rest = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, data: bytes) -> None:
        """Take what was read from the child."""
        text = (self._rest + self._decoder.decode(data)).replace("\r\n", "\n")
        *parts, self._rest = re.split(r"(?<=[\r\n])", text)
        # A last \r may be the first half of a line's end.
        if not self._rest and parts and parts[-1].endswith("\r"):
            self._rest = parts.pop()
        for part in parts:
            self._take(part)
        self._note(self._rest)
        self._file.flush()

    def close(self) -> None:
        """Take what is left as a line."""
        if self._rest:
            self._take(self._rest.rstrip("\r") + "\n")
        self._rest = ""
        self._file.flush()

    def _take(self, part: str) -> None:
        line = _ESCAPE.sub("", part)
        unfinished_bar = self._note(line) and "100%|" not in line
        if line.endswith("\n") and not unfinished_bar:
            self._file.write(line.rstrip().encode() + b"\n")

    def _note(self, text: str) -> bool:
        """Keep what a progress bar says; whether the text is one."""
        bar = _BAR.match(_ESCAPE.sub("", text).lstrip("\r"))
        if bar is None:
            return False
        self.doing = f"{bar['title']} {bar['percent']} %".strip()
        return True
