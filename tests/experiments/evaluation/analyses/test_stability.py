"""Label-free stability of features whose answer is known."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from experiments.evaluation.analyses.stability import RepresentationStability
from experiments.evaluation.conditions import CLEAN, Condition
from experiments.evaluation.views import LEVELS, View
from experiments.results import Row
from tests.experiments.evaluation.analyses.made import COLOUR, DAMAGE, ORDER, Split, collected, found, subject, table
from vjepa.metrics import alpha_req, lidar, participation_ratio, rankme

N, D, K = 60, 8, 5
CONDITIONS = (CLEAN, *DAMAGE.conditions)
VIEWS = (View("whole", slice(0, D)), View(LEVELS, slice(0, 2 * D)))
LABELS = torch.stack([torch.arange(N) % 2, torch.where(torch.arange(N) < 4, 0, -1)], 1)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# Classes lie far apart, and every clip far from the others of its class.
CLEAN_FEATURES = (noise(N, 2 * D) + 8 * LABELS[:, :1] - 4).half()


def features(**damaged: Tensor) -> dict[Condition, Tensor]:
    """Clean features under every condition but those of the corruptions named."""
    return {condition: damaged.get(condition[0], CLEAN_FEATURES) for condition in CONDITIONS}


def rows_of(seen: dict[Condition, Tensor], **options: Any) -> dict[tuple[str, str, int], Row]:
    analysis = RepresentationStability(DAMAGE, views=("whole",), num_neighbours=K)
    return table(analysis.report(subject(VIEWS), (), found(LABELS, (COLOUR, ORDER), features=seen, **options)).rows)


def test_what_does_not_move_is_perfectly_stable() -> None:
    rows = rows_of(features())
    for condition in CONDITIONS[1:]:
        value = {metric: row.value for (metric, *where), row in rows.items() if tuple(where) == condition}
        still = {"centred_drift": 0, "paired_retrieval": 1, "neighbour_jaccard": 1, "cka": 1, "knn_drop": 0}
        assert {name: value[name] for name in still} == pytest.approx(still, abs=1e-6)
        assert value["rankme"] == pytest.approx(rows["rankme", "none", 0].value)
    assert {row.n for row in rows.values()} == {N}
    assert {row.probe for row in rows.values()} == {"none"}


def test_drift_by_hand_and_its_means() -> None:
    mirrored = (2 * CLEAN_FEATURES.double().mean(0) - CLEAN_FEATURES.double()).float()
    rows = rows_of(features(fog=mirrored, jumbling=mirrored))
    assert rows["centred_drift", "fog", 1].value == pytest.approx(
        2, abs=1e-3
    )  # the other way round, seen from the mean
    assert rows["cka", "fog", 3].value == pytest.approx(1, abs=1e-4)  # a rotation
    assert rows["centred_drift", "jumbling", 1].value == pytest.approx(2, abs=1e-3)
    means = {group: rows[f"centred_drift_{group}damage", "damage", 0].value for group in ("", "spatial_", "temporal_")}
    assert means == pytest.approx({"": 2 / 4, "spatial_": 2 / 2, "temporal_": 0}, abs=1e-3)
    assert rows["cka_damage", "damage", 0].value == pytest.approx(1, abs=1e-4)


def test_unrelated_features_are_found_out() -> None:
    rows = rows_of(features(fog=noise(N, 2 * D, seed=7).half()))
    assert rows["centred_drift", "fog", 1].value == pytest.approx(1, abs=0.2)
    assert rows["paired_retrieval", "fog", 1].value < 0.15
    assert abs(rows["cka", "fog", 1].value) < 0.1
    assert rows["neighbour_jaccard", "fog", 1].value < 0.2


def test_the_neighbours_vote_on_the_clips_of_the_task() -> None:
    other_class = CLEAN_FEATURES.flip(0)  # N is even, so labels alternate the other way round
    rows = rows_of(features(fog=other_class))
    assert rows["knn_top1", "none", 0].value == 1
    assert rows["knn_top1", "fog", 1].value == 0 and rows["knn_drop", "fog", 1].value == 1
    assert rows["knn_drop_spatial_damage", "damage", 0].value == pytest.approx(0.5)
    # Four clips of the other task are too few for five neighbours.
    assert {row.benchmark for row in rows.values() if row.metric.startswith("knn")} == {"made/appearance"}
    assert {row.benchmark for row in rows.values() if not row.metric.startswith("knn")} == {"made"}


def test_no_clip_votes_on_itself() -> None:
    unrelated = noise(N, 2 * D, seed=9).half()  # labels are not in it; a clip's own vote would always win
    rows = rows_of(dict.fromkeys(CONDITIONS, unrelated))
    assert rows["knn_top1", "none", 0].value < 0.75 and rows["knn_top1", "fog", 1].value < 0.75


def test_ranks_are_those_of_the_features() -> None:
    narrow = CLEAN_FEATURES.clone()
    narrow[:, 1:] = 0
    rows = rows_of(features(frame_freeze=narrow))
    clean = CLEAN_FEATURES[:, :D].float()
    assert rows["rankme", "none", 0].value == pytest.approx(rankme(clean).item())
    assert rows["alpha_req", "none", 0].value == pytest.approx(alpha_req(clean).item())
    assert rows["participation_ratio", "none", 0].value == pytest.approx(participation_ratio(clean).item())
    assert rows["rankme", "frame_freeze", 1].value == pytest.approx(1, abs=0.01)
    assert rows["participation_ratio", "frame_freeze", 3].value == pytest.approx(1)
    views = [clean, *([clean] * 6), *([narrow[:, :D].float()] * 2)]
    assert rows["lidar_damage", "damage", 0].value == pytest.approx(lidar(views).item())


def test_every_view_that_is_asked_for_and_there() -> None:
    seen = found(LABELS, (COLOUR, ORDER), features=features())
    report = RepresentationStability(DAMAGE, num_neighbours=K).report(subject(VIEWS), (), seen)
    assert {row.subspace for row in report.rows} == {"whole", LEVELS}
    report = RepresentationStability(DAMAGE, num_neighbours=K).report(subject(VIEWS[:1]), (), seen)
    assert {row.subspace for row in report.rows} == {"whole"}


def test_each_clip_keeps_its_drift() -> None:
    moved = CLEAN_FEATURES.clone()
    moved[3] = -moved[3]
    seen = found(LABELS, (COLOUR, ORDER), features=features(fog=moved))
    report = RepresentationStability(DAMAGE, views=("whole",), num_neighbours=K).report(subject(VIEWS), (), seen)
    block = next(item for item in report.clips if (item.corruption, item.severity) == ("fog", 3))
    assert (block.metric, block.subspace, block.benchmark) == ("centred_drift", "whole", "made")
    assert block.values[3] > 0.5 and abs(block.values[[0, 1, 2, 4]]).max() < 1e-5
    assert block.video_ids[3] == "clip3" and len(report.clips) == len(DAMAGE.conditions)


def test_steps_through_time_where_the_order_is_kept() -> None:
    analysis, who = RepresentationStability(DAMAGE, num_neighbours=K), subject(VIEWS)
    tokens = noise(N, 4, 3, 2 * D, seed=3)
    tokens[5] = tokens[5, :1]  # a clip that stands still
    backwards = tokens.flip(1)
    shown = {condition: backwards if condition[0] == "fog" else tokens for condition in CONDITIONS}
    means = {condition: tokens.flatten(1, 2).mean(1) for condition in CONDITIONS}
    extra = collected(analysis, who, (), shown)
    assert not extra[CLEAN] and not extra["jumbling", 1]
    report = analysis.report(who, (), found(LABELS, (COLOUR, ORDER), features=means, extra=extra))
    rows = table(report.rows, subspace="whole")
    time = tokens.mean(2)[..., :D].double()
    steps, reversed_steps = time.diff(dim=1), time.flip(1).diff(dim=1)
    drift = 1 - torch.cosine_similarity(steps, reversed_steps, dim=-1).mean(1)
    drift[5] = math.nan
    assert rows["temporal_gradient_drift", "fog", 1].value == pytest.approx(drift.nanmean().item(), abs=1e-5)
    assert rows["temporal_gradient_drift", "h264_crf", 1].value == pytest.approx(0, abs=1e-6)
    assert rows["temporal_gradient_drift", "fog", 1].n == N - 1
    mean = rows["temporal_gradient_drift_spatial_damage", "damage", 0].value
    assert mean == pytest.approx(drift.nanmean().item() / 2, abs=1e-5)
    assert ("temporal_gradient_drift", "jumbling", 1) not in rows


def test_the_surprise_of_a_predictor() -> None:
    clean = torch.ones(N)
    worse = torch.where(torch.arange(N) < 45, 1.5, 0.5)
    surprise = {condition: worse if condition[0] == "frame_freeze" else clean for condition in CONDITIONS}
    rows = rows_of(features(), surprise=surprise)
    assert rows["predictor_surprise", "none", 0].value == 1
    assert rows["predictor_surprise", "frame_freeze", 1].value == pytest.approx(0.75 * 1.5 + 0.25 * 0.5)
    assert rows["surprise_rate", "frame_freeze", 1].value == 0.75
    assert rows["surprise_rate", "fog", 1].value == 0.5
    assert rows["surprise_rate_temporal_damage", "damage", 0].value == 0.75
    assert RepresentationStability(DAMAGE).needs_surprise
    assert not [key for key in rows_of(features()) if "surprise" in key[0]], "of an encoder without a predictor"


def test_the_predictor_need_not_be_asked() -> None:
    analysis = RepresentationStability(DAMAGE, views=("whole",), num_neighbours=K, surprise=False)
    surprise = {condition: torch.ones(N) for condition in CONDITIONS}
    seen = found(LABELS, (COLOUR, ORDER), features=features(), surprise=surprise)
    rows = table(analysis.report(subject(VIEWS), (), seen).rows)
    assert not analysis.needs_surprise
    assert rows.keys() == {key for key in rows_of(features(), surprise=surprise) if "surprise" not in key[0]}


def test_too_few_clips_are_said_to_be_so() -> None:
    few = {condition: values[: K + 1] for condition, values in features().items()}
    with pytest.warns(UserWarning, match=f"{K + 1} clips are too few"):
        report = RepresentationStability(DAMAGE, views=("whole",), num_neighbours=K).report(
            subject(VIEWS), (), found(LABELS[: K + 1], (COLOUR, ORDER), features=few)
        )
    assert not report.rows and not report.clips


def test_lost_clips_are_told() -> None:
    seen = found(LABELS, (COLOUR, ORDER), features={key: value[1:] for key, value in features().items()}, excluded=[0])
    report = RepresentationStability(DAMAGE, views=("whole",), num_neighbours=K).report(subject(VIEWS), (), seen)
    assert {(row.n, row.excluded) for row in report.rows} == {(N - 1, 1)}
    assert dataclasses.asdict(report.rows[0])["split"] == Split(LABELS, ()).split


def test_identity_tells_options_apart() -> None:
    choices = [{}, {"views": ("whole",)}, {"num_neighbours": 3}, {"surprise": False}, {"options": {"clips": 5}}]
    assert len({str(RepresentationStability("smoke", **choice).identity) for choice in choices}) == len(choices)
