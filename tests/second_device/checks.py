"""What is run in a process of the second device beside the verbs of the suite."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch

from experiments.bench.stepper import Stepper
from experiments.bench.train import variant_model
from experiments.overlays import variant_names
from tests.second_device import device
from vjepa.corruptions import CORRUPTIONS
from vjepa.objectives import sigreg

SIZES = argparse.Namespace(preset="tiny", patch=8, batch=4, frames=8, compile=False, reading="as_described")


def corruptions() -> dict[str, list[int]]:
    """Largest difference of every corruption to the processor's, at its mildest and at its severest."""
    frames = torch.randint(0, 256, (2, 8, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    away = frames.to(device.DEVICE)
    found: dict[str, list[int]] = {}
    for name, corruption in CORRUPTIONS.items():
        for severity in (1, len(corruption.levels)):
            one, other = (corruption.run(clips, severity, _draws(), 8) for clips in (frames, away))
            assert isinstance(other, device.Away), f"{name} left the device"
            found.setdefault(name, []).append(int((other.cpu().int() - one.int()).abs().max()))
    return found


def _draws() -> list[np.random.Generator]:
    return [np.random.Generator(np.random.Philox(number)) for number in range(2)]


def steps() -> dict[str, list[str]]:
    """What the second step of every variant waits for: forward, backward, optimizer and teacher."""
    drawn = sigreg.directions  # a generator cannot be on the device
    sigreg.directions = lambda w, n, step, to: drawn(w, n, step, torch.device("cpu")).to(to, non_blocking=True)  # type: ignore[assignment]
    frames = torch.zeros(4, 8, 32, 32, 3, dtype=torch.uint8).to(device.DEVICE)
    found: dict[str, list[str]] = {}
    for name in variant_names():
        stepper = Stepper(variant_model(name, SIZES).to(device.DEVICE), frames, "float32")
        stepper(0)
        before = len(device.waits)
        stepper(1)
        found[name] = device.waits[before:]
    return found


def device_itself() -> dict[str, list[str]]:
    """What some operations wait for, and what is refused."""
    host, away = torch.arange(6.0), torch.arange(6.0).to(device.DEVICE)
    found: dict[str, list[str]] = {}
    for name, operation in {
        "copy there": lambda: host.to(device.DEVICE),
        "copy there without a wait": lambda: host.to(device.DEVICE, non_blocking=True),
        "copy back": away.cpu,
        "constant": lambda: torch.tensor([1.0, 2.0], device=device.DEVICE),
        "arithmetic": lambda: (away * 2 + 1).softmax(0).view(2, 3)[1].clone(),
        "value": lambda: float(away.sum()),
        "positions": away.nonzero,
        "mask": lambda: away[away > 2],
        "index of the device": lambda: away[torch.zeros(2, dtype=torch.long, device=device.DEVICE)],
        "index of the processor": lambda: away[torch.tensor([1, 2])],
    }.items():
        before = len(device.waits)
        operation()
        found[name] = device.waits[before:]
    for name, refused in {"two devices": lambda: away + host, "NumPy": away.numpy}.items():
        try:
            refused()
        except (RuntimeError, TypeError):
            found[name] = ["refused"]
    return found


CHECKS: dict[str, Any] = {"corruptions": corruptions, "steps": steps, "device": device_itself}
