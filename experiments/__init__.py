"""Command line, callbacks, probes, robustness, statistics, ablations and reports of the models in ``vjepa``."""
