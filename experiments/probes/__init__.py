"""Frozen probes: named protocols, fitted on clean features, chosen on validation, scored with guards."""

from experiments.probes.benchmarks import study_protocol
from experiments.probes.fit import FittedProbe, evaluate, fit_probe
from experiments.probes.metrics import classification_metrics
from experiments.probes.protocols import PROTOCOLS, ProbeProtocol, protocol

__all__ = [
    "PROTOCOLS",
    "FittedProbe",
    "ProbeProtocol",
    "classification_metrics",
    "evaluate",
    "fit_probe",
    "protocol",
    "study_protocol",
]
