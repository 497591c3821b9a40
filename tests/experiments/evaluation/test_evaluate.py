"""The whole frozen evaluation on a data set whose answers are known; what is broken off goes on."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable
from pathlib import Path
from threading import current_thread
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from experiments.evaluation.analyses.classification import CorruptionRobustness
from experiments.evaluation.analyses.stability import RepresentationStability
from experiments.evaluation.encoders import PixelEncoder
from experiments.evaluation.evaluate import DONE, PREDICTIONS, RESULTS, evaluate
from experiments.evaluation.harvest import CHUNK_CLIPS
from experiments.evaluation.plan import EvaluationPlan
from experiments.evaluation.quiet_rng import preserved_rng
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import ALL, View
from experiments.probes import PROTOCOLS, ProbeProtocol
from experiments.results import RowStamp, read_predictions, read_rows
from experiments.side_by_side import threads
from vjepa.corruptions import corrupt
from vjepa.errors import UserError

STAMP = RowStamp("none", "none", "pixels", "as_described", "whole", 0, 0, "pixels", "cafe")
PLAN = EvaluationPlan(("linear_time", "linear_mean"), num_train=200, num_val=100, num_test=120, chunk_clips=32)
SMOKE = [CorruptionRobustness("smoke")]


class Spy(PixelEncoder):
    """Remembers the batches it was shown; may fail at one."""

    def __init__(self, patch: int = 4, fails_at: int | None = None) -> None:
        super().__init__(patch, 2)
        self.batches: list[Tensor] = []
        self.fails_at = fails_at

    def forward(self, frames: Tensor) -> Tensor:
        if len(self.batches) == self.fails_at:
            raise KeyboardInterrupt
        self.batches.append(frames)
        return super().forward(frames)


def subject(label: str, encoder: PixelEncoder | None = None, views: tuple[View, ...] = (ALL,)) -> Subject:
    encoder = encoder or PixelEncoder(4, 2)
    return Subject(label, encoder, dataclasses.replace(STAMP, variant=label), f"patch{encoder.patch}", views)


def run(data: Any, folder: Path, *subjects: Subject, plan: EvaluationPlan = PLAN, **options: Any) -> Any:
    options.setdefault("analyses", SMOKE)
    options.setdefault("say", lambda line: None)
    return evaluate(subjects, data, plan, out_dir=folder, progress=False, **options)


def told(rows: Any) -> list[str]:
    """Rows as text, in which NaN equals itself."""
    return [repr(row) for row in rows]


def test_rows_and_predictions_of_two_encoders(fake_data: Any, tmp_path: Path) -> None:
    said: list[str] = []
    found = run(fake_data, tmp_path, subject("pixels"), subject("coarse", PixelEncoder(16, 2)), say=said.append)
    assert told(read_rows(tmp_path / RESULTS)) == told(found.rows)
    assert len(read_predictions(tmp_path / PREDICTIONS)) == 2 * 2 * 3 * 4
    accuracy = {
        (row.variant, row.benchmark, row.probe): row.value
        for row in found.rows
        if row.metric == "top1" and row.split == "test" and row.corruption == "none"
    }
    assert accuracy["pixels", "fake/order", "linear_time"] > 0.9 > 0.7 > accuracy["pixels", "fake/order", "linear_mean"]
    assert accuracy["coarse", "fake/colour", "linear_mean"] > 0.9
    assert {row.n for row in found.rows if row.benchmark == "fake/colour" and row.split == "test"} == {120}
    assert {row.metric for row in found.rows if row.split == "val"} == {"top1"}
    assert {"mpc_smoke", "rpc_smoke", "rpc_corrected_smoke", "mpc_spatial_smoke"} <= {
        row.metric for row in found.rows if row.corruption == "smoke"
    }
    assert any("[2/2] coarse" in line for line in said)
    hashes = {corruption: {row.protocol_hash for row in found.rows if row.corruption == corruption} for corruption in
              ("none", "smoke")}  # fmt: skip
    assert hashes["none"].isdisjoint(hashes["smoke"])


def test_conditions_worked_on_at_once_give_the_same_numbers(
    fake_data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Watched(PixelEncoder):
        seen: ClassVar[set[str]] = set()

        def forward(self, frames: Tensor) -> Tensor:
            self.seen.add(current_thread().name)
            return super().forward(frames)

    alone = run(fake_data, tmp_path / "alone", subject("pixels"))
    with threads(2):
        at_once = run(fake_data, tmp_path / "at_once", subject("pixels", Watched(4, 2)))
    assert told(at_once.rows) == told(alone.rows)
    assert len(Watched.seen) > 1, "the conditions of a chunk are divided over threads"
    Watched.seen.clear()
    monkeypatch.setattr("experiments.evaluation.harvest.SMALL_BYTES", 0)
    with threads(2):
        run(fake_data, tmp_path / "large", subject("pixels", Watched(4, 2)))
    assert len(Watched.seen) == 1, "large clips come one condition after the other"


def test_every_encoder_gets_the_same_damaged_clips_from_one_read(fake_data: Any, tmp_path: Path) -> None:
    spies = [Spy(), Spy(patch=8)]
    test = fake_data.dataset("test")
    before = test.num_fetched
    run(fake_data, tmp_path, subject("a", spies[0]), subject("b", spies[1]))
    assert test.num_fetched - before == 120
    # Four chunks under four conditions come last, after the features of train and validation.
    shown = [spy.batches[-16:] for spy in spies]
    assert all(torch.equal(one, other) for one, other in zip(*shown, strict=True))
    blocks = read_predictions(tmp_path / PREDICTIONS)
    first = int(blocks[0].index[0])
    expected = corrupt(test.frames[first].numpy(), "gaussian_noise", 3, "fake", f"test/{first}")
    assert np.array_equal(shown[0][1][0].numpy(), expected)


def test_a_finished_evaluation_is_read_back_and_a_damaged_one_made_again(fake_data: Any, tmp_path: Path) -> None:
    found = run(fake_data, tmp_path, subject("pixels"))
    spy = Spy()
    again = run(fake_data, tmp_path, subject("pixels", spy))
    assert told(again.rows) == told(found.rows) and not spy.batches
    (tmp_path / RESULTS).write_text("half a li")
    assert told(run(fake_data, tmp_path, subject("pixels")).rows) == told(found.rows)
    assert json.loads((tmp_path / DONE).read_text())["key"]
    assert not list(tmp_path.glob("unfinished-*"))


def test_another_plan_or_encoder_is_another_evaluation(fake_data: Any, tmp_path: Path) -> None:
    run(fake_data, tmp_path, subject("pixels"))
    spy = Spy()
    fewer = dataclasses.replace(PLAN, num_test=64)
    found = run(fake_data, tmp_path, subject("pixels", spy), plan=fewer)
    assert spy.batches and {row.n for row in found.rows if row.split == "test" and "colour" in row.benchmark} == {64}


def test_what_was_broken_off_goes_on_with_equal_numbers(fake_data: Any, tmp_path: Path) -> None:
    whole = run(fake_data, tmp_path / "whole", subject("pixels"))
    counting = Spy()
    run(fake_data, tmp_path / "counted", subject("pixels", counting))
    cache = tmp_path / "cache"
    with pytest.raises(KeyboardInterrupt):
        broken_off = subject("pixels", Spy(fails_at=len(counting.batches) - 5))
        run(fake_data, tmp_path / "half", broken_off, cache_folder=cache)
    assert not (tmp_path / "half" / RESULTS).exists()
    rest = Spy()
    found = run(fake_data, tmp_path / "half", subject("pixels", rest), cache_folder=cache)
    assert told(found.rows) == told(whole.rows)
    # Features and probes are there, and so are two or three of four chunks.
    assert len(rest.batches) < 10


def test_probes_are_fitted_once_for_equal_features(
    fake_data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = dataclasses.replace(PROTOCOLS["attentive_quick"].settings, num_steps=5)
    monkeypatch.setitem(PROTOCOLS, "attentive_quick", ProbeProtocol("attentive_quick", quick))
    plan = dataclasses.replace(PLAN, probes=("linear_mean", "attentive_quick"))
    cache, said = tmp_path / "cache", list[str]()

    def evaluated(folder: str, *subjects: Subject, plan: EvaluationPlan = plan, **options: Any) -> Any:
        said.clear()
        return run(fake_data, tmp_path / folder, *subjects, plan=plan, analyses=(), say=said.append, **options)

    def fitted() -> list[str]:
        return [line for line in said if "val " in line and " s)" in line]

    first = evaluated("first", subject("a"), cache_folder=cache)
    files = sorted(cache.glob("probe-*.safetensors"))
    assert len(fitted()) == len(files) == 6
    spy = Spy()
    again = evaluated("again", subject("a", spy), cache_folder=cache)
    assert told(again.rows) == told(first.rows)
    assert not fitted() and any("6 probes were fitted before" in line for line in said)
    assert sum(map(len, spy.batches)) == 120  # test clips only

    files[0].write_bytes(files[0].read_bytes()[:100])
    files[1].write_bytes(files[2].read_bytes())
    assert told(evaluated("damaged", subject("a"), cache_folder=cache).rows) == told(first.rows)
    assert len(fitted()) == 2
    assert sum("torn, or no probe: it is fitted again" in line for line in said) == 1
    assert sum("of other settings: it is fitted again" in line for line in said) == 1

    coarse, fewer = subject("coarse", PixelEncoder(8, 2)), dataclasses.replace(plan, num_train=150)
    evaluated("others", subject("a"), coarse, cache_folder=cache)
    assert len(fitted()) == 6
    evaluated("fewer", subject("a"), plan=fewer, cache_folder=cache)
    assert len(fitted()) == 6


def test_the_size_of_chunks_changes_no_number(fake_data: Any, tmp_path: Path) -> None:
    numbers: list[list[tuple[int, int]]] = []

    def surprise(frames: Tensor, tokens: Tensor, number: int) -> Tensor:
        assert torch.equal(tokens, PixelEncoder(4, 2)(frames))
        numbers[-1].append((number, len(frames)))
        return frames.float().mean((1, 2, 3, 4)) + number

    found = []
    for chunk in (32, 64, None):
        numbers.append([])
        who = dataclasses.replace(subject("pixels"), surprise=surprise)
        plan = dataclasses.replace(PLAN, probes=("linear_mean",), chunk_clips=chunk)
        analyses = [*SMOKE, RepresentationStability("smoke")]
        found.append(run(fake_data, tmp_path / str(chunk), who, plan=plan, analyses=analyses).rows)
    assert sorted(numbers[0]) == sorted(numbers[1]) == sorted(numbers[2])
    assert set(numbers[0]) == {(0, 32), (1, 32), (2, 32), (3, 24)}
    for rows in found[1:]:
        values = [(row.value, other.value) for row, other in zip(found[0], rows, strict=True)]
        assert np.allclose(*np.transpose(values), atol=1e-4, equal_nan=True)
    assert any(row.metric == "predictor_surprise" for row in found[0])


def test_small_clips_come_in_large_chunks(fake_data: Any) -> None:
    plan = dataclasses.replace(PLAN, chunk_clips=None)
    assert plan.clips_at_a_time(fake_data) == 128
    fake = SimpleNamespace(num_frames=16, size=224)
    assert plan.clips_at_a_time(fake) == CHUNK_CLIPS == 32  # type: ignore[arg-type]
    assert dataclasses.replace(PLAN, chunk_clips=7).clips_at_a_time(fake_data) == 7


def test_a_torn_chunk_is_made_again(fake_data: Any, tmp_path: Path) -> None:
    whole = run(fake_data, tmp_path / "whole", subject("pixels"))
    counting = Spy()
    run(fake_data, tmp_path / "counted", subject("pixels", counting))
    with pytest.raises(KeyboardInterrupt):
        run(fake_data, tmp_path / "half", subject("pixels", Spy(fails_at=len(counting.batches) - 1)))
    (chunk, *_) = sorted((tmp_path / "half").glob("unfinished-*/chunk*.pt"))
    chunk.write_bytes(chunk.read_bytes()[:100])
    assert told(run(fake_data, tmp_path / "half", subject("pixels")).rows) == told(whole.rows)


def test_subspaces_are_probed_under_their_names(fake_data: Any, tmp_path: Path) -> None:
    views = (View("whole", slice(0, 96)), View("red", torch.arange(0, 96, 3)), View("rest", slice(0, 2)))
    plan = dataclasses.replace(PLAN, probes=("linear_mean",), subspaces=("red",), subspace_probes=("linear_mean",))
    found = run(fake_data, tmp_path, subject("pixels", views=views), plan=plan, analyses=())
    accuracy = {
        row.subspace: row.value
        for row in found.rows
        if row.benchmark == "fake/colour" and row.metric == "top1" and row.split == "test"
    }
    assert accuracy.keys() == {"whole", "red"}
    assert accuracy["whole"] > 0.9 > accuracy["red"] > 0.5
    missing = dataclasses.replace(plan, subspaces=("rad",))
    with pytest.raises(UserError, match="did you mean 'red'"):
        run(fake_data, tmp_path / "missing", subject("pixels", views=views), plan=missing)


def test_pixels_have_no_subspaces_and_are_judged_whole(fake_data: Any, tmp_path: Path) -> None:
    plan = dataclasses.replace(PLAN, subspaces=("within_level.app",))
    found = run(fake_data, tmp_path, subject("pixels"), plan=plan, analyses=())
    assert {row.subspace for row in found.rows} == {"whole"}


def diverged(frames: Tensor) -> Tensor:
    return torch.full((len(frames), 4, 4, 8), torch.nan)


REFUSED: dict[str, tuple[Callable[[], tuple[Subject, ...]], str]] = {
    "no encoder": (lambda: (), "at least one"),
    "one name for two": (lambda: (subject("a"), subject("a")), "different names"),
    "a diverged encoder": (lambda: (Subject("lost", diverged, STAMP, "nan", (ALL,)),), "diverged"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, fake_data: Any, tmp_path: Path) -> None:
    make, message = REFUSED[case]
    with pytest.raises(UserError, match=message):
        run(fake_data, tmp_path, *make())
    assert not (tmp_path / RESULTS).exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"probes": ()}, "at least one probe"),
        ({"probes": ("linear_tine",)}, "did you mean 'linear_time'"),
        ({"num_test": 0}, "num_test is 0"),
        ({"chunk_clips": 0}, "chunk_clips is 0"),
    ],
)
def test_bad_plans_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        EvaluationPlan(**options)


def test_global_random_states_come_back() -> None:
    def states() -> list[Any]:
        return [random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()]

    before = states()
    with preserved_rng():
        random.random(), np.random.rand(), torch.rand(3)
        assert states() != before
    assert states() == before
