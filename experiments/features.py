"""Frozen features: a data set goes through an encoder once, batch by batch, in inference mode.

Memory: token features take n*T*S*E numbers (2,048 clips x 64 tokens x 96 channels in float16 are 25 MB; the
same number of clips of a base model at 16 x 224 x 224 would be 5 GB), so ``extract`` refuses to exceed a limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from experiments.encoders import FrozenEncoder
from vjepa.errors import UserError
from vjepa.latents import Clip

if TYPE_CHECKING:
    from data_modules.base import ClipDataset

Corrupt = Callable[[np.ndarray, str], np.ndarray]
"""(F, H_px, W_px, 3) uint8 and a video id -> a clip of the same shape and type."""

MEMORY_LIMIT = 4 * 2**30
"""Most bytes of token features that ``extract`` keeps."""


@dataclass(frozen=True)
class Features:
    """Tokens of frozen clips with their labels.

    Args:
        tokens: (n, T, S, E) float16 or float32, on the CPU.
        labels: (n, Q) int64, -1 where a task does not apply.
        index: (n,) int64 positions in the split.
    """

    tokens: Tensor
    labels: Tensor
    index: Tensor

    def __len__(self) -> int:
        return self.tokens.shape[0]

    def of_task(self, column: int) -> Features:
        """Return the clips that have a label in ``column``, without a copy when all have one."""
        keep = self.labels[:, column] >= 0
        if bool(keep.all()):
            return self
        return Features(self.tokens[keep], self.labels[keep], self.index[keep])


def choose_indices(dataset: ClipDataset, limit: int | None, seed: int = 0) -> Tensor:
    """Return a fixed random subset of a data set, ascending; a larger limit contains the smaller one.

    Args:
        dataset: the split.
        limit: most clips to keep, or None for all.
        seed: names the subset; the global random state is not used.

    Returns:
        (n,) int64.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(dataset), generator=generator)
    return order[:limit].sort().values


def without_broken(dataset: ClipDataset, indices: Tensor) -> tuple[Tensor, Tensor]:
    """Divide positions into those that can be read, as far as is known, and those that were left out as broken."""
    if not len(dataset.broken):
        return indices, indices[:0]
    names = [dataset.video_ids[index] for index in indices.tolist()]
    is_left_out = torch.tensor([dataset.broken.is_left_out(name) for name in names])
    return indices[~is_left_out], indices[is_left_out]


def clip_batches(
    dataset: ClipDataset,
    indices: Tensor | Sequence[int],
    batch_size: int,
    corrupt: Corrupt | None = None,
    description: str = "",
    progress: bool = True,
    complete: bool = False,
) -> Iterator[Clip]:
    """Read clips in order, corrupt each if asked, and show a progress bar in clips; broken ones are left out.

    Args:
        dataset: the split to read.
        indices: positions in it.
        batch_size: clips a batch, >= 1; the last batch may be smaller.
        corrupt: applied to each clip with its video id.
        description: text before the bar.
        progress: show the bar.
        complete: whether all can be read, since they were before: then a broken one is an error.

    Raises:
        UserError: ``complete`` and a clip is broken.
    """
    positions = torch.as_tensor(indices, dtype=torch.int64)
    with (
        tqdm(total=len(positions), desc=description, unit="clip", disable=not progress, leave=False) as bar,
        ThreadPoolExecutor(max_workers=torch.get_num_threads()) as pool,
    ):
        for chosen in positions.split(batch_size):
            clip = dataset.fetch(chosen)
            bar.update(len(chosen))
            if complete and len(clip) < len(chosen):
                raise _changed(dataset, chosen)
            if not len(clip):
                continue
            if corrupt is not None:
                names = [dataset.video_ids[index] for index in clip.index.tolist()]
                # Noise and codecs run outside the interpreter lock; draws are keyed, so order is irrelevant.
                damaged = pool.map(corrupt, clip.frames.numpy(), names)
                clip = replace(clip, frames=torch.stack([torch.from_numpy(frames) for frames in damaged]))
            yield clip


def _changed(dataset: ClipDataset, chosen: Tensor) -> UserError:
    _, left_out = without_broken(dataset, chosen)
    error = dataset.broken.error(dataset.video_ids[int(left_out[0])])
    return UserError(
        f"{error}; it could be read earlier in this evaluation, and all encoders must see the same clips: mend it, or "
        "repeat the evaluation without it"
    )


def encode(encoder: FrozenEncoder, frames: Tensor) -> Tensor:
    """Run an encoder on its own device and return (B, T, S, E) float32 tokens there."""
    if isinstance(encoder, nn.Module):
        weights = next(encoder.parameters(), None)
        if weights is not None:
            frames = frames.to(weights.device)
    with torch.inference_mode():
        tokens = encoder(frames)
    if tokens.ndim != 4 or not tokens.is_floating_point():
        raise ValueError(f"an encoder must return (B, T, S, E) floats, got {tokens.dtype} {tuple(tokens.shape)}")
    return tokens.float()


def extract(
    encoder: FrozenEncoder,
    dataset: ClipDataset,
    indices: Tensor | Sequence[int],
    batch_size: int = 64,
    *,
    dtype: torch.dtype = torch.float16,
    corrupt: Corrupt | None = None,
    memory_limit: int = MEMORY_LIMIT,
    description: str = "features",
    progress: bool = True,
    complete: bool = False,
) -> Features:
    """Encode clips and keep all their tokens; broken clips are left out.

    Args:
        encoder: frozen, in evaluation mode.
        dataset: the split to read.
        indices: positions in it, in the order wanted.
        batch_size: clips a forward pass.
        dtype: storage of the tokens, float16 or float32.
        corrupt: applied to each clip before encoding.
        memory_limit: most bytes of tokens to keep.
        description: text before the progress bar.
        progress: show the bar.
        complete: as ``clip_batches``.

    Returns:
        The features in the order of ``indices``.

    Raises:
        UserError: no clips were asked for or can be read, the tokens would exceed ``memory_limit``, or some are not
            finite; and as ``clip_batches``.
    """
    num_clips = len(indices)
    if num_clips == 0:
        raise UserError(f"{description}: no clips to encode; raise the limit or check the split")
    store: Tensor | None = None
    labels, index = [], []
    start = 0
    for clip in clip_batches(dataset, indices, batch_size, corrupt, description, progress, complete):
        tokens = encode(encoder, clip.frames)
        if store is None:
            store = _allocate(num_clips, tokens, dtype, memory_limit, description)
        store[start : start + len(clip)] = tokens.to(device="cpu", dtype=dtype)
        start += len(clip)
        labels.append(clip.labels)
        index.append(clip.index)
    if store is None:
        raise UserError(f"{description}: all {num_clips} clips are broken; check the data root and the files")
    store = store[:start]
    if not bool(torch.isfinite(store).all()):
        raise UserError(f"{description}: the encoder returned infinite or NaN tokens (as {dtype}); it has diverged")
    return Features(store, torch.cat(labels), torch.cat(index))


def _allocate(num_clips: int, tokens: Tensor, dtype: torch.dtype, limit: int, description: str) -> Tensor:
    shape = (num_clips, *tokens.shape[1:])
    size = int(np.prod(shape)) * dtype.itemsize
    if size > limit:
        raise UserError(
            f"{description}: tokens of shape {shape} as {dtype} take {size / 2**30:.1f} GiB, "
            f"the limit is {limit / 2**30:.1f} GiB; use fewer clips"
        )
    return torch.empty(shape, dtype=dtype)
