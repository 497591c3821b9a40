"""Lightning callbacks: diagnostics of training, frozen evaluation, and the record of a run."""

from experiments.callbacks.collapse import CollapseMonitor
from experiments.callbacks.frozen import (
    CorruptionRobustness,
    FrozenProbe,
    OrderSensitivity,
    RepresentationStability,
    SubspaceRobustness,
)
from experiments.callbacks.guard import Guard
from experiments.callbacks.held_out import HeldOutCount
from experiments.callbacks.pictures import Pictures
from experiments.callbacks.preemption import Preemption
from experiments.callbacks.record import RunRecord
from experiments.callbacks.throughput import ThroughputMonitor

__all__ = [
    "CollapseMonitor",
    "CorruptionRobustness",
    "FrozenProbe",
    "Guard",
    "HeldOutCount",
    "OrderSensitivity",
    "Pictures",
    "Preemption",
    "RepresentationStability",
    "RunRecord",
    "SubspaceRobustness",
    "ThroughputMonitor",
]
