"""Features are those of the encoder, wherever they are kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from data_modules.clips.loaders import EvaluationLoader
from experiments.evaluation.encoders import PixelEncoder
from experiments.evaluation.features.mapped_table import MappedTable
from experiments.evaluation.features.online_table import OnlineTable
from experiments.evaluation.features.sources import TokenSource, choose_indices, make_source
from experiments.evaluation.features.tables import MemoryTable
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import ALL, View
from tests.experiments.evaluation.features.clips import STAMP, MadeClips, made_cache, made_subject
from vjepa.errors import UserError

INDICES = torch.tensor([5, 3, 40, 17, 0, 22, 8, 9, 30, 31, 2])


def make(dataset: MadeClips, indices: Tensor = INDICES, **options: Any) -> tuple[TokenSource, list[str]]:
    said: list[str] = []
    subject, _ = made_subject()
    options = {"needs_tokens": True, "batch_size": 4, "progress": False, "say": said.append, **options}
    return make_source(subject, dataset, indices, **options), said


@pytest.mark.parametrize("batch_size", [3, 4, 64])
def test_features_are_those_of_the_encoder(batch_size: int) -> None:
    dataset = MadeClips(41)
    source, _ = make(dataset, batch_size=batch_size)
    expected = PixelEncoder(4, 2)(dataset.frames[INDICES])
    assert torch.equal(source.time(), expected.mean(2))
    assert source.time().dtype == torch.float32
    chosen = torch.tensor([7, 0, 7])
    assert torch.equal(source.batch(chosen), expected[chosen].half())
    assert torch.equal(source.time(chosen), expected[chosen].mean(2))
    assert torch.equal(source.index, INDICES)
    assert torch.equal(source.labels, dataset.labels[INDICES])
    assert (len(source), source.width, source.num_steps, len(source.excluded)) == (11, 96, 2, 0)


@pytest.mark.parametrize(
    ("limits", "kind", "words"),
    [
        ({}, MemoryTable, r"tokens 0.00 GiB in memory \(limit 1.00 GiB\)"),
        ({"memory_limit": 0}, MappedTable, r"tokens 0.00 GiB on disk \(room 1.00 GiB\)"),
        (
            {"memory_limit": 0, "disk_limit": 10_000},
            OnlineTable,
            r"fit nowhere .* again at each pass, over decoded clips",
        ),
        ({"memory_limit": 0, "disk_limit": 0}, OnlineTable, r"fit nowhere .*, and clips are decoded again"),
    ],
)
def test_the_place_is_chosen_and_said_and_makes_no_difference(
    tmp_path: Path, limits: dict[str, int], kind: type, words: str
) -> None:
    cache = made_cache(tmp_path, limits.pop("disk_limit", 2**30))
    dataset = MadeClips(41)
    source, said = make(dataset, cache=cache, **limits)
    assert type(source.tokens) is kind
    assert len(said) == 1
    assert re.search(f"it, made train: 11 clips; means are made; .*{words}", said[0])
    expected = PixelEncoder(4, 2)(dataset.frames[INDICES])
    order = [torch.tensor([3, 9]), torch.tensor([10]), torch.tensor([0, 1, 2, 3, 4, 5])]
    for chosen, tokens in zip(order, source.stream(order), strict=True):
        assert torch.equal(tokens, expected[chosen].half())
    before = dataset.num_read
    part = source.part(View("few", torch.tensor([90, 3])))
    assert torch.equal(part.batch(torch.tensor([4])), expected[[4]][..., [90, 3]].half())
    assert torch.equal(part.time(), expected.mean(2)[..., [90, 3]])
    assert (dataset.num_read > before) == ("decoded again" in said[0])


def test_parts_of_parts_and_tasks() -> None:
    source, _ = make(MadeClips(41))
    part = source.part(View("half", slice(48, 96))).part(View("few", torch.tensor([1, 0])))
    assert part.view.name == "few"
    assert torch.equal(part.time(), source.time()[..., [49, 48]])
    assert part.width == 2
    assert source.of_task(0) is source
    labelled = source.of_task(1)
    keep = INDICES % 3 != 0
    assert torch.equal(labelled.index, INDICES[keep])
    assert torch.equal(labelled.labels, source.labels[keep])
    assert torch.equal(labelled.batch(slice(None)), source.batch(keep.nonzero()[:, 0]))
    assert torch.equal(labelled.part(View("few", slice(0, 3))).time(), source.time()[keep][..., :3])


@pytest.mark.parametrize("memory_limit", [0, 2**20])
def test_only_the_tokens_that_are_read_take_room(tmp_path: Path, memory_limit: int) -> None:
    dataset = MadeClips(41)
    views = (View("a", slice(80, 96)), View("b", torch.tensor([7, 2])))
    source, _ = make(dataset, cache=made_cache(tmp_path), token_views=views, memory_limit=memory_limit)
    expected = PixelEncoder(4, 2)(dataset.frames[INDICES]).half()
    for view in (*views, View("c", torch.tensor([2, 95]))):
        assert torch.equal(source.part(view).batch(slice(None)), view.select(expected))
    assert source.time().shape == (11, 2, 96)
    with pytest.raises(ValueError, match=r"'d' were not kept"):
        source.part(View("d", slice(70, 90))).batch(slice(None))
    if not memory_limit:
        (file,) = tmp_path.glob("tokens-*.features")
        assert 0 < file.stat().st_size - 11 * 2 * 4 * 18 * 2 < 1000


def test_means_alone_need_no_tokens(tmp_path: Path) -> None:
    source, said = make(MadeClips(41), needs_tokens=False, cache=made_cache(tmp_path))
    assert said == ["it, made train: 11 clips; means are made"]
    assert {path.name.split("-")[0] for path in tmp_path.glob("*.features")} == {"means"}
    with pytest.raises(ValueError, match="only the means"):
        source.batch(slice(None))


def test_subsets_are_fixed_nested_and_leave_the_global_generator_alone() -> None:
    dataset = MadeClips(320)
    before = torch.get_rng_state()
    few, many = choose_indices(dataset, 50), choose_indices(dataset, 100)
    assert torch.equal(before, torch.get_rng_state())
    assert set(few.tolist()) < set(many.tolist())
    assert torch.equal(few, few.sort().values)
    assert torch.equal(choose_indices(dataset, None), torch.arange(320))


@pytest.mark.parametrize("place", [{}, {"memory_limit": 0}, {"memory_limit": 0, "disk_limit": 0}])
def test_broken_clips_are_left_out_and_listed(tmp_path: Path, place: dict[str, int]) -> None:
    broken = (5, 22, 8, 9, 30)  # the second chunk of four but one, and the first clip
    dataset = MadeClips(41, broken)
    cache = made_cache(tmp_path, place.pop("disk_limit", 2**30))
    source, _ = make(dataset, cache=cache, **place)
    kept = [3, 40, 17, 0, 31, 2]
    assert source.index.tolist() == kept
    assert source.excluded.tolist() == list(broken)
    assert {file.id for file in dataset.broken.found.values()} == {f"clip{number}" for number in broken}
    expected = PixelEncoder(4, 2)(dataset.frames[kept])
    assert torch.equal(source.batch(slice(None)), expected.half())
    assert torch.equal(source.time(), expected.mean(2))
    # A later process finds the means, and the same clips are missing.
    again = MadeClips(41, broken)
    found, said = make(again, cache=cache, needs_tokens=False)
    assert "means cached" in said[0]
    assert torch.equal(found.index, source.index)
    assert torch.equal(found.time(), source.time())
    assert len(again.broken) == 5


def check_loader(broken: tuple[int, ...], batch_size: int) -> None:
    dataset = MadeClips(41, broken)
    source, _ = make(dataset, num_workers=2, batch_size=batch_size)
    assert source.index.tolist() == [number for number in INDICES.tolist() if number not in broken]
    assert torch.equal(source.time(), PixelEncoder(4, 2)(dataset.frames[source.index]).mean(2))
    assert len(dataset.broken) == len(broken)


@pytest.mark.parametrize("broken", [(), (5, 3), (0, 22, 8, 9, 31, 2), (2,)])
def test_chunks_come_from_a_loader_in_their_order(broken: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    def in_this_process(dataset: Any, sampler: Any, batch_size: int, **options: Any) -> EvaluationLoader:
        return EvaluationLoader(dataset, sampler, batch_size)

    monkeypatch.setattr("experiments.evaluation.features.reading.EvaluationLoader", in_this_process)
    check_loader(broken, 2)


@pytest.mark.slow
def test_chunks_come_from_loader_processes() -> None:
    check_loader((0, 22, 8, 9, 31, 2), 2)


def test_a_later_encoder_must_see_the_same_clips(tmp_path: Path) -> None:
    dataset = MadeClips(41, (22,))
    first, _ = make(dataset)
    second, _ = make(dataset, complete=True)
    assert torch.equal(first.index, second.index)
    dataset.unreadable.add(8)
    subject, encoder = made_subject()
    with pytest.raises(UserError, match=r"clip8.mp4.*could be read earlier in this evaluation"):
        make_source(subject, dataset, INDICES, needs_tokens=False, batch_size=2, complete=True, progress=False)
    assert encoder.num_encoded < 8  # it is seen at once, not after all clips
    other = MadeClips(41, (22,))
    source, _ = make(other, cache=made_cache(tmp_path, 0), memory_limit=0)
    other.unreadable.add(3)
    with pytest.raises(UserError, match=r"clip3.mp4.*could be read earlier"):
        source.batch(slice(None))


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="it, train: no clips to encode"):
        make(MadeClips(3), torch.tensor([], dtype=torch.int64))
    with pytest.raises(UserError, match="it, made train: all 3 clips are broken"):
        make(MadeClips(3, (0, 1, 2)), torch.arange(3), cache=made_cache(tmp_path))
    with pytest.raises(UserError, match=r"means over space take .*use fewer clips, or a folder"):
        make(MadeClips(41), memory_limit=100)
    with pytest.raises(UserError, match=r"cannot write .*means-.*choose another folder"):
        (tmp_path / "file").write_text("")
        make(MadeClips(41), cache=made_cache(tmp_path / "file"))


@pytest.mark.parametrize(("value", "kind"), [(float("nan"), "float32"), (7e4, "float16")])
def test_tokens_that_are_not_finite_are_refused(value: float, kind: str) -> None:
    def diverged(frames: Tensor) -> Tensor:
        return torch.full((len(frames), 2, 2, 4), value)

    with pytest.raises(UserError, match=rf"infinite or NaN tokens \(as {kind}\); it has diverged"):
        make_source(
            Subject("it", diverged, STAMP, "x", (ALL,)), MadeClips(3), torch.arange(3), needs_tokens=True,
            progress=False, say=lambda line: None,
        )  # fmt: skip


def test_an_encoder_must_return_time_and_space() -> None:
    subject = Subject("it", lambda frames: torch.zeros(len(frames), 64, 96), STAMP, "x", (ALL,))
    with pytest.raises(ValueError, match=r"must return \(B, T, S, C\) floats"):
        make_source(subject, MadeClips(3), torch.arange(3), needs_tokens=False, progress=False)


def test_sources_may_be_made_in_inference_mode(tmp_path: Path) -> None:
    with torch.inference_mode():
        source, _ = make(MadeClips(41))
        cached, _ = make(MadeClips(41), cache=made_cache(tmp_path))
    weight = torch.ones(96, requires_grad=True)
    for each in (source, cached):
        (each.batch(slice(None)).float() @ weight).sum().backward()
        (each.time() @ weight).sum().backward()
    assert weight.grad is not None
