"""The frozen evaluation: probes fitted on train, chosen on validation, judged once on test, clean and damaged."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path

from torch import Tensor, nn
from tqdm import tqdm

from data_modules.base import ClipDataModule
from data_modules.clips.broken import BROKEN_FILE, write_broken
from data_modules.clips.datasets import ClipDataset
from experiments.evaluation.analyses.base import Analysis, Report
from experiments.evaluation.analyses.classification import CleanAnswers, CorruptionRobustness
from experiments.evaluation.analyses.rows import RowMaker, benchmark_names, num_labelled
from experiments.evaluation.features.cache import DataKey, FeatureCache, Say
from experiments.evaluation.features.reading import broken_files, choose_indices
from experiments.evaluation.features.sources import make_source
from experiments.evaluation.features.token_source import TokenSource
from experiments.evaluation.fitted import Place, Shelf
from experiments.evaluation.harvest import Participant, forget, harvest
from experiments.evaluation.plan import EvaluationPlan
from experiments.evaluation.ranks import ALONE, Ranks
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import View, named
from experiments.probes import FittedProbe, fit_probe, load_probe, protocol
from experiments.results import Row, read_rows, write_clip_values, write_predictions, write_rows
from vjepa.errors import UserError
from vjepa.storage import atomic_write_text, digest_file, digest_json

RESULTS = "results.jsonl"
PREDICTIONS = "predictions.parquet"
CLIP_VALUES = "clips.parquet"
DONE = "EVALUATED.json"


def evaluate(
    subjects: Sequence[Subject],
    data: ClipDataModule,
    plan: EvaluationPlan,
    analyses: Sequence[Analysis] = (),
    *,
    out_dir: Path,
    cache_folder: Path | None = None,
    ranks: Ranks = ALONE,
    progress: bool = True,
    say: Say = tqdm.write,
) -> Report:
    """Probe every subject on one data set and ask the analyses about its test clips.

    Every probe is judged on clean test clips, whether or not an analysis asks for more. Broken clips are left out for
    all subjects alike, counted in the rows and listed in ``broken.csv``. An evaluation that was broken off goes on; a
    finished one of equal inputs is read back.

    Args:
        subjects: one or more, of different labels.
        data: prepared and set up; gives the splits ``train``, ``val`` and ``test``.
        plan: probes and numbers of clips.
        analyses: what is asked of the test clips.
        out_dir: for ``results.jsonl``, ``predictions.parquet``, ``clips.parquet`` and ``broken.csv``.
        cache_folder: of features and fitted probes; None keeps features in memory, and probes for this evaluation.
        ranks: processes that share the work and the file system.
        progress: show bars.
        say: called with a line at each stage.

    Returns:
        All rows; predictions and per-clip values only where they were made by this call. Rows of split ``val`` hold
        the accuracy by which settings were chosen.

    Raises:
        UserError: no subject, labels given twice, no clips that can be read, clips that could be read for some
            subjects only, or a folder that cannot be written.
    """
    work = _Work(tuple(subjects), data, plan, _with_clean(analyses, plan), out_dir, cache_folder, ranks, progress, say)
    return work.run()


def _with_clean(analyses: Sequence[Analysis], plan: EvaluationPlan) -> tuple[Analysis, ...]:
    has_clean = any(
        isinstance(one, CleanAnswers) or (isinstance(one, CorruptionRobustness) and one.clean) for one in analyses
    )
    return tuple(analyses) if has_clean else (CleanAnswers(plan.options), *analyses)


@dataclass(frozen=True)
class _Work:
    """One call of ``evaluate``; see there."""

    subjects: tuple[Subject, ...]
    data: ClipDataModule
    plan: EvaluationPlan
    analyses: tuple[Analysis, ...]
    out_dir: Path
    cache_folder: Path | None
    ranks: Ranks
    progress: bool
    say_all: Say
    excluded: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        labels = [subject.label for subject in self.subjects]
        if not labels or len(set(labels)) < len(labels):
            raise UserError(f"expected encoders of different names, at least one, got {labels}")

    def say(self, line: str) -> None:
        """Say a line once, however many processes there are."""
        if self.ranks.is_first:
            self.say_all(line)

    @cached_property
    def splits(self) -> dict[str, ClipDataset]:
        """Splits by name."""
        return {name: self.data.dataset(name) for name in ("train", "val", "test")}  # type: ignore[arg-type]

    @cached_property
    def chosen(self) -> dict[str, Tensor]:
        """Positions of the clips of each split."""
        limits = {"train": self.plan.num_train, "val": self.plan.num_val, "test": self.plan.num_test}
        return {name: choose_indices(split, limits[name]) for name, split in self.splits.items()}

    @cached_property
    def key(self) -> str:
        """Digest of everything that the numbers depend on."""
        who = [
            [subject.label, subject.digest, vars(subject.stamp), self.plan.wanted(subject)] for subject in self.subjects
        ]
        probes = [protocol(name).hash for name in (*self.plan.probes, *self.plan.subspace_probes)]
        what = [analysis.identity for analysis in self.analyses]
        data = vars(DataKey.of(self.data))
        plan = vars(self.plan) | {"chunk_clips": self.plan.clips_at_a_time(self.data)}
        return digest_json([who, probes, what, data, plan])

    @property
    def unfinished(self) -> Path:
        """What an evaluation leaves for its continuation."""
        return self.out_dir / f"unfinished-{self.key[:16]}"

    def run(self) -> Report:
        """See ``evaluate``."""
        if (rows := self._finished()) is not None:
            self.say(f"{self.data.name}: evaluated before, {self.out_dir}")
            return Report(tuple(rows))
        report = Report()
        participants = []
        for number, subject in enumerate(self.subjects, start=1):
            self.say(f"[{number}/{len(self.subjects)}] {subject.label} on {self.data.name}")
            probes, rows = self._fit(subject, number)
            report += Report(tuple(rows))
            participants.append(Participant(subject, probes))
        found = harvest(
            participants,
            self.analyses,
            self.splits["test"],
            self.chosen["test"],
            self.unfinished,
            data_name=self.data.name,
            chunk_clips=self.plan.clips_at_a_time(self.data),
            ranks=self.ranks,
            progress=self.progress and self.ranks.is_first,
        )
        self.excluded["test"] = next(iter(found.values())).excluded
        for who in participants:
            for analysis in self.analyses:
                report += analysis.report(who.subject, who.probes, found[who.subject.label])
        if self.ranks.is_first:
            self._write(report)
        self.ranks.barrier()
        return report

    def _finished(self) -> list[Row] | None:
        try:
            said = json.loads((self.out_dir / DONE).read_text())
        except (OSError, ValueError):
            return None
        return read_rows(self.out_dir / RESULTS) if said == self._done_mark() else None

    def _done_mark(self) -> dict[str, str] | None:
        """What vouches for a finished evaluation; None where a file is missing."""
        files = {name: self.out_dir / name for name in (RESULTS, PREDICTIONS)}
        if not all(path.is_file() for path in files.values()):
            return None
        return {"key": self.key, **{name: digest_file(path) for name, path in files.items()}}

    def _fit(self, subject: Subject, number: int) -> tuple[tuple[FittedProbe, ...], list[Row]]:
        """Fitted probes of a subject, by view, protocol and task; only those that no evaluation has fitted before."""
        sources = self._cached_means(subject)
        places = None if sources is None else self._places(subject, sources)
        found = [None if places is None else place.find(self.say) for place in places or ()]
        if sources is None or places is None or None in found:
            sources = self._sources(subject, complete=number > 1)
            places = self._places(subject, sources)
            found = [self._fit_one(subject, place, sources) for place in places]
        else:
            self.say(f"  {len(found)} probes were fitted before")
        if number == 1:
            for split, source in sources.items():
                self._tell_excluded(split, source.excluded)
        probes = tuple(probe for probe in found if probe is not None)
        return probes, [self._row(subject, probe, sources["val"].excluded) for probe in probes]

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

    def _tell_excluded(self, split: str, lost: Tensor) -> None:
        self.excluded[split] = lost
        if len(lost):
            total = len(self.chosen[split])
            self.say(f"{split}: {len(lost)} of {total} clips are broken and left out for all encoders")

    def _write(self, report: Report) -> None:
        lost = self.excluded["test"]
        if len(lost):
            self.say(f"test: {len(lost)} of {len(self.chosen['test'])} clips are broken and left out for all encoders")
        write_predictions(self.out_dir / PREDICTIONS, report.predictions)
        write_clip_values(self.out_dir / CLIP_VALUES, report.clips)
        write_rows(self.out_dir / RESULTS, report.rows)
        files = [broken_files(self.splits[split], positions).values() for split, positions in self.excluded.items()]
        write_broken(self.out_dir / BROKEN_FILE, list(chain(*files)))
        atomic_write_text(self.out_dir / DONE, json.dumps(self._done_mark(), indent=2) + "\n")
        forget(self.unfinished)


def device_of(subject: Subject) -> str:
    """Device of the encoder of a subject."""
    encoder = subject.encoder
    weights = next(encoder.parameters(), None) if isinstance(encoder, nn.Module) else None
    return "cpu" if weights is None else str(weights.device)
