"""Decoded clips in one file that is mapped into memory, so that no frame is decoded twice."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data_modules.clips.datasets import ClipDataset, Task
from vjepa.storage import atomic_path, atomic_write_text, digest_file

Shape = tuple[int, int, int, int, int]


def write_frames(path: Path, shape: Shape, clips: Iterable[NDArray[np.uint8]]) -> None:
    """Write decoded clips to ``path`` (.npy) and, last, a sidecar that vouches for them.

    Args:
        path: the file; its sidecar has the suffix ``.json``.
        shape: (n, F, H, W, 3).
        clips: n arrays (F, H, W, 3) uint8.

    Raises:
        UserError: the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        with open(temporary, "wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for clip in clips:
                file.write(clip.tobytes())
        checksum = digest_file(temporary)
    atomic_write_text(path.with_suffix(".json"), json.dumps({"shape": shape, "checksum": checksum}))


def frames_are_whole(path: Path, shape: Shape) -> bool:
    """Tell whether ``path`` holds exactly what its sidecar vouches for, in this shape."""
    sidecar = path.with_suffix(".json")
    if not path.is_file() or not sidecar.is_file():
        return False
    try:
        claim = json.loads(sidecar.read_text())
    except ValueError:
        return False
    return bool(claim == {"shape": list(shape), "checksum": digest_file(path)})


class MappedClips(ClipDataset):
    """Clips of a memory-mapped array; a worker process maps the file anew instead of copying it.

    Args:
        path: (n, F, H, W, 3) uint8 in .npy format.
        split, tasks, video_ids, labels: as ``ClipDataset``.
    """

    def __init__(
        self, path: Path, split: str, tasks: tuple[Task, ...], video_ids: tuple[str, ...], labels: Tensor
    ) -> None:
        super().__init__(split, tasks, video_ids, labels)
        self.path = path
        self._frames: NDArray[np.uint8] = np.load(path, mmap_mode="r")

    def read(self, indices: Tensor) -> Tensor:
        """Return the frames of clips, (b,) int64 -> (b, F, H, W, 3) uint8."""
        return torch.from_numpy(self._frames[indices.numpy()])

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_frames"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._frames = np.load(self.path, mmap_mode="r")
