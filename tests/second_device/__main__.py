"""``python -m tests.second_device FILE VERB ...``: a verb of the suite where the second device is there.

Writes to FILE what it waited for the device: ``steps``, the operators between the ends of training steps.
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

    _count_steps()
    with device.SecondDevice():
        status = run(list(words))
    Path(target).write_text(json.dumps({"steps": steps, "waits": len(device.waits)}))
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
