"""Error under corruption relative to a baseline: above 1 is worse than the baseline.

E = 1 - A is a top-1 error in [0, 1]. The baseline is a model of this project, never the AlexNet of ImageNet-C, whose
constants hold for 1000 classes of images.
"""

from __future__ import annotations

import math

from vjepa.metrics.ratios import Accuracies


def corruption_errors(accuracies: Accuracies, baseline: Accuracies) -> dict[str, float]:
    """``CE_c = sum_s E[c, s] / sum_s E_ref[c, s]``, by corruption.

    Args:
        accuracies: of the model, by (corruption, severity), without order probes.
        baseline: of the baseline under the same conditions.

    Returns:
        NaN for a corruption under which the baseline makes no error.

    Raises:
        ValueError: no condition, or other conditions than the baseline's.

    Source: Hendrycks and Dietterich, arXiv 1903.12261.
    """
    return _ratios(accuracies, baseline, 0.0, 0.0)


def mean_corruption_error(accuracies: Accuracies, baseline: Accuracies) -> float:
    """``mCE = mean_c CE_c`` against the baseline; arguments of ``corruption_errors``."""
    return _mean(corruption_errors(accuracies, baseline))


def relative_mean_corruption_error(
    accuracies: Accuracies, clean: float, baseline: Accuracies, baseline_clean: float
) -> float:
    """``mean_c [sum_s (E[c, s] - E_clean) / sum_s (E_ref[c, s] - E_ref_clean)]``: degradation, not error.

    Args:
        accuracies: of the model, by (corruption, severity), without order probes.
        clean: its clean accuracy.
        baseline: of the baseline under the same conditions.
        baseline_clean: clean accuracy of the baseline.

    Returns:
        NaN where the baseline does not degrade under some corruption: there is nothing to relate to.

    Raises:
        ValueError: no condition, or other conditions than the baseline's.

    Source: Hendrycks and Dietterich, arXiv 1903.12261.
    """
    return _mean(_ratios(accuracies, baseline, 1 - clean, 1 - baseline_clean))


def _ratios(accuracies: Accuracies, baseline: Accuracies, floor: float, baseline_floor: float) -> dict[str, float]:
    if not accuracies or accuracies.keys() != baseline.keys():
        differing = sorted(accuracies.keys() ^ baseline.keys())
        raise ValueError(f"model and baseline need the same conditions, at least one; they differ in {differing}")
    own, other = _sums(accuracies, floor), _sums(baseline, baseline_floor)
    # A difference of accuracies that should be zero is not, by rounding.
    return {name: own[name] / other[name] if other[name] > 1e-12 else math.nan for name in own}


def _sums(accuracies: Accuracies, floor: float) -> dict[str, float]:
    names = dict.fromkeys(name for name, _ in accuracies)
    return {name: math.fsum(1 - a - floor for (c, _), a in accuracies.items() if c == name) for name in names}


def _mean(values: dict[str, float]) -> float:
    return math.fsum(values.values()) / len(values)
