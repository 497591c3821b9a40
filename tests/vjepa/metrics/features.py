"""Features with known answers."""

from __future__ import annotations

import torch
from torch import Tensor


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers in double precision."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def walsh(bits: int) -> Tensor:
    """2^bits rows of 2^bits - 1 columns of signs: every column has mean 0 and variance 1, and no two correlate."""
    rows = torch.arange(2**bits)
    both = rows[:, None] & rows[None, 1:]
    parity = torch.stack([(both >> bit) & 1 for bit in range(bits)]).sum(0) % 2
    return 1.0 - 2.0 * parity.double()


def rotation(width: int, seed: int = 0) -> Tensor:
    """A random orthogonal matrix."""
    return torch.linalg.qr(noise(width, width, seed=seed)).Q
