"""``python -m tests.second_device FILE VERB ...``: a verb of the suite, or a check, where the second device is there.

Writes to FILE what a verb waited for the device, between the ends of training steps and in all; of a check, what that
found.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.second_device import device

steps: list[list[str]] = []


def _count_steps() -> None:
    """Note at the end of every optimizer step what was waited for since the one before."""
    from vjepa.module import VideoJEPA

    take, seen = VideoJEPA.optimizer_step, [0]

    def counted(self: VideoJEPA, *args: Any, **kwargs: Any) -> None:
        take(self, *args, **kwargs)
        steps.append(device.waits[seen[0] :])
        seen[0] = len(device.waits)

    VideoJEPA.optimizer_step = counted  # type: ignore[method-assign]


def main(target: str, *words: str) -> int:
    """Run the verb; return its exit status."""
    device.set_up()
    from experiments.cli import main as run
    from tests.second_device.checks import CHECKS

    if words[0] in CHECKS:
        with device.SecondDevice():
            Path(target).write_text(json.dumps(CHECKS[words[0]]()))
        return 0
    _count_steps()
    with device.SecondDevice():
        status = run(list(words))
    Path(target).write_text(json.dumps({"steps": steps, "waits": len(device.waits)}))
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
