"""Encoders that were not trained here, named on the command line where a run stands.

``timm:NAME[:KEY=VALUE,...]`` is an image model of timm, applied to each frame; ``hf:FOLDER`` is a ``VJEPA2Model`` as
transformers saves it; ``weights:PATH``, or the path alone, is what our own encoder can load (docs/weights.md).
"""

from experiments.evaluation.external.named import is_external, open_external
from experiments.evaluation.external.subjects import External, external_subjects, pixels_beside

__all__ = ["External", "external_subjects", "is_external", "open_external", "pixels_beside"]
