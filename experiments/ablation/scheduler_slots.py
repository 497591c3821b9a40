"""Places where cells run: a share of the processor's cores, or a GPU."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from vjepa.errors import UserError


@dataclass(frozen=True)
class Slot:
    """Room for one process of one cell.

    Args:
        threads: its share of the cores.
        gpu: as in CUDA_VISIBLE_DEVICES; None on a processor.
    """

    threads: int
    gpu: str | None = None


def cpu_slots(jobs: int = 1) -> list[Slot]:
    """Room for so many cells at the same time, which share the cores.

    Raises:
        UserError: there would be none.
    """
    if jobs < 1:
        raise UserError(f"--jobs {jobs}: expected 1 or more cells at the same time")
    return [Slot(max(1, num_cores() // jobs))] * jobs


def cuda_slots(gpus: Sequence[str]) -> list[Slot]:
    """Room for one cell on each GPU.

    Args:
        gpus: as in CUDA_VISIBLE_DEVICES, from ``visible_gpus``.

    Raises:
        UserError: there is none.
    """
    if not gpus:
        raise UserError("no GPU is visible: look at nvidia-smi and CUDA_VISIBLE_DEVICES, or run on the processor")
    return [Slot(max(1, num_cores() // len(gpus)), gpu) for gpu in gpus]


def visible_gpus() -> list[str]:
    """Names of the GPUs that this process may use."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1", "NoDevFiles")]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def environment_of(slots: Sequence[Slot], devices: int) -> dict[str, str]:
    """Environment variables of a cell that has these slots.

    Args:
        slots: one or more, all of one kind.
        devices: processes of the cell; they share the cores.
    """
    threads = max(1, sum(slot.threads for slot in slots) // devices)
    gpus = [slot.gpu for slot in slots if slot.gpu is not None]
    return {"OMP_NUM_THREADS": str(threads)} | ({"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {})


def slots_needed(devices: int, slots: Sequence[Slot], label: str) -> int:
    """How many slots a cell takes; on a processor its processes may crowd into all there are.

    Raises:
        UserError: it needs more GPUs than there are.
    """
    if slots[0].gpu is not None and devices > len(slots):
        raise UserError(f"{label} needs {devices} GPUs, but {len(slots)} are visible: see trainer.devices")
    return min(devices, len(slots))


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
