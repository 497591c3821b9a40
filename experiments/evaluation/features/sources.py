"""Makes the features of a split, or finds them: in the cache, in memory, or by running the encoder each time."""

from __future__ import annotations

import torch
from torch import Tensor
from tqdm import tqdm

from data_modules.clips.datasets import ClipDataset
from experiments.evaluation.features.cache import FeatureCache, Say
from experiments.evaluation.features.reading import choose_indices
from experiments.evaluation.features.source_job import SourceJob
from experiments.evaluation.features.source_plan import MEMORY_LIMIT
from experiments.evaluation.features.token_source import TokenSource, memory_source
from experiments.evaluation.ranks import ALONE, Ranks
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import View
from vjepa.errors import UserError

__all__ = ["TokenSource", "choose_indices", "make_source", "memory_source"]


@torch.inference_mode(False)
def make_source(
    subject: Subject,
    dataset: ClipDataset,
    indices: Tensor,
    *,
    needs_tokens: bool,
    cache: FeatureCache | None = None,
    token_views: tuple[View, ...] | None = None,
    memory_limit: int = MEMORY_LIMIT,
    batch_size: int = 64,
    num_workers: int = 0,
    complete: bool = False,
    ranks: Ranks = ALONE,
    say: Say = tqdm.write,
    progress: bool = True,
) -> TokenSource:
    """Clean features of clips through a subject; broken clips are left out.

    Means over space are kept in the cache and found there again. Tokens are kept in memory if they fit, else on disk
    if there is room, else nowhere. Extraction that was broken off goes on where it was.

    Args:
        subject: whose features.
        dataset: the split.
        indices: (n,) int64 positions in it, each once; an order of its own makes features of its own.
        needs_tokens: whether anything reads more than means over space.
        cache: where features are kept; None keeps them in memory, in every process on its own.
        token_views: the only views that tokens are read of, which saves room; None keeps all channels.
        memory_limit: most bytes of tokens in memory; without a cache also of means.
        batch_size: clips a forward pass.
        num_workers: loader processes; 0 decodes in a thread.
        complete: whether all clips that are not known as broken can be read, since an earlier encoder saw them.
        ranks: processes that share the work and the file system; all of them call this.
        say: called with a line by the first process.
        progress: show a bar in clips.

    Returns:
        The features in the order of ``indices``, the same in every process.

    Raises:
        UserError: no clips were asked for or can be read, they do not fit, some tokens are not finite, the cache cannot
            be written, or ``complete`` and a clip is broken.
    """
    title = f"{subject.label}, {'' if cache is None else cache.data.name + ' '}{dataset.split}"
    positions = torch.as_tensor(indices, dtype=torch.int64).contiguous()
    if not len(positions):
        raise UserError(f"{title}: no clips to encode; raise the limit or check the split")
    job = SourceJob(
        subject=subject,
        dataset=dataset,
        positions=positions,
        title=title,
        needs_tokens=needs_tokens,
        token_views=token_views,
        cache=cache,
        memory_limit=memory_limit,
        batch_size=batch_size,
        num_workers=num_workers,
        complete=complete,
        # Without a folder there is nothing that processes could share.
        ranks=ALONE if cache is None else ranks,
        say=say if ranks.is_first else _hush,
        progress=progress and ranks.is_first,
    )
    return job.run()


def _hush(line: str) -> None:
    """Say nothing: the first process does."""
