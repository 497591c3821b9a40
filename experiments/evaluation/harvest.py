"""Shows test clips to every subject under every condition, and keeps what probes and analyses say of each clip.

Clips go chunk by chunk: each is decoded once, damaged once for each condition, and encoded once for each subject and
condition. Where a video has several views, probes answer to all of them and their answers are averaged; anything else
is asked about the first. A finished chunk is a file, so an evaluation that was broken off goes on where it was, and
several processes share the chunks; which clips make a chunk depends on neither, so nor does any number.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from data_modules.clips.broken import BrokenFile
from data_modules.clips.datasets import ClipDataset
from data_modules.generated.workers import available_cores
from experiments.evaluation.analyses.base import MEAN, SURPRISE, Analysis, Arrays, Found, logits_key
from experiments.evaluation.averaging import average_views
from experiments.evaluation.conditions import CLEAN, Condition
from experiments.evaluation.encoded import Encoded, Pooled, encode
from experiments.evaluation.features.reading import broken_files
from experiments.evaluation.ranks import ALONE, Ranks
from experiments.evaluation.shown import Shown, read_shown
from experiments.evaluation.subjects import Subject, Surprise
from experiments.probes import FittedProbe
from experiments.side_by_side import side_by_side
from vjepa.errors import UserError
from vjepa.storage import atomic_path

CHUNK_CLIPS = 32
"""Clips of a chunk, and most clips that share the sizes of their masks where a predictor is asked."""

SMALL_BYTES = 2**25
"""Most bytes of frames that several conditions of a chunk may have together to be worked on at once."""


@dataclass(frozen=True)
class Participant:
    """A subject with the probes that were fitted on its clean features."""

    subject: Subject
    probes: tuple[FittedProbe, ...]


def all_conditions(analyses: Sequence[Analysis]) -> tuple[Condition, ...]:
    """Clean, then every condition of any analysis once, in their order."""
    return tuple(dict.fromkeys(chain([CLEAN], *(analysis.conditions for analysis in analyses))))


def harvest(
    participants: Sequence[Participant],
    analyses: Sequence[Analysis],
    dataset: ClipDataset,
    indices: Tensor,
    folder: Path,
    *,
    data_name: str,
    chunk_clips: int = CHUNK_CLIPS,
    ranks: Ranks = ALONE,
    progress: bool = True,
) -> dict[str, Found]:
    """Collect everything about every subject.

    Args:
        participants: one or more, of different labels.
        analyses: their conditions are shown, their numbers collected.
        dataset: the split to show.
        indices: (n,) positions in it.
        folder: of finished chunks; whoever names it makes sure that it belongs to exactly these inputs.
        data_name: key of the random draws of corruptions.
        chunk_clips: clips decoded, damaged and encoded at a time, >= 1, each with all its views; a multiple of
            ``CHUNK_CLIPS`` gives the same numbers as any other multiple, up to rounding.
        ranks: processes that share the work.
        progress: show a bar in clips.

    Returns:
        By label, the same in every process.

    Raises:
        UserError: no clip can be read, a subject returns tokens that are not finite, or ``folder`` cannot be written.
    """
    chunks = list(indices.split(chunk_clips))
    conditions = all_conditions(analyses)
    own = [number for number in range(len(chunks)) if number % ranks.world == ranks.rank]
    missing = [number for number in own if _load(_path(folder, number)) is None]
    done = sum(len(chunks[number]) for number in own) - sum(len(chunks[number]) for number in missing)
    total = sum(len(chunks[number]) for number in own)
    title = f"{dataset.split}: {len(conditions)} condition{'s' * (len(conditions) > 1)}"
    with tqdm(total=total, initial=done, desc=title, unit="clip", disable=not progress, leave=False) as bar:
        threads = max(1, available_cores() // ranks.world)
        for number, shown in read_shown(dataset, chunks, missing, conditions, data_name, threads):
            views = dataset.views.num_views
            index, labels = shown.clip.index[::views], shown.clip.labels[::views]
            places = number * chunk_clips + (chunks[number] == index[:, None]).int().argmax(1)
            masks = places // min(CHUNK_CLIPS, chunk_clips)
            collected = _collect(participants, analyses, conditions, shown, views, masks) if len(index) else {}
            broken = [tuple(file) for file in broken_files(dataset, chunks[number]).values()]
            chunk = {"index": index, "labels": labels, "broken": broken, "arrays": collected}
            with atomic_path(_path(folder, number)) as temporary:
                torch.save(chunk, temporary)
            bar.update(len(chunks[number]))
    ranks.barrier()
    return _merge(participants, conditions, dataset, indices, folder, len(chunks), data_name)


def forget(folder: Path) -> None:
    """Remove the chunks of a finished evaluation."""
    shutil.rmtree(folder, ignore_errors=True)


def _path(folder: Path, number: int) -> Path:
    return folder / f"chunk{number:05d}.pt"


def _collect(
    participants: Sequence[Participant],
    analyses: Sequence[Analysis],
    conditions: Sequence[Condition],
    shown: Shown,
    num_views: int,
    masks: Tensor,
) -> dict[str, dict[Condition, dict[str, Tensor]]]:
    """Arrays of one chunk by label and condition; clips of equal ``masks`` (B,) share the sizes of those."""
    device = next((one.device for one in map(_weights, participants) if one is not None), shown.clip.frames.device)
    # Clips of a GPU's encoder are damaged there, and cross over once.
    shown = replace(shown, clip=shown.clip.to(device))
    asked = _Asked(participants, analyses, shown, num_views, masks, {})
    found = {CLEAN: asked.under(CLEAN)}
    damaged = [condition for condition in conditions if condition != CLEAN]
    jobs = [lambda _, condition=condition: asked.under(condition) for condition in damaged]
    # On small clips a condition on each core is faster than all cores on one; large ones would fill the memory.
    is_small = shown.clip.frames.nbytes * torch.get_num_threads() <= SMALL_BYTES
    at_once = device.type == "cpu" and is_small
    answers = side_by_side(jobs) if at_once else [asked.under(condition) for condition in damaged]
    found |= zip(damaged, answers, strict=True)
    labels = [who.subject.label for who in participants]
    return {label: {condition: found[condition][label] for condition in conditions} for label in labels}


@dataclass(frozen=True)
class _Asked:
    """One chunk of clips, and everything that is asked about them under a condition.

    Args:
        participants, analyses: of the harvest.
        shown: on the device.
        num_views: V.
        masks: (B,) as in ``_collect``.
        clean: tokens of the clips as they are by label, filled by ``under(CLEAN)``, which comes first.
    """

    participants: Sequence[Participant]
    analyses: Sequence[Analysis]
    shown: Shown
    num_views: int
    masks: Tensor
    clean: dict[str, Encoded]

    @torch.no_grad()
    def under(self, condition: Condition) -> dict[str, dict[str, Tensor]]:
        """Arrays by label. Several threads may ask at once."""
        frames = self.shown.under(condition).to(self.shown.clip.frames.device)
        return {who.subject.label: self._of(who, condition, frames) for who in self.participants}

    def _of(self, who: Participant, condition: Condition, frames: Tensor) -> dict[str, Tensor]:
        label = who.subject.label
        all_views = encode(who.subject.encoder, frames)
        if not bool(torch.isfinite(all_views.time).all()):
            raise UserError(f"{label}: the encoder returned infinite or NaN tokens; it has diverged")
        seen = all_views.first_of(self.num_views)
        if condition == CLEAN:
            # Tokens of a large model would fill the memory; analyses compare means over space.
            self.clean[label] = Pooled(seen.time)
        arrays = _answers(who, all_views, self.num_views)
        if any(analysis.needs_mean for analysis in self.analyses):
            arrays[MEAN] = seen.mean.half()
        if who.subject.surprise is not None and any(analysis.needs_surprise for analysis in self.analyses):
            arrays[SURPRISE] = _surprise(who.subject.surprise, frames[:: self.num_views], seen.tokens, self.masks)
        for analysis in self.analyses:
            if condition == CLEAN or condition in analysis.conditions:
                extra = analysis.collect(who.subject, who.probes, self.clean[label], condition, seen)
                arrays |= {f"{analysis.name}/{name}": value for name, value in extra.items()}
        return {name: value.detach().cpu().clone() for name, value in arrays.items()}


def _weights(who: Participant) -> Tensor | None:
    encoder = who.subject.encoder
    return next(encoder.parameters(), None) if isinstance(encoder, nn.Module) else None


def _surprise(ask: Surprise, frames: Tensor, tokens: Tensor, numbers: Tensor) -> Tensor:
    """Errors (B,) of a predictor, which is asked about clips of one number (B,) at a time."""
    sizes = numbers.unique_consecutive(return_counts=True)
    groups, counts = (values.tolist() for values in sizes)
    parts = zip(frames.split(counts), tokens.split(counts), groups, strict=True)
    return torch.cat([ask(*part) for part in parts])


def _answers(who: Participant, seen: Encoded, num_views: int) -> dict[str, Tensor]:
    """Logits of each probe, averaged over the views of a video."""
    named = {view.name: view for view in who.subject.views}
    parts = {name: seen.part(named[name]) for name in {probe.view for probe in who.probes}}
    return {
        logits_key(number): average_views(probe.logits(parts[probe.view]), num_views)
        for number, probe in enumerate(who.probes)
    }


def _load(path: Path) -> dict[str, Any] | None:
    """A chunk, or None if there is none that can be read."""
    try:
        chunk: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except (OSError, EOFError, RuntimeError, UnpicklingError):
        return None
    return chunk


def _merge(
    participants: Sequence[Participant],
    conditions: Sequence[Condition],
    dataset: ClipDataset,
    indices: Tensor,
    folder: Path,
    num_chunks: int,
    data_name: str,
) -> dict[str, Found]:
    chunks = []
    for number in range(num_chunks):
        chunk = _load(_path(folder, number))
        if chunk is None:
            raise UserError(
                f"{_path(folder, number)} is missing or torn: all processes of an evaluation need the same folder; "
                "repeat the command, which goes on with what is finished"
            )
        chunks.append(chunk)
    for chunk in chunks:
        for file in chunk["broken"]:
            dataset.broken.note(BrokenFile(*file))
    full = [chunk for chunk in chunks if len(chunk["index"])]
    if not full:
        raise UserError(f"{dataset.split}: all {len(indices)} clips are broken; check the data root and the files")
    index, labels = (torch.cat([chunk[name] for chunk in full]) for name in ("index", "labels"))
    excluded = indices[~torch.isin(indices, index)]
    found = {}
    for who in participants:
        label = who.subject.label
        arrays: Mapping[Condition, Arrays] = {
            condition: {
                name: torch.cat([chunk["arrays"][label][condition][name] for chunk in full])
                for name in full[0]["arrays"][label][condition]
            }
            for condition in conditions
        }
        found[label] = Found(data_name, dataset, labels, index, excluded, arrays, dataset.views)
    return found
