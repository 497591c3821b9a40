"""Which of the study's probes belongs to which benchmark, as its text says and as its code and results files do."""

from __future__ import annotations

from experiments.probes.protocols import ProbeProtocol, protocol
from vjepa.errors import unknown_name
from vjepa.reading import Reading, resolve

HALF_BUDGET = ("hw_ld", "fwm_ld", "fwm_hw_ld")
"""Variants whose published Diving-48 and Something-Something V2 probes ran for 50 epochs instead of 100."""

_FIXED = {"ucf101": "study_attentive_ucf101", "imagenet100": "study_linear_mean"}
_ATTENTIVE = ("diving48", "ssv2")


def study_protocol(benchmark: str, variant: str, reading: Reading) -> ProbeProtocol:
    """The study's probe for one result.

    Args:
        benchmark: ``ucf101``, ``ssv2``, ``diving48`` or ``imagenet100``.
        variant: name of the objective, for example ``fwm_hw_ld``; as released, three of them got half the epochs.
        reading: as described, every token and equal budgets; as released, Something-Something V2 is judged on one mean
            vector and the budgets are the published ones.

    Raises:
        UserError: the benchmark is unknown; the nearest one is suggested.

    Source: the study's evaluation scripts and the parameters in its results files; defects 10 and 11.
    """
    if benchmark in _FIXED:
        return protocol(_FIXED[benchmark])
    if benchmark not in _ATTENTIVE:
        raise unknown_name("benchmark", benchmark, sorted([*_FIXED, *_ATTENTIVE]))
    pooled = benchmark == "ssv2" and resolve("probe.ssv2", None, reading) == "study_pooled_attentive"
    name = "study_pooled_attentive" if pooled else "study_attentive"
    halved = resolve("probe.epochs", None, reading) == "as_published" and variant in HALF_BUDGET
    return protocol(f"{name}_50_epochs" if halved else name)
