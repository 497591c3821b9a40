"""Several views of a test video: read once, damaged alike, encoded all, and one answer for each video."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from data_modules.clips import sources, videos
from data_modules.clips.datasets import Task
from data_modules.clips.videos import VideoDataset, VideoFile
from data_modules.clips.views import ONE_VIEW, EvaluationViews
from data_modules.decode.reader import read_clip
from experiments.evaluation.analyses.base import MEAN, SURPRISE, Analysis, Arrays, Found, Report
from experiments.evaluation.analyses.classification import CorruptionRobustness
from experiments.evaluation.analyses.stability import RepresentationStability
from experiments.evaluation.averaging import average_views
from experiments.evaluation.conditions import CLEAN, Condition, show
from experiments.evaluation.encoded import Encoded, encode
from experiments.evaluation.encoders import PixelEncoder
from experiments.evaluation.evaluate import PREDICTIONS, evaluate
from experiments.evaluation.harvest import Participant, harvest
from experiments.evaluation.plan import EvaluationPlan
from experiments.evaluation.ranks import Ranks
from experiments.evaluation.shown import read_shown
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import ALL
from experiments.results import read_predictions
from tests.data_modules.encoded import moving_frames, write_video
from tests.experiments.evaluation.analyses.made import STAMP, Probe
from vjepa.corruptions import corrupt_source

TASKS = (Task("label", ("a", "b", "c"), temporal=True),)
VIEWS = EvaluationViews(2, 3)
NUM_VIDEOS = 5
DAMAGE: tuple[Condition, ...] = (("h264_crf", 4), ("temporal_blur", 3), ("gaussian_noise", 3), ("local_shuffle", 5))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    for number in range(NUM_VIDEOS):
        write_video(folder / f"{number}.mp4", moving_frames(30 + 9 * number, 48, 80, seed=number))
    return folder


def data_set(
    folder: Path, views: EvaluationViews = VIEWS, split: str = "test", names: Sequence[str] | None = None
) -> VideoDataset:
    names = names or [f"{number}.mp4" for number in range(NUM_VIDEOS)]
    files = [VideoFile(folder / name, (number % 3,), name) for number, name in enumerate(names)]
    return VideoDataset(files, TASKS, split, 8, 16, views=views)


def test_views_of_a_video_share_its_draws_and_keep_their_own_clip(folder: Path) -> None:
    data = data_set(folder)
    for chunk_clips, threads in ((2, 3), (5, 1)):
        chunks = torch.arange(NUM_VIDEOS).split(chunk_clips)
        for number, shown in read_shown(data, chunks, range(len(chunks)), (CLEAN, *DAMAGE), "made", threads):
            own = chunks[number].tolist()
            assert shown.clip.index.tolist() == [position for position in own for _ in range(6)]
            assert torch.equal(shown.clip.frames, torch.cat([data.read_views(position) for position in own]))
            for name, severity in DAMAGE:
                seen = shown.under((name, severity)).unflatten(0, (-1, 2, 3))
                for position, views in zip(own, seen, strict=True):
                    key, video = ("made", data.video_ids[position]), data.read_sources(position)
                    for source, crops in zip(video, views.numpy(), strict=True):
                        if name in ("h264_crf", "temporal_blur"):
                            expected = VIEWS.crops(corrupt_source(source, name, severity, *key))
                        else:
                            alone = torch.from_numpy(VIEWS.crops(source.clip()).copy())
                            expected = show(alone, (name, severity), "made", [key[1]] * 3).numpy()
                        assert np.array_equal(crops, expected), name
            # The first view is damaged as the only one would be.
            one = next(iter(read_shown(data_set(folder, ONE_VIEW), [chunks[number]], [0], (CLEAN, *DAMAGE), "made")))[1]
            for condition in (CLEAN, *DAMAGE):
                assert torch.equal(shown.under(condition)[::6], one.under(condition))


def test_probabilities_are_averaged() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 3.0], [0.0, 0.0], [-5.0, 5.0]])
    expected = [
        [(1 / (1 + math.exp(-2)) + 1 / (1 + math.exp(3))) / 2, (1 / (1 + math.exp(2)) + 1 / (1 + math.exp(-3))) / 2],
        [(0.5 + 1 / (1 + math.exp(10))) / 2, (0.5 + 1 / (1 + math.exp(-10))) / 2],
    ]
    averaged = average_views(logits, 2)
    assert torch.allclose(averaged.exp(), torch.tensor(expected)) and averaged.dtype == torch.float32
    assert torch.allclose(averaged.log_softmax(1), averaged, atol=1e-6), "log-probabilities are logits of themselves"
    assert average_views(logits, 1) is logits
    sure, doubtful = torch.tensor([[40.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert average_views(torch.cat([sure, doubtful, doubtful]), 3).argmax() == 0
    assert average_views(torch.cat([sure, *[5 * doubtful] * 2]), 3).argmax() == 1, "a sure view has one vote"
    assert torch.isfinite(average_views(torch.tensor([[1e4, -1e4], [-1e4, 1e4]]), 2)).all()


class Eager(Analysis):
    """Keeps mean features and surprises, and counts the clips that it is shown."""

    name = "eager"
    needs_mean = needs_surprise = True
    conditions = DAMAGE

    def collect(
        self, subject: Subject, probes: object, clean: Encoded, condition: Condition, seen: Encoded
    ) -> dict[str, Tensor]:
        drift = (seen.time - clean.time).abs().mean((1, 2))
        return {"drift": drift, "tokens": seen.tokens.flatten(1).mean(1)}

    def report(self, subject: Subject, probes: object, found: Found) -> Report:
        return Report()


def by_brightness(encoded: Encoded) -> Tensor:
    """Logits of three classes that differ from view to view."""
    return torch.stack([encoded.time[:, 0, 0] * 9, encoded.mean[:, 5] * 9, encoded.time[:, -1, 8] * 9], dim=1)


def asked(frames: Tensor, tokens: Tensor, number: int) -> Tensor:
    assert len(frames) == len(tokens)
    return frames.float().mean((1, 2, 3, 4)) + tokens.mean((1, 2, 3))


WHO = Subject("it", PixelEncoder(4, 2), STAMP, "beef", (ALL,), asked)


def collected(folder: Path, out: Path, views: EvaluationViews, **options: Any) -> Found:
    probe: Any = Probe(num_classes=3, says=by_brightness)
    chosen, who = data_set(folder, views), Participant(WHO, (probe,))
    return harvest(
        [who], [Eager()], chosen, torch.arange(NUM_VIDEOS), out, data_name="made", chunk_clips=2, progress=False,
        **options,
    )["it"]  # fmt: skip


def test_one_answer_a_video_and_the_rest_of_its_first_view(folder: Path, tmp_path: Path) -> None:
    several, one = (collected(folder, tmp_path / str(v.num_views), v) for v in (VIEWS, ONE_VIEW))
    assert several.index.tolist() == list(range(NUM_VIDEOS)) and several.views == VIEWS and one.views == ONE_VIEW
    assert torch.equal(several.labels, one.labels)
    data = data_set(folder)
    for condition in (CLEAN, *DAMAGE):
        logits = several.logits(0, condition)
        if condition in (CLEAN, ("gaussian_noise", 3)):
            for position in range(NUM_VIDEOS):
                ids = [data.video_ids[position]] * 6
                views = encode(WHO.encoder, show(data.read_views(position), condition, "made", ids))
                expected = by_brightness(views).softmax(1).mean(0)
                assert torch.allclose(logits[position].exp(), expected, atol=1e-5)
        assert not torch.allclose(logits.softmax(1), one.logits(0, condition).softmax(1), atol=1e-3)
        same(several.arrays[condition], one.arrays[condition], (MEAN, SURPRISE, "eager/drift", "eager/tokens"))


def same(one: Arrays, other: Arrays, names: Sequence[str]) -> None:
    for name in names:
        assert one[name].shape == other[name].shape
        assert torch.allclose(one[name].float(), other[name].float(), rtol=1e-3, atol=1e-3), name


def test_processes_share_the_videos(folder: Path, tmp_path: Path) -> None:
    whole = collected(folder, tmp_path / "whole", VIEWS)

    def nobody_waits() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        collected(folder, tmp_path / "shared", VIEWS, ranks=Ranks(1, 2, nobody_waits))
    assert len(list((tmp_path / "shared").iterdir())) == 1
    both = collected(folder, tmp_path / "shared", VIEWS, ranks=Ranks(0, 2))
    assert both.index.tolist() == list(range(NUM_VIDEOS)), "each video once"
    assert torch.equal(both.logits(0), whole.logits(0))


def test_a_broken_video_is_left_out_with_all_its_views(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("text")
    for number in (0, 1):
        (tmp_path / f"{number}.mp4").write_bytes((folder / f"{number}.mp4").read_bytes())
    data = data_set(tmp_path, names=["0.mp4", "text.mp4", "1.mp4"])
    for conditions in ((CLEAN,), (CLEAN, *DAMAGE)):
        shown = next(iter(read_shown(data, [torch.arange(3)], [0], conditions, "made", 2)))[1]
        assert shown.clip.index.tolist() == [0] * 6 + [2] * 6
    assert set(data.broken.found) == {"text.mp4"}


class Videos:
    """A data module of these files."""

    name, tasks, manifest_hash = "made", TASKS, "fade"
    num_frames, size, num_workers = 8, 16, 0

    def __init__(self, folder: Path, views: EvaluationViews) -> None:
        self.splits: Mapping[str, VideoDataset] = {
            split: data_set(folder, views if split == "test" else ONE_VIEW, split) for split in ("train", "val", "test")
        }

    def dataset(self, split: str) -> VideoDataset:
        return self.splits[split]


def test_a_whole_evaluation(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = Counter[str]()

    def counting(path: Any, *more: Any) -> Any:
        decoded[Path(path).name] += 1
        return read_clip(path, *more)

    monkeypatch.setattr(videos, "read_clip", counting)
    monkeypatch.setattr(sources, "read_clip", counting)
    who = dataclasses.replace(WHO, surprise=None)
    plan, said, rows = EvaluationPlan(("linear_mean",)), list[str](), {}
    for views in (ONE_VIEW, VIEWS):
        analyses = [CorruptionRobustness("smoke"), RepresentationStability("smoke", num_neighbours=2)]
        data: Any = Videos(folder, views)
        decoded.clear()
        report = evaluate(
            [who], data, plan, analyses, out_dir=tmp_path, cache_folder=tmp_path / "cache", progress=False,
            say=said.append,
        )  # fmt: skip
        # Features of train and validation are found again, so what is left are the test videos.
        assert views == ONE_VIEW or decoded == {f"{number}.mp4": 1 for number in range(NUM_VIDEOS)}
        blocks = read_predictions(tmp_path / PREDICTIONS)
        assert len(blocks) == 4 and all(block.index.tolist() == list(range(NUM_VIDEOS)) for block in blocks)
        rows[views] = {(row.split, row.probe, row.corruption, row.severity, row.metric): row for row in report.rows}
    assert any("2 clips x 3 crops of each video" in line for line in said)
    one, several = rows[ONE_VIEW], rows[VIEWS]
    assert one.keys() == several.keys()
    for key, row in one.items():
        other = several[key]
        assert row.n == other.n
        # The probe is the same; so is all that asks no probe, which looks at the first view.
        is_shared = row.split == "val" or row.probe == "none"
        assert (row.protocol_hash == other.protocol_hash) == is_shared, key
        assert not is_shared or row.value == pytest.approx(other.value, rel=1e-3, abs=1e-3, nan_ok=True), key
    evaluate([who], Videos(folder, VIEWS), plan, analyses, out_dir=tmp_path, say=said.append)  # type: ignore[arg-type]
    assert "evaluated before" in said[-1]


def test_memory_does_not_grow_with_views(folder: Path) -> None:
    plan, data = EvaluationPlan(), SimpleNamespace(num_frames=16, size=224)
    assert [plan.videos_at_a_time(data, EvaluationViews(*v)) for v in ((1, 1), (2, 1), (4, 3), (9, 9))] == [
        32,
        16,
        2,
        1,
    ]  # type: ignore[arg-type]
