"""Probes of one subject on one data set: features of train and validation, then whatever is not fitted yet."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from data_modules.base import ClipDataModule
from data_modules.clips.datasets import ClipDataset
from experiments.evaluation.analyses.rows import RowMaker, benchmark_names, num_labelled
from experiments.evaluation.features.cache import DataKey, FeatureCache, Say
from experiments.evaluation.features.sources import make_source
from experiments.evaluation.features.token_source import TokenSource
from experiments.evaluation.plan import EvaluationPlan
from experiments.evaluation.probe_shelf import Place, Shelf
from experiments.evaluation.ranks import Ranks
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import View, named
from experiments.probes import FittedProbe, fit_probe, load_probe, protocol
from experiments.results import Row


@dataclass(frozen=True)
class Fitted:
    """Probes of one subject.

    Args:
        probes: by view, protocol and task.
        rows: accuracy of each on validation, by which its settings were chosen.
        excluded: positions of broken clips by split.
    """

    probes: tuple[FittedProbe, ...]
    rows: tuple[Row, ...]
    excluded: Mapping[str, Tensor]


@dataclass(frozen=True)
class ProbeFitter:
    """Fits probes for any number of subjects on the same clips.

    Args:
        data: whose clips.
        plan: which probes.
        splits, chosen: data sets and positions of their clips, by split.
        cache_folder: of features and probes; None keeps features in memory.
        unfinished: of probes where there is no cache.
        ranks: processes that share the work.
        say: called with a line at each stage.
        progress: show bars.
    """

    data: ClipDataModule
    plan: EvaluationPlan
    splits: Mapping[str, ClipDataset]
    chosen: Mapping[str, Tensor]
    cache_folder: Path | None
    unfinished: Path
    ranks: Ranks
    say: Say
    progress: bool

    def fit(self, subject: Subject, complete: bool) -> Fitted:
        """Fitted probes of a subject, by view, protocol and task; only what no evaluation has fitted before is fitted.

        Args:
            subject: whose features.
            complete: whether all clips that are not known as broken can be read, since an earlier subject saw them.
        """
        sources, found = self._stored(subject)
        if sources is None or None in found:
            sources = self._sources(subject, complete)
            places = self._places(subject, sources)
            found = [self._fit_one(subject, place, sources) for place in places]
        else:
            self.say(f"  {len(found)} probes were fitted before")
        probes = tuple(probe for probe in found if probe is not None)
        rows = tuple(self._row(subject, probe, sources["val"].excluded) for probe in probes)
        return Fitted(probes, rows, {split: source.excluded for split, source in sources.items()})

    def stored(self, subject: Subject) -> tuple[FittedProbe, ...]:
        """The probes of a subject that were fitted before, by view, protocol and task; nothing is fitted or encoded."""
        return tuple(probe for probe in self._stored(subject)[1] if probe is not None)

    def _stored(self, subject: Subject) -> tuple[dict[str, TokenSource] | None, list[FittedProbe | None]]:
        """Features without tokens where they are in the cache, and each probe that is there."""
        sources = self._cached_means(subject)
        places = [] if sources is None else self._places(subject, sources)
        return sources, [place.find(self.say) for place in places]

    def _row(self, subject: Subject, probe: FittedProbe, excluded: Tensor) -> Row:
        """Accuracy on validation."""
        lost = num_labelled(self.splits["val"], excluded, probe.column)
        benchmark = benchmark_names(self.data.name, [task.name for task in self.data.tasks])[probe.column]
        maker = RowMaker(
            subject.stamp, benchmark, "val", probe.protocol.name, probe.view, probe.num_val, lost,
            probe.protocol.hash, self.plan.options,
        )  # fmt: skip
        return maker.row("top1", probe.val_top1)

    def _places(self, subject: Subject, sources: dict[str, TokenSource]) -> list[Place]:
        """Where the probes of a subject are kept: in the cache, or until the end of this evaluation."""
        folder = self.unfinished if self.cache_folder is None else self.cache_folder
        shelf = Shelf(folder, DataKey.of(self.data))
        return [
            shelf.place(subject, named(subject.views, view), protocol(name), column, len(task.classes), sources)
            for view, name in self.plan.wanted(subject)
            for column, task in enumerate(self.data.tasks)
        ]

    def _cached_means(self, subject: Subject) -> dict[str, TokenSource] | None:
        """Features without tokens, where all of them are in the cache: enough where no probe is to be fitted.

        Several processes would have to agree on whether they are; they make the features, which they share anyway.
        """
        if self.cache_folder is None or self.ranks.world > 1:
            return None
        cache = FeatureCache(self.cache_folder, DataKey.of(self.data))
        splits = ("train", "val")
        if not all(cache.path("means", split, self.chosen[split], subject.digest).exists() for split in splits):
            return None
        return {split: self._source(subject, split, None, False) for split in splits}

    def _sources(self, subject: Subject, complete: bool) -> dict[str, TokenSource]:
        """Features of train and validation, with all that the probes of a subject read."""
        wanted = self.plan.wanted(subject)
        readers = tuple(named(subject.views, view) for view, name in wanted if protocol(name).reads == "tokens")
        return {split: self._source(subject, split, readers or None, complete) for split in ("train", "val")}

    def _source(self, subject: Subject, split: str, readers: tuple[View, ...] | None, complete: bool) -> TokenSource:
        cache = None if self.cache_folder is None else FeatureCache(self.cache_folder, DataKey.of(self.data))
        return make_source(
            subject,
            self.splits[split],
            self.chosen[split],
            needs_tokens=readers is not None,
            token_views=readers,
            cache=cache,
            batch_size=self.plan.clips_at_a_time(self.data),
            num_workers=self.data.num_workers,
            complete=complete,
            ranks=self.ranks,
            say=self.say,
            progress=self.progress,
        )

    def _fit_one(self, subject: Subject, place: Place, sources: dict[str, TokenSource]) -> FittedProbe:
        """Fit in the first process, or find what it has fitted."""
        found = place.find(self.say) if self.ranks.is_first else None
        if self.ranks.is_first and found is None:
            start = time.monotonic()
            train, val = (sources[split].part(named(subject.views, place.view)) for split in ("train", "val"))
            task = self.data.tasks[place.column]
            fitted = fit_probe(place.protocol, train, val, place.column, place.num_classes, device_of(subject))
            found = place.keep(fitted)
            self.say(
                f"  {task.name}, {fitted.view}, {place.protocol.name}: val {100 * fitted.val_top1:.1f} % "
                f"({fitted.choice}; {time.monotonic() - start:.1f} s)"
            )
        self.ranks.barrier()
        return load_probe(place.path) if found is None else found


def device_of(subject: Subject) -> str:
    """Device of the encoder of a subject."""
    encoder = subject.encoder
    weights = next(encoder.parameters(), None) if isinstance(encoder, nn.Module) else None
    return "cpu" if weights is None else str(weights.device)
