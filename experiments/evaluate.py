"""Frozen evaluation of any number of encoders on one data set: probes, then robustness on the same probes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor
from tqdm import tqdm

from data_modules.clips.broken import BROKEN_FILE, write_broken
from experiments.encoders import FrozenEncoder
from experiments.features import MEMORY_LIMIT, Features, choose_indices, extract, without_broken
from experiments.probes import FittedProbe, ProbeProtocol, fit_probe, protocol
from experiments.results import RowStamp, write_predictions, write_rows
from experiments.robustness import (
    Evaluation,
    ProbedEncoder,
    benchmark_names,
    evaluate_corruptions,
    judge,
    make_row,
    num_labelled,
)
from vjepa.corruptions import profile
from vjepa.errors import UserError

if TYPE_CHECKING:
    from data_modules.base import ClipDataModule, ClipDataset, Task

Say = Callable[[str], None]

PREDICTIONS = "predictions.parquet"
RESULTS = "results.jsonl"


def evaluate_encoders(
    encoders: Mapping[str, tuple[FrozenEncoder, RowStamp]],
    datamodule: ClipDataModule,
    protocols: Sequence[str] = ("linear_time", "attentive"),
    corruptions: str | None = "smoke",
    *,
    num_train: int | None = None,
    num_val: int | None = None,
    num_test: int | None = None,
    out_dir: Path | None = None,
    batch_size: int = 64,
    memory_limit: int = MEMORY_LIMIT,
    progress: bool = True,
    say: Say = tqdm.write,
) -> Evaluation:
    """Fit probes on train, choose on validation, judge once on test, clean and corrupted.

    Features of one encoder at a time are held in memory; test clips are read once a condition for all
    encoders. Broken clips are left out for all encoders alike, counted in the rows and listed in ``broken.csv``.

    Args:
        encoders: label -> (frozen encoder, identity for its rows).
        datamodule: prepared and set up; gives the splits ``train``, ``val`` and ``test``.
        protocols: names of probe protocols.
        corruptions: name of a corruption profile, or None for clean clips only.
        num_train, num_val, num_test: most clips of each split over all tasks, a fixed subset; None takes all.
        out_dir: where to write ``results.jsonl``, ``predictions.parquet`` and ``broken.csv``; None writes nothing.
        batch_size: clips a forward pass.
        memory_limit: most bytes of token features held at once.
        progress: show bars.
        say: called with a line at each stage.

    Returns:
        All rows and per-clip test predictions. Rows of split ``val`` hold the accuracy by which settings were
        chosen.

    Raises:
        UserError: unknown protocol or profile, no encoder, no labelled clips, none that can be read, or one that could
            be read for some encoders only.
    """
    chosen = [protocol(name) for name in protocols]
    plan = None if corruptions is None else profile(corruptions)
    if not encoders or not chosen:
        raise UserError("nothing to evaluate: name at least one encoder and one probe")
    train, val, test = (datamodule.dataset(split) for split in ("train", "val", "test"))
    clips = {split.split: choose_indices(split, limit) for split, limit in ((train, num_train), (val, num_val))}
    left_out: dict[str, Tensor] = {}
    rows, probed = [], {}
    for number, (label, (encoder, stamp)) in enumerate(encoders.items(), start=1):
        say(f"[{number}/{len(encoders)}] {label}: features and probes {', '.join(protocols)}")
        features = [
            extract(
                encoder,
                split,
                clips[split.split],
                batch_size,
                memory_limit=memory_limit // 2,
                description=f"{label}: {split.split} features",
                progress=progress,
                complete=number > 1,
            )
            for split in (train, val)
        ]
        if number == 1:
            for split in (train, val):
                clips[split.split], left_out[split.split] = _without_broken(split, clips[split.split], say)
        fitted = _fit_all(label, chosen, datamodule.tasks, features[0], features[1], say)
        probed[label] = ProbedEncoder(encoder, stamp, fitted)
        names = benchmark_names(datamodule.name, [task.name for task in datamodule.tasks])
        rows += [
            make_row(
                stamp,
                names[probe.column],
                "val",
                probe,
                "top1",
                probe.val_top1,
                probe.num_val,
                excluded=num_labelled(val, left_out["val"], probe.column),
            )
            for probe in fitted
        ]
    indices = choose_indices(test, num_test)
    say(f"test: {len(indices)} clips, {len(encoders)} encoders, clean")
    clean = judge(probed, test, indices, data_name=datamodule.name, batch_size=batch_size, progress=progress)
    rows += clean.rows
    predictions = list(clean.predictions)
    indices, left_out["test"] = _without_broken(test, indices, say)
    if plan is not None:
        say(f"robustness: profile {plan.name}, {len(plan.conditions)} conditions on the same clips and probes")
        damaged = evaluate_corruptions(
            probed,
            test,
            indices,
            plan,
            clean.rows,
            data_name=datamodule.name,
            batch_size=batch_size,
            progress=progress,
            left_out=left_out["test"],
        )
        rows += damaged.rows
        predictions += damaged.predictions
    if out_dir is not None:
        write_predictions(out_dir / PREDICTIONS, predictions)
        write_rows(out_dir / RESULTS, rows)
        splits = ((split, left_out[split.split]) for split in (train, val, test))
        write_broken(
            out_dir / BROKEN_FILE,
            [split.broken.found[split.video_ids[index]] for split, lost in splits for index in lost.tolist()],
        )
    return Evaluation(tuple(rows), tuple(predictions))


def _without_broken(dataset: ClipDataset, indices: Tensor, say: Say) -> tuple[Tensor, Tensor]:
    """Say how many clips are broken; returns the positions of the others, and theirs."""
    kept, lost = without_broken(dataset, indices)
    if len(lost):
        first = dataset.broken.error(dataset.video_ids[int(lost[0])])
        say(
            f"{dataset.split}: {len(lost)} of {len(indices)} clips are broken and left out for all encoders, "
            f"{len(kept)} are judged (the first: {first})"
        )
    return kept, lost


def _fit_all(
    label: str,
    protocols: Sequence[ProbeProtocol],
    tasks: Sequence[Task],
    train: Features,
    val: Features,
    say: Say,
) -> tuple[FittedProbe, ...]:
    fitted = []
    for column, task in enumerate(tasks):
        for item in protocols:
            start = time.monotonic()
            probe = fit_probe(item, train, val, column, len(task.classes))
            fitted.append(probe)
            say(
                f"  {label}, {task.name}, {item.name}: val {100 * probe.val_top1:.1f} % "
                f"({probe.probe.choice}; {time.monotonic() - start:.1f} s)"
            )
    return tuple(fitted)
