"""How checkpoints reach the disk: whole or not at all, with the last but one kept beside the last."""

from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from experiments.runs import Run
from vjepa.storage import atomic_path


class RunCheckpointIO(TorchCheckpointIO):
    """Write each checkpoint beside its place and rename it; before a new last one, keep the old one as the previous.

    Lightning's own writer goes through the system's temporary folder: from there to another disk a file is copied, and
    a kill leaves half of it under the name of a whole one.

    Args:
        run: whose checkpoints these are.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write ``checkpoint`` to ``path``.

        Raises:
            UserError: it cannot be written; the old ones are as they were.
        """
        if storage_options is not None:
            raise TypeError("storage_options: checkpoints of a run are files")
        target, buffer = Path(path), BytesIO()
        torch.save(checkpoint, buffer)  # not to the file: on a full disk torch says something else
        with atomic_path(target) as temporary:
            temporary.write_bytes(buffer.getbuffer())
            if target.absolute() == self.run.last_checkpoint.absolute():
                self._keep_previous()

    def _keep_previous(self) -> None:
        if not self.run.last_checkpoint.exists():
            return
        with atomic_path(self.run.previous_checkpoint) as spare:
            spare.unlink()
            try:
                spare.hardlink_to(self.run.last_checkpoint)
            except OSError:  # a file system without links
                shutil.copyfile(self.run.last_checkpoint, spare)
