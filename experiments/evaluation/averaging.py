"""One answer to a video of which several views were shown."""

from __future__ import annotations

import math

from torch import Tensor


def average_views(logits: Tensor, num_views: int) -> Tensor:
    """Average what a probe says of the views of each video.

    Its probabilities are averaged, not its logits: each view has one vote of weight 1 / V, so that a view in which a
    probe is wrong and sure cannot outweigh all others, and probes of different scale are treated alike.

    Args:
        logits: (B * V, C), the views of a video one after the other.
        num_views: V, >= 1.

    Returns:
        (B, C) float32 logits: of several views the logarithm of their mean probabilities, of one view what it is.

    Source: V-JEPA's frozen evaluation, which averages the softmax over clips and crops.
    """
    if num_views == 1:
        return logits
    by_video = logits.double().log_softmax(1).unflatten(0, (-1, num_views))
    return (by_video.logsumexp(1) - math.log(num_views)).float()
