"""Clean and corrupted test clips through every encoder, judged by probes fitted on clean features.

Each condition corrupts a batch once and gives the same batch to all encoders; logits are kept, tokens not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from experiments.encoders import FrozenEncoder
from experiments.features import clip_batches, encode
from experiments.probes import FittedProbe, classification_metrics
from experiments.results import Predictions, Row, RowStamp
from vjepa.corruptions import Profile, corrupt
from vjepa.errors import UserError
from vjepa.metrics import mean_performance, relative_performance
from vjepa.storage import digest_json

if TYPE_CHECKING:
    from data_modules.base import ClipDataset

CLEAN = ("none", 0)

_CORRUPTED_METRICS = ("top1", "log_loss", "top_prediction_share", "constant_predictor")


@dataclass(frozen=True)
class ProbedEncoder:
    """An encoder with the probes that were fitted on its clean features.

    Args:
        encoder: frozen.
        stamp: its identity in result rows.
        probes: any number of fitted probes, for any tasks.
    """

    encoder: FrozenEncoder
    stamp: RowStamp
    probes: tuple[FittedProbe, ...]


@dataclass(frozen=True)
class Evaluation:
    """Rows, and the predictions behind them."""

    rows: tuple[Row, ...]
    predictions: tuple[Predictions, ...]


def benchmark_names(name: str, tasks: Sequence[str]) -> tuple[str, ...]:
    """Name the benchmark of each task: ``<name>/<task>``, or ``name`` where there is only one."""
    return (name,) if len(tasks) == 1 else tuple(f"{name}/{task}" for task in tasks)


def judge(
    encoders: Mapping[str, ProbedEncoder],
    dataset: ClipDataset,
    indices: Tensor,
    *,
    data_name: str,
    condition: tuple[str, int] = CLEAN,
    batch_size: int = 64,
    protocol_version: str = "",
    progress: bool = True,
    left_out: Tensor | None = None,
) -> Evaluation:
    """Evaluate all probes of all encoders under one condition, on one pass over the clips.

    Broken clips are left out for all encoders alike; every row says how many are missing behind its value.

    Args:
        encoders: by label.
        dataset: the split; its name goes into the rows.
        indices: (n,) positions in it.
        data_name: name of the data set, part of the key of all random draws.
        condition: (corruption, severity), or ``CLEAN``.
        batch_size: clips a forward pass.
        protocol_version: hash of the corruption profile, made part of each row's protocol hash.
        progress: show the bar.
        left_out: positions that an earlier pass has left out of ``indices``, of which all others can then be read; None
            on the first pass.

    Returns:
        All metrics for clean clips, those that robustness is judged by for corrupted ones.

    Raises:
        UserError: no clip can be read, or one that could be read before.
    """
    damage = None if condition == CLEAN else partial(_damage, condition, data_name)
    text = "clean" if condition == CLEAN else "{} {}".format(*condition)
    logits: dict[str, list[list[Tensor]]] = {label: [[] for _ in item.probes] for label, item in encoders.items()}
    labels, index = [], []
    title = f"{dataset.split}: {text}"
    for clip in clip_batches(dataset, indices, batch_size, damage, title, progress, complete=left_out is not None):
        for label, item in encoders.items():
            tokens = encode(item.encoder, clip.frames).cpu()
            for kept, probe in zip(logits[label], item.probes, strict=True):
                kept.append(probe.logits(tokens))
        labels.append(clip.labels)
        index.append(clip.index)
    if not index:
        raise UserError(f"{dataset.split}: all {len(indices)} clips are broken; check the data root and the files")
    if left_out is None:
        left_out = indices[~torch.isin(indices, torch.cat(index))]
    judged = _Judged(dataset, data_name, condition, protocol_version, torch.cat(labels), torch.cat(index), left_out)
    scores = [
        judged.score(item.stamp, probe, torch.cat(kept))
        for label, item in encoders.items()
        for kept, probe in zip(logits[label], item.probes, strict=True)
    ]
    return Evaluation(
        tuple(row for score in scores for row in score.rows),
        tuple(block for score in scores for block in score.predictions),
    )


def _damage(condition: tuple[str, int], data_name: str, clip: np.ndarray, video_id: str) -> np.ndarray:
    return corrupt(clip, *condition, data_name, video_id)


@dataclass(frozen=True)
class _Judged:
    """The clips of one pass and the condition they were shown under."""

    dataset: ClipDataset
    data_name: str
    condition: tuple[str, int]
    protocol_version: str
    labels: Tensor
    index: Tensor
    left_out: Tensor

    def score(self, stamp: RowStamp, fitted: FittedProbe, logits: Tensor) -> Evaluation:
        """Turn (n, C) logits of one probe into rows and predictions of the clips its task applies to."""
        keep = self.labels[:, fitted.column] >= 0
        logits, labels, index = logits[keep], self.labels[keep, fitted.column], self.index[keep]
        if not len(labels):
            return Evaluation((), ())
        corruption, severity = self.condition
        benchmark = benchmark_names(self.data_name, [task.name for task in self.dataset.tasks])[fitted.column]
        metrics = classification_metrics(logits, labels)
        rows = tuple(
            make_row(
                stamp,
                benchmark,
                self.dataset.split,
                fitted,
                metric,
                value,
                len(labels),
                corruption=corruption,
                severity=severity,
                protocol_version=self.protocol_version,
                excluded=num_labelled(self.dataset, self.left_out, fitted.column),
            )
            for metric, value in metrics.items()
            if self.condition == CLEAN or metric in _CORRUPTED_METRICS
        )
        block = Predictions(
            stamp=stamp,
            benchmark=benchmark,
            probe=fitted.protocol.name,
            subspace="whole",
            corruption=corruption,
            severity=severity,
            index=index.numpy(),
            video_ids=tuple(self.dataset.video_ids[position] for position in index.tolist()),
            labels=labels.numpy(),
            predictions=logits.argmax(1).numpy(),
            log_probs=logits.log_softmax(1).gather(1, labels[:, None])[:, 0].numpy(),
        )
        return Evaluation(rows, (block,))


def num_labelled(dataset: ClipDataset, indices: Tensor, column: int) -> int:
    """Return to how many of the clips a task applies."""
    return int((dataset.labels[indices, column] >= 0).sum())


def make_row(
    stamp: RowStamp,
    benchmark: str,
    split: str,
    fitted: FittedProbe,
    metric: str,
    value: float,
    n: int,
    *,
    corruption: str = "none",
    severity: int = 0,
    protocol_version: str = "",
    excluded: int = 0,
) -> Row:
    """Fill a row in; the protocol hash covers the probe and, where there is one, the corruption profile."""
    protocol = fitted.protocol.hash
    if protocol_version:
        protocol = digest_json([protocol, protocol_version])
    return Row(
        **vars(stamp),
        benchmark=benchmark,
        split=split,
        probe=fitted.protocol.name,
        subspace="whole",
        corruption=corruption,
        severity=severity,
        metric=metric,
        value=value,
        n=n,
        protocol_hash=protocol,
        excluded=excluded,
    )


def summarise(rows: Sequence[Row], profile: Profile) -> list[Row]:
    """Sum the accuracies under corruption up to ``mpc_<profile>`` and ``rpc_<profile>``.

    The profile is part of the name because the mean over a short profile is not the mPC of the whole
    protocol. rPC is NaN for a probe that predicts a constant: nothing can damage it.

    Args:
        rows: of ``judge`` for clean clips and for every condition of ``profile``.
        profile: what was run.

    Returns:
        Two rows for each (encoder, benchmark, probe) whose conditions are complete, with the profile's name
        as corruption and severity 0.
    """
    groups: dict[tuple[object, ...], dict[tuple[str, int, str], Row]] = {}
    for row in rows:
        identity = (
            row.config_hash,
            row.seed,
            row.step,
            row.weights,
            row.variant,
            row.benchmark,
            row.probe,
            row.split,
        )
        groups.setdefault(identity, {})[(row.corruption, row.severity, row.metric)] = row
    summary: list[Row] = []
    for found in groups.values():
        clean, constant = found.get((*CLEAN, "top1")), found.get((*CLEAN, "constant_predictor"))
        corrupted = {key: found.get((*key, "top1")) for key in profile.conditions}
        present = {key: row for key, row in corrupted.items() if row is not None}
        if clean is None or len(present) < len(corrupted):
            continue
        mpc = mean_performance({key: row.value for key, row in present.items()})
        rpc = relative_performance(mpc, clean.value)
        if constant is not None and constant.value:
            rpc = float("nan")
        template = next(iter(present.values()))
        for metric, value in ((f"mpc_{profile.name}", mpc), (f"rpc_{profile.name}", rpc)):
            summary.append(replace(template, corruption=profile.name, severity=0, metric=metric, value=value))
    return summary


def evaluate_corruptions(
    encoders: Mapping[str, ProbedEncoder],
    dataset: ClipDataset,
    indices: Tensor,
    profile: Profile,
    clean: Sequence[Row],
    *,
    data_name: str,
    batch_size: int = 64,
    progress: bool = True,
    left_out: Tensor | None = None,
) -> Evaluation:
    """Run every condition of a profile and sum it up.

    Args:
        encoders: by label.
        dataset: the split to corrupt.
        indices: (n,) positions in it, those of the clean clips that could be read.
        profile: corruptions and severities.
        clean: rows of the clean clips.
        data_name: name of the data set, part of the key of all random draws.
        batch_size: clips a forward pass.
        progress: show bars.
        left_out: positions of the clips that could not be read.

    Returns:
        Rows of all conditions and the summaries; per-clip predictions of all conditions.
    """
    rows: list[Row] = []
    predictions: list[Predictions] = []
    for condition in profile.conditions:
        found = judge(
            encoders,
            dataset,
            indices,
            data_name=data_name,
            condition=condition,
            batch_size=batch_size,
            protocol_version=profile.hash,
            progress=progress,
            left_out=indices[:0] if left_out is None else left_out,
        )
        rows += found.rows
        predictions += found.predictions
    return Evaluation((*rows, *summarise([*clean, *rows], profile)), tuple(predictions))
