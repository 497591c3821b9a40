"""Training on the second device, for the command line."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch.accelerators import Accelerator
from lightning.pytorch.strategies import SingleDeviceStrategy

from tests.second_device import device


class SecondAccelerator(Accelerator):
    """One device of the name."""

    def setup_device(self, device: torch.device) -> None:
        """Nothing to set up."""

    def teardown(self) -> None:
        """Nothing to give back."""

    @staticmethod
    def parse_devices(devices: Any) -> list[torch.device]:
        return [device.DEVICE]

    @staticmethod
    def get_parallel_devices(devices: Any) -> list[torch.device]:
        return [device.DEVICE]

    @staticmethod
    def auto_device_count() -> int:
        return 1

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def name() -> str:
        return device.NAME

    def get_device_stats(self, device: Any) -> dict[str, Any]:
        return {}


class SecondStrategy(SingleDeviceStrategy):
    """All of a training on that one device."""

    strategy_name = device.NAME

    def __init__(self) -> None:
        super().__init__(device.DEVICE, SecondAccelerator())
