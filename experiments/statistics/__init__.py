"""What differences between variants are worth: intervals over seeds and clips, families of tests, power."""

from experiments.statistics.analysis import analyse
from experiments.statistics.bootstrap import bootstrap_interval
from experiments.statistics.differences import compare, paired_difference
from experiments.statistics.holm import holm
from experiments.statistics.power import minimal_difference, power
from experiments.statistics.types import (
    BASELINE,
    FACTORIZED,
    WHOLE_LATENT,
    Analysis,
    Comparison,
    Difference,
    Endpoint,
    Samples,
    Summary,
    VariantKey,
)
from experiments.statistics.variance import crossed_variance

__all__ = [
    "BASELINE",
    "FACTORIZED",
    "WHOLE_LATENT",
    "Analysis",
    "Comparison",
    "Difference",
    "Endpoint",
    "Samples",
    "Summary",
    "VariantKey",
    "analyse",
    "bootstrap_interval",
    "compare",
    "crossed_variance",
    "holm",
    "minimal_difference",
    "paired_difference",
    "power",
]
