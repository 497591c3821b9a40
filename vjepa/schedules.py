"""Schedules as pure functions of the optimizer step: nothing to save, nothing to resume.

Source: the study's warm-up/cosine learning rate, cosine weight decay and linear context-loss ramp.
"""

from __future__ import annotations

import math


def warmup_cosine(step: int, *, start: float, peak: float, final: float, warmup: int, total: int) -> float:
    """Linear warm-up, then half a cosine.

    Args:
        step: optimizer step, counted from 1.
        start: value before the first step.
        peak: value at the end of the warm-up.
        final: value at ``total`` and after.
        warmup: steps of warm-up, >= 0.
        total: steps of the whole schedule.

    Returns:
        start + (peak - start) * step / warmup during warm-up; afterwards
        max(final, final + (peak - final) / 2 * (1 + cos(pi * (step - warmup) / (total - warmup)))).
    """
    if step < warmup:
        return start + step / warmup * (peak - start)
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    return max(final, final + (peak - final) * 0.5 * (1.0 + math.cos(math.pi * progress)))


def cosine(step: int, *, start: float, final: float, total: int) -> float:
    """Half a cosine from ``start`` to ``final`` over ``total`` steps, held at ``final`` afterwards."""
    value = final + (start - final) * 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / max(1, total))))
    return max(final, value) if final <= start else min(final, value)


def ramp(step: int, *, first: float, last: float) -> float:
    """Factor that is 0 before step ``first``, linear in between, 1 from step ``last`` on."""
    if step >= last:
        return 1.0
    if step < first:
        return 0.0
    return (step - first) / (last - first)


def linear(step: int, *, start: float, final: float, total: int) -> float:
    """Straight line from ``start`` at step 0 to ``final`` at ``total``, held afterwards."""
    return start + (final - start) * min(1.0, step / max(1, total))
