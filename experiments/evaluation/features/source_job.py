"""One making of a source: plan, share the work, put the tables together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from data_modules.clips.datasets import ClipDataset
from experiments.evaluation.features.cache import FeatureCache, Kind, Say
from experiments.evaluation.features.extract import extract
from experiments.evaluation.features.mapped_table import MappedTable
from experiments.evaluation.features.online_table import OnlineTable
from experiments.evaluation.features.reading import changed, left_out
from experiments.evaluation.features.sinks import FileSink, Make, MemorySink, Sink, means, tokens_of
from experiments.evaluation.features.source_files import SourceFiles
from experiments.evaluation.features.source_plan import (
    Place,
    Shapes,
    SourcePlan,
    all_broken,
    check_means,
    measure,
    place_tokens,
)
from experiments.evaluation.features.tables import Kept, MemoryTable, Table
from experiments.evaluation.features.token_source import TokenSource
from experiments.evaluation.ranks import Ranks
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import View
from vjepa.errors import UserError
from vjepa.storage import atomic_write_text


@dataclass(frozen=True, kw_only=True)
class SourceJob:
    """Everything that ``make_source`` was asked for; see there."""

    subject: Subject
    dataset: ClipDataset
    positions: Tensor
    title: str
    needs_tokens: bool
    token_views: tuple[View, ...] | None
    cache: FeatureCache | None
    memory_limit: int
    batch_size: int
    num_workers: int
    complete: bool
    ranks: Ranks
    say: Say
    progress: bool

    def run(self) -> TokenSource:
        """Return the source; all processes call this."""
        known = left_out(self.dataset, self.positions)
        with ExitStack() as locks:
            plan = self._agree(locks)
            sinks = self._sinks(plan)
            self._extract(list(sinks.values()))
        return self._assemble(plan, sinks, known)

    def _agree(self, locks: ExitStack) -> SourcePlan:
        """The first process decides and prepares the files; the others read what it decided."""
        if self.cache is None:
            return self._plan_without_files()
        if self.ranks.world == 1:
            return self._plan(self._files(self.cache), locks)
        files = self._files(self.cache)
        note = files.path("means").with_suffix(".plan.json")
        if self.ranks.is_first:
            try:
                atomic_write_text(note, json.dumps({"plan": asdict(self._plan(files, locks))}))
            except UserError as error:
                atomic_write_text(note, json.dumps({"error": str(error)}))
        self.ranks.barrier()
        said = json.loads(note.read_text())
        if "error" in said:
            raise UserError(said["error"])
        return SourcePlan.of(said["plan"])

    def _plan_without_files(self) -> SourcePlan:
        num_clips = len(self.positions)
        shapes = self._measured()
        check_means(num_clips, shapes, self.memory_limit, self.title)
        if not self.needs_tokens:
            return SourcePlan("nowhere", (), False, shapes)
        width = Kept.of(shapes.tokens[-1], self.token_views).width
        place, why = place_tokens(num_clips, shapes, width, 0, self.memory_limit, is_shared=False)
        self.say(f"{self.title}: {num_clips} clips; {why}")
        return SourcePlan(place, (), False, shapes)

    def _plan(self, files: SourceFiles, locks: ExitStack) -> SourcePlan:
        shapes = self._measured() if self.needs_tokens else None
        make: list[Kind] = []
        is_cached = files.is_there("means", shapes) or files.claim("means", shapes, make, locks)
        text = f"{self.title}: {len(self.positions)} clips; means {'cached' if is_cached else 'are made'}"
        place: Place = "nowhere"
        has_frames = False
        if shapes is not None:
            place, why = self._place(files, shapes, make, locks)
            has_frames = place == "online" and files.has_room("frames", shapes)
            if has_frames and not files.is_there("frames", shapes):
                files.claim("frames", shapes, make, locks)
            text += f"; {why}"
            if place == "online":
                text += ", over decoded clips on disk" if has_frames else ", and clips are decoded again"
        elif make:
            shapes = self._measured()
        self.say(text)
        for kind in make:
            assert shapes is not None
            files.create(kind, shapes)
        return SourcePlan(place, tuple(make), has_frames, shapes)

    def _place(self, files: SourceFiles, shapes: Shapes, make: list[Kind], locks: ExitStack) -> tuple[Place, str]:
        if files.is_there("tokens", shapes):
            return "disk", "tokens cached"
        width, room = files.kept(shapes).width, files.cache.room(files.path("tokens", shapes))
        shared = self.ranks.world > 1
        place, why = place_tokens(len(self.positions), shapes, width, room, self.memory_limit, is_shared=shared)
        if place == "disk":
            files.claim("tokens", shapes, make, locks)
        return place, why

    def _measured(self) -> Shapes:
        return measure(self.subject, self.dataset, self.positions, self.title)

    def _files(self, cache: FeatureCache) -> SourceFiles:
        return SourceFiles(
            cache, self.subject, self.dataset, self.positions, self.token_views, self.batch_size, self.say
        )

    def _sinks(self, plan: SourcePlan) -> dict[Kind, Sink]:
        if plan.shapes is None:
            return {}
        sinks: dict[Kind, Sink] = {}
        if self.cache is None:
            sinks["means"] = self._in_memory(plan.shapes.means, torch.float32, means)
        else:
            files = self._files(self.cache)
            sinks |= {kind: files.sink(kind, plan.shapes, self.ranks.rank) for kind in plan.make}
        if plan.tokens == "memory":
            kept = Kept.of(plan.shapes.tokens[-1], self.token_views)
            shape = (*plan.shapes.tokens[:2], kept.width)
            sinks["tokens"] = self._in_memory(shape, torch.float16, tokens_of(kept))
        return sinks

    def _in_memory(self, row_shape: tuple[int, ...], dtype: torch.dtype, make: Make) -> MemorySink:
        return MemorySink(len(self.positions), row_shape, dtype, make, self.batch_size)

    def _extract(self, sinks: Sequence[Sink]) -> None:
        if not sinks:
            return
        extract(
            self.subject.encoder,
            self.dataset,
            self.positions,
            sinks,
            title=self.title,
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            complete=self.complete,
            ranks=self.ranks,
            progress=self.progress,
        )
        self.ranks.barrier()
        if self.ranks.is_first:
            for sink in sinks:
                if isinstance(sink, FileSink):
                    sink.file.publish({"subject": self.subject.label, "split": self.dataset.split})
        self.ranks.barrier()

    def _assemble(self, plan: SourcePlan, sinks: Mapping[Kind, Sink], known: Tensor) -> TokenSource:
        pooled = self._table("means", plan, sinks)
        tokens = None if plan.tokens == "nowhere" else self._table("tokens", plan, sinks)
        # Every clip that a table lacks is listed as broken by now.
        present = ~left_out(self.dataset, self.positions)
        if self.complete and not bool((known | present).all()):
            raise changed(self.dataset, int(self.positions[~(known | present)][0]))
        if not bool(present.any()):
            raise all_broken(self.title, len(self.positions))
        index = self.positions[present]
        rows = present.nonzero()[:, 0]
        return TokenSource(self.dataset.labels[index], index, self.positions[~present], pooled, tokens, rows)

    def _table(self, kind: Kind, plan: SourcePlan, sinks: Mapping[Kind, Sink]) -> Table:
        """Open what was found or made."""
        if kind == "tokens" and plan.tokens == "online":
            assert plan.shapes is not None
            frames = self._mapped("frames", plan) if plan.has_frames else None
            return OnlineTable(
                self.subject.encoder, self.dataset, self.positions, plan.shapes.tokens, frames, self.batch_size
            )
        sink = sinks.get(kind)
        if isinstance(sink, MemorySink):
            assert plan.shapes is not None
            kept = Kept.of(plan.shapes.tokens[-1], self.token_views) if kind == "tokens" else None
            return MemoryTable(sink.values, kept)
        return self._mapped(kind, plan)

    def _mapped(self, kind: Kind, plan: SourcePlan) -> MappedTable:
        assert self.cache is not None
        return self._files(self.cache).table(kind, plan.shapes)
