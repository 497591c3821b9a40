"""Selectivity, dissociation and repair, planted in features and found again."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from experiments.evaluation.analyses.answers import answers_of
from experiments.evaluation.analyses.classification import CorruptionRobustness
from experiments.evaluation.analyses.dissociation import dissociation_rows
from experiments.evaluation.analyses.divisions import channels_of, divisions_of
from experiments.evaluation.analyses.subspaces import SubspaceRobustness
from experiments.evaluation.analyses.swap import swap_report
from experiments.evaluation.conditions import CLEAN, Condition, show
from experiments.evaluation.encoded import Encoded, Pooled, encode
from experiments.evaluation.views import LEVELS, level_views, named
from experiments.results import Row
from tests.experiments.evaluation.analyses.made import (
    COLOUR,
    DAMAGE,
    ORDER,
    STAMP,
    Probe,
    collected,
    found,
    right_on,
    said,
    subject,
    table,
)
from vjepa.errors import UserError
from vjepa.metrics import centred_drift, pca_basis, selectivity_index
from vjepa.metrics.subspace_drift import SubspaceDrift
from vjepa.nn import Encoder, preset
from vjepa.pixels import FrozenEncoder

N, WIDTH, K, SPLITS = 80, 8, 5, 30
VIEWS = level_views(WIDTH, num_random=1)
CHANNELS = 4 * WIDTH
WITHIN, BY_LEVEL, RANDOM = divisions_of(VIEWS)
APP = channels_of(WITHIN.app, CHANNELS)
CONDITIONS = (CLEAN, *DAMAGE.label_preserving)
LABELS = torch.arange(N) % 2
STRONG, WEAK = 1.0, 0.1


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


CLEAN_FEATURES = noise(N, CHANNELS)


def planted() -> dict[Condition, Tensor]:
    """z_app of ``within_level`` follows spatial corruption, z_dyn temporal one."""
    features = {CLEAN: CLEAN_FEATURES}
    for seed, condition in enumerate(DAMAGE.label_preserving):
        follows = APP if condition[0] in ("gaussian_noise", "fog") else ~APP
        features[condition] = CLEAN_FEATURES + noise(N, CHANNELS, seed=seed + 1) * torch.where(follows, STRONG, WEAK)
    return features


def analysis(**options: Any) -> SubspaceRobustness:
    return SubspaceRobustness(DAMAGE, SPLITS, num_neighbours=K, **options)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    seen = found(LABELS[:, None], features=planted())
    return list(analysis().report(subject(VIEWS), (), seen).rows)


def test_both_layouts_and_their_controls_are_named(rows: list[Row]) -> None:
    assert [division.name for division in (WITHIN, BY_LEVEL, RANDOM)] == ["within_level", "by_level", "random0"]
    halves = {f"{name}.{half}" for name in ("within_level", "by_level", "random0", "pca") for half in ("app", "dyn")}
    assert {row.subspace for row in rows} == halves | {"within_level", "by_level", "pca"}
    assert {row.benchmark for row in rows} == {"made"} and {row.n for row in rows} == {N}
    for name in halves:
        assert ("cka", "fog", 3) in table(rows, subspace=name)


def test_a_planted_division_stands_out_and_others_do_not(rows: list[Row]) -> None:
    within, depth, pca = (
        {metric: row.value for (metric, _, _), row in table(rows, subspace=name).items()}
        for name in ("within_level", "by_level", "pca")
    )
    assert within["ssi_damage"] > 5 and within["ssi_p_damage"] == 1 / (1 + SPLITS)
    assert within["ssi_null_p95_damage"] < 3 and abs(within["ssi_null_mean_damage"]) < 1
    assert abs(depth["ssi_damage"]) < 1 and abs(pca["ssi_damage"]) < 3 and depth["ssi_p_damage"] > 0.05


def test_drift_by_group_and_the_index_made_of_it(rows: list[Row]) -> None:
    features, cells = planted(), {}
    for half in WITHIN.halves:
        found_here = table(rows, subspace=half.name)
        for group, names in (("spatial", ("gaussian_noise", "fog")), ("temporal", ("frame_freeze",))):
            drifts = [
                centred_drift(half.select(CLEAN_FEATURES), half.select(features[name, severity])).mean().item()
                for name in names
                for severity in (1, 3)
            ]
            cells[half.name, group] = sum(drifts) / len(drifts)
            for metric in (f"drift_centred_{group}_damage", f"centred_drift_{group}_damage"):
                assert found_here[metric, "damage", 0].value == pytest.approx(cells[half.name, group], abs=1e-3)
    by_hand = selectivity_index(*map(torch.tensor, cells.values())).item()
    assert table(rows, subspace="within_level")["ssi_damage", "damage", 0].value == pytest.approx(by_hand, abs=1e-2)
    for half in WITHIN.halves:
        low, high = (
            table(rows, subspace=half.name)[f"drift_centred_spatial_null_{end}_damage", "damage", 0].value
            for end in ("low", "high")
        )
        assert low < high and not low <= cells[half.name, "spatial"] <= high, "a planted half is out of their range"


def test_the_principal_split_divides_by_variance() -> None:
    scaled = CLEAN_FEATURES * torch.linspace(3, 0.1, CHANNELS)
    features = dict.fromkeys(CONDITIONS, scaled)
    mean, basis = pca_basis(scaled)
    features["fog", 1] = scaled.flip(0)
    rows = analysis().report(subject(VIEWS), (), found(LABELS[:, None], features=features)).rows
    half = ((scaled.double() - mean) @ basis)[:, : CHANNELS // 2]
    expected = centred_drift(half, half.flip(0)).mean().item()
    assert table(rows, subspace="pca.app")["centred_drift", "fog", 1].value == pytest.approx(expected, abs=1e-4)
    app, dyn = (table(rows, subspace=f"pca.{half}")["feature_std", "none", 0].value for half in ("app", "dyn"))
    assert dyn < app / 2


def test_another_normalisation_has_rows_of_its_own() -> None:
    """Each channel in its own measure: one that is far larger than the others does not decide."""
    scale = torch.ones(CHANNELS)
    scale[0], scale[-1] = 1e3, 1e3
    seen = found(LABELS[:, None], features={condition: values * scale for condition, values in planted().items()})
    rows = analysis(normalisation="standardised").report(subject(VIEWS), (), seen).rows
    index = table(rows, subspace="within_level")
    assert index["ssi_standardised_damage", "damage", 0].value > 5 and ("ssi_damage", "damage", 0) not in index
    alike = SubspaceDrift(CLEAN_FEATURES, (~APP)[None], "standardised")
    expected = torch.stack([alike(planted()["frame_freeze", severity]).mean() for severity in (1, 3)]).mean()
    found_here = table(rows, subspace="within_level.dyn")["drift_standardised_temporal_damage", "damage", 0].value
    assert found_here == pytest.approx(expected.item(), abs=1e-3)


def test_without_temporal_corruption_there_is_no_index() -> None:
    images = dataclasses.replace(DAMAGE, corruptions=("fog",))
    features = {key: value for key, value in planted().items() if key[0] in ("none", "fog")}
    report = SubspaceRobustness(images, SPLITS, num_neighbours=K).report(
        subject(VIEWS), (), found(LABELS[:, None], features=features)
    )
    metrics = {row.metric for row in report.rows}
    assert "cka" in metrics and not [name for name in metrics if name.startswith(("ssi", "drift"))]


def test_raw_pixels_have_no_halves() -> None:
    assert not analysis().report(subject(), (), found(LABELS[:, None], features=planted())).rows


def reads_motion(encoded: Encoded) -> Tensor:
    """Two classes by the sign of the channels of z_dyn."""
    score = encoded.mean[:, ~APP].sum(1)
    return torch.stack([-score, score], 1)


def test_a_clean_half_repairs_what_its_corruption_broke() -> None:
    labels = (CLEAN_FEATURES[:, ~APP].sum(1) > 0).long()
    tokens = {condition: CLEAN_FEATURES[:, None, None].repeat(1, 2, 3, 1) for condition in CONDITIONS}
    broken = torch.zeros(N, dtype=torch.bool)
    broken[:20] = True
    for condition in DAMAGE.label_preserving:
        if condition[0] in ("frame_freeze", "fog"):
            damaged = tokens[CLEAN].clone()
            damaged[..., APP] = 0
            damaged[broken] = torch.where(APP, 0.0, -damaged[broken])
            tokens[condition] = damaged
    probes: Any = [
        Probe(view=LEVELS, says=reads_motion),
        Probe(view=LEVELS, reads="tokens", name="attentive"),
        Probe(view="whole", name="linear_mean"),
    ]
    who, asked = subject(VIEWS), analysis()
    pooled = {condition: Pooled(seen.mean(2)) for condition, seen in tokens.items()}
    extra = {
        condition: {
            f"{asked.name}/{name}": value
            for name, value in asked.collect(who, probes, pooled[CLEAN], condition, Encoded(seen)).items()
        }
        for condition, seen in tokens.items()
    }
    answers = {condition: [reads_motion(Encoded(seen))] * 3 for condition, seen in tokens.items()}
    features = {condition: Encoded(seen).mean for condition, seen in tokens.items()}
    report = asked.report(who, probes, found(labels[:, None], answers=answers, features=features, extra=extra))
    swapped = [row for row in report.rows if row.subspace.startswith("swap.")]
    assert {row.probe for row in swapped} == {"linear_time"}
    dyn, app = (table(swapped, subspace=f"swap.within_level.{half}") for half in ("dyn", "app"))
    assert dyn["top1", "frame_freeze", 1].value == 1 and dyn["recovered_ratio", "frame_freeze", 1].value == 1
    assert app["top1", "frame_freeze", 1].value == 0.75 and app["recovered_ratio", "frame_freeze", 1].value == 0
    assert math.isnan(app["recovered_ratio", "h264_crf", 1].value)  # no damage
    assert dyn["recovered_ratio_temporal_damage", "damage", 0].value == pytest.approx(1)
    assert app["mpc_spatial_damage", "damage", 0].value == pytest.approx((1 + 0.75) / 2)
    blocks = [block for block in report.predictions if block.subspace == "swap.within_level.app"]
    assert len(blocks) == len(DAMAGE.label_preserving)
    assert next(block for block in blocks if block.corruption == "fog").correct.sum() == N - 20


def test_damage_within_the_noise_has_nothing_to_recover() -> None:
    """Of 80 clips 64 are right, with a standard error of 0.045: a loss of 10 is too little, of 20 is not."""
    right = {"fog": 54, "frame_freeze": 44}
    answers = {key: [said(right_on(LABELS, range(right.get(key[0], 64))), 2)] for key in CONDITIONS}
    name, asked = "swap0.within_level.app", analysis()
    division = [WITHIN]
    repaired = {f"{asked.name}/{name}": answers[CLEAN][0], f"{asked.name}/swap0.within_level.dyn": answers[CLEAN][0]}
    seen = found(LABELS[:, None], answers=answers, extra=dict.fromkeys(DAMAGE.label_preserving, repaired))
    probes: Any = [Probe(view=LEVELS)]
    report = swap_report(answers_of(subject(VIEWS), probes, seen), division, asked.name, DAMAGE)
    rows = table(report.rows, subspace="swap.within_level.app")
    assert math.isnan(rows["recovered_ratio", "fog", 1].value)
    assert rows["recovered_ratio", "frame_freeze", 1].value == pytest.approx(1)


def half_probes(*views_and_columns: tuple[str, int]) -> Any:
    return [Probe(view=view, column=column, num_classes=4) for view, column in views_and_columns]


def answered(labels: Tensor, clean: int, spatial: int, temporal: int) -> dict[Condition, Tensor]:
    """Logits that are right on the first so many clips."""
    right = {"gaussian_noise": spatial, "fog": spatial, "frame_freeze": temporal}
    shown = (CLEAN, *DAMAGE.conditions)
    return {key: said(right_on(labels, range(right.get(key[0], clean)), 4), 4) for key in shown}


def test_the_table_of_a_double_dissociation() -> None:
    labels = torch.stack([torch.arange(N) % 4, (torch.arange(N) + 1) % 4], 1)
    probes = half_probes(("within_level.app", 0), ("within_level.dyn", 1), ("whole", 0))
    appearance, motion = labels.unbind(1)
    each = [answered(appearance, 80, 50, 80), answered(motion, 68, 68, 44), answered(appearance, 80, 80, 80)]
    answers = {key: [one[key] for one in each] for key in each[0]}
    tasks = (dataclasses.replace(COLOUR, classes=tuple("abcd")), ORDER)
    seen = found(labels, tasks, answers, dict.fromkeys(CONDITIONS, CLEAN_FEATURES))
    report = analysis().report(subject(VIEWS), probes, seen)
    app, dyn = (table(report.rows, subspace=f"within_level.{half}", probe="linear_time") for half in ("app", "dyn"))
    m = 0.25
    cells = {
        ("app", "spatial"): 1 - (50 / 80 - m) / (1 - m),
        ("app", "temporal"): 0,
        ("dyn", "spatial"): 0,
        ("dyn", "temporal"): 1 - (44 / 80 - m) / (68 / 80 - m),
    }
    for (half, group), expected in cells.items():
        row = (app if half == "app" else dyn)[f"{group}_loss_damage", "damage", 0]
        assert row.value == pytest.approx(expected)
    both = table(report.rows, subspace="within_level", probe="linear_time")
    row = both["dissociation_damage", "damage", 0]
    assert row.value == pytest.approx(cells["app", "spatial"] + cells["dyn", "temporal"])
    assert both["dissociation_crossed_damage", "damage", 0].value == 1
    assert row.benchmark == "made/appearance+made/order"
    # The same table, from the rows of two evaluations.
    robust = CorruptionRobustness(DAMAGE).report(subject(VIEWS), probes, seen).rows
    again = dissociation_rows(robust, "made/appearance", "made/order", DAMAGE)
    assert [item for item in report.rows if item.metric.startswith("dissociation")] == again
    flagged = [dataclasses.replace(row, value=1.0) if row.metric == "constant_predictor" else row for row in robust]
    assert all(math.isnan(row.value) for row in dissociation_rows(flagged, "made/appearance", "made/order", DAMAGE))


def test_a_half_without_utility_dissociates_nothing() -> None:
    labels = torch.arange(N)[:, None] % 4
    probes = half_probes(("by_level.app", 0), ("by_level.dyn", 0))
    each = [answered(labels[:, 0], 22, 20, 20), answered(labels[:, 0], 80, 80, 40)]
    answers = {key: [one[key] for one in each] for key in each[0]}
    tasks = (ORDER,)
    seen = found(labels, tasks, answers=answers, features=dict.fromkeys(CONDITIONS, CLEAN_FEATURES))
    rows = table(analysis().report(subject(VIEWS), probes, seen).rows, subspace="by_level", probe="linear_time")
    row = rows["dissociation_damage", "damage", 0]
    assert math.isnan(row.value) and row.benchmark == "made"
    assert math.isnan(rows["dissociation_crossed_damage", "damage", 0].value)


def test_benchmarks_that_no_encoder_shares() -> None:
    with pytest.raises(UserError, match="no encoder has probes of z_app on imagenet100"):
        dissociation_rows([], "imagenet100", "ssv2", DAMAGE)


def test_a_real_encoder_from_clips_to_rows() -> None:
    torch.manual_seed(0)
    encoder = FrozenEncoder(Encoder(preset("tiny"), patch=8), all_levels=True)
    views = level_views(preset("tiny").width)
    who = dataclasses.replace(subject(views, STAMP), encoder=encoder)
    clips = (torch.rand(24, 4, 16, 16, 3, generator=torch.Generator().manual_seed(1)) * 255).to(torch.uint8)
    conditions = (("gaussian_noise", 5), ("frame_freeze", 5))
    profile = dataclasses.replace(DAMAGE, corruptions=("gaussian_noise", "frame_freeze"), severities=(5,))
    assert profile.conditions == conditions
    asked = SubspaceRobustness(profile, 10, num_neighbours=3)
    names = [f"clip{number}" for number in range(len(clips))]
    seen = {key: encode(encoder, show(clips, key, "made", names)) for key in (CLEAN, *conditions)}
    read = named(views, LEVELS)
    probe: Any = Probe(view=LEVELS, says=lambda encoded: encoded.time.flatten(1)[:, :2])
    extra = collected(asked, who, [probe], {key: value.tokens for key, value in seen.items()})
    labels = torch.arange(len(clips))[:, None] % 2
    whole = found(
        labels,
        answers={key: [probe.logits(value.part(read))] for key, value in seen.items()},
        features={key: value.mean.half() for key, value in seen.items()},
        extra=extra,
    )
    report = asked.report(who, [probe], whole)
    for name in ("within_level", "by_level"):
        drift = {half: table(report.rows, subspace=f"{name}.{half}") for half in ("app", "dyn")}
        for rows in drift.values():
            for condition in conditions:
                assert 0 < rows["centred_drift", *condition].value < 2
                assert 0 < rows["temporal_gradient_drift", *condition].value < 2
        assert math.isfinite(table(report.rows, subspace=name)["ssi_damage", "damage", 0].value)
    # The probe reads two channels of z_app, in both layouts: with them clean it says what it says of clean clips.
    clean = whole.logits(0).argmax(1).numpy()
    for block in report.predictions:
        if block.subspace.endswith(".app"):
            assert (block.predictions == clean).all()
