"""Lightning callbacks: collapse diagnostics, throughput, and the record of a run."""

from experiments.callbacks.collapse import CollapseMonitor
from experiments.callbacks.held_out import HeldOutCount
from experiments.callbacks.record import RunRecord
from experiments.callbacks.throughput import ThroughputMonitor

__all__ = ["CollapseMonitor", "HeldOutCount", "RunRecord", "ThroughputMonitor"]
