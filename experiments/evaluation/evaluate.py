"""The frozen evaluation: probes fitted on train, chosen on validation, judged once on test, clean and damaged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from data_modules.base import ClipDataModule
from data_modules.clips.broken import BROKEN_FILE, write_broken
from data_modules.clips.datasets import ClipDataset
from experiments.evaluation.analyses.base import Analysis, Report
from experiments.evaluation.analyses.classification import CleanAnswers, CorruptionRobustness
from experiments.evaluation.features.cache import DataKey, Say
from experiments.evaluation.features.reading import broken_files, choose_indices
from experiments.evaluation.fitting import ProbeFitter
from experiments.evaluation.harvest import Participant, forget, harvest
from experiments.evaluation.plan import EvaluationPlan
from experiments.evaluation.ranks import ALONE, Ranks
from experiments.evaluation.subjects import Subject
from experiments.probes import protocol
from experiments.results import Row, read_rows, write_clip_values, write_predictions, write_rows
from vjepa.errors import UserError
from vjepa.storage import atomic_write_text, clear_parts, digest_file, digest_json

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
        views = self.splits["test"].views
        plan = vars(self.plan) | {"chunk_clips": self.plan.videos_at_a_time(self.data, views)} | views.options
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
        fitter = ProbeFitter(
            self.data, self.plan, self.splits, self.chosen, self.cache_folder, self.unfinished,
            self.ranks, self.say, self.progress,
        )  # fmt: skip
        report = Report()
        participants = []
        for number, subject in enumerate(self.subjects, start=1):
            self.say(f"[{number}/{len(self.subjects)}] {subject.label} on {self.data.name}")
            fitted = fitter.fit(subject, complete=number > 1)
            if number == 1:
                for split, lost in fitted.excluded.items():
                    self._tell_excluded(split, lost)
            report += Report(fitted.rows)
            participants.append(Participant(subject, fitted.probes))
        views = self.splits["test"].views
        if views.num_views > 1:
            shown = f"{views.num_clips} clips x {views.num_crops} crops"
            self.say(f"test: {shown} of each video, over which the probabilities of probes are averaged")
        found = harvest(
            participants,
            self.analyses,
            self.splits["test"],
            self.chosen["test"],
            self.unfinished,
            data_name=self.data.name,
            chunk_clips=self.plan.videos_at_a_time(self.data, views),
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

    def _tell_excluded(self, split: str, lost: Tensor) -> None:
        self.excluded[split] = lost
        if len(lost):
            total = len(self.chosen[split])
            self.say(f"{split}: {len(lost)} of {total} clips are broken and left out for all encoders")

    def _write(self, report: Report) -> None:
        clear_parts(self.out_dir)
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
