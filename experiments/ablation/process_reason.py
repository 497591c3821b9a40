"""Why a child failed, in one line."""

from __future__ import annotations

import re
import signal
from pathlib import Path

_TAIL_BYTES = 64 * 1024
_LONGEST = 300
_MEMORY = re.compile(
    r"out of memory|outofmemory|MemoryError|can't allocate memory|cannot allocate memory|std::bad_alloc", re.IGNORECASE
)
_ERROR = re.compile(r"^(error: |Fatal Python error|[A-Za-z_][\w.]*(Error|Exception|Interrupt)\b)")


def reason_of(command: str, code: int, log: Path, start: int) -> str:
    """Why a command ended without its result.

    Args:
        command: its name, as ``vjepa fit``.
        code: exit code, negative for a signal.
        log: file with its output.
        start: where in the file its output begins, bytes.
    """
    lines = _last_lines(log, start)
    error = next((line for line in reversed(lines) if _ERROR.match(line)), lines[-1] if lines else "")
    told = f": {error.removeprefix('error: ')}" if error else ""
    memory = next((line for line in reversed(lines) if _MEMORY.search(line)), None)
    if memory is not None:
        return _short(f"{command} ran out of memory: {memory.removeprefix('error: ')}")
    if code == -signal.SIGKILL:
        return f"{command} was killed by SIGKILL: out of memory, or by somebody"
    if code < 0:
        return _short(f"{command} was killed by {_name(-code)}{told}")
    if code == 0:
        return _short(f"{command} ended without its result, as if all were well{told}")
    return _short(f"{command} ended with code {code}{told}")


def _last_lines(log: Path, start: int) -> list[str]:
    try:
        with open(log, "rb") as file:
            file.seek(max(start, log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return [line.strip() for line in lines if line.strip()]


def _name(signum: int) -> str:
    try:
        return signal.Signals(signum).name
    except ValueError:
        return f"signal {signum}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
