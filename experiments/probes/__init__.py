"""Frozen probes: named protocols, fitted on clean features, chosen on validation, scored with guards."""

from experiments.probes.benchmarks import study_protocol
from experiments.probes.fit import FittedProbe, evaluate, fit_probe
from experiments.probes.protocols import PROTOCOLS, ProbeProtocol, protocol
from experiments.probes.storage import load_probe, save_probe
from vjepa.metrics import classification_metrics

__all__ = [
    "PROTOCOLS",
    "FittedProbe",
    "ProbeProtocol",
    "classification_metrics",
    "evaluate",
    "fit_probe",
    "load_probe",
    "protocol",
    "save_probe",
    "study_protocol",
]
