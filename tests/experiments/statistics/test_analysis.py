"""Which numbers are compared, in which families, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from experiments.results.files import DONE
from experiments.statistics import Analysis, Comparison, VariantKey, analyse, holm
from tests.experiments.statistics.invented import CLIPS, CONDITIONS, PROFILE, stamp_of, write_evaluation
from vjepa.errors import UserError

SEEDS = (0, 1, 2)
VARIANTS = ("baseline", "fwm", "ld", "fwm_ld")
BASELINE, FWM = VariantKey("baseline", "as_described"), VariantKey("fwm", "as_described")
INIT = VariantKey("random_init", "none")
ACCURACY = {"baseline": 0.5, "fwm": 0.97, "ld": 0.5, "fwm_ld": 0.95, "random_init": 0.2, "pixels": 0.2}


def run(**options: object) -> Analysis:
    return analyse(**options, profile=PROFILE)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four variants at three seeds, as a plan leaves them: controls beside the baseline alone."""
    root = tmp_path_factory.mktemp("evaluations")
    found = []
    for seed in SEEDS:
        for variant in VARIANTS:
            names = (variant, "random_init", "pixels") if variant == "baseline" else (variant,)
            stamps = [stamp_of(name, seed) for name in names]
            index = 0.5 if variant.startswith("fwm") else 0.0
            folder = root / f"{variant}{seed}"
            found.append(write_evaluation(folder, stamps, ACCURACY, ("linear_time", "knn"), index=index))
    return found


@pytest.fixture(scope="module")
def found(folders: list[Path]) -> Analysis:
    return run(evaluations=folders)


def pick(comparisons: tuple[Comparison, ...], variant: str, name: str, benchmark: str = "glyphs") -> Comparison:
    chosen = [
        one
        for one in comparisons
        if one.treatment.variant == variant
        and (one.endpoint.name, one.endpoint.benchmark) == (name, benchmark)
        and one.endpoint.probe != "knn"
    ]
    assert len(chosen) == 1, chosen
    return chosen[0]


def test_endpoints_and_their_families(found: Analysis) -> None:
    told = [(one.name, one.benchmark, one.probe, one.unit, one.family) for one in found.endpoints]
    assert told[:2] == [
        ("mPC", "glyphs", "linear_time", "points", "primary"),
        ("SSI", "glyphs", "within_level", "nats", "primary"),
    ]
    tasks = [f"glyphs/{task}" for task in ("appearance", "motion", "order")]
    assert told[2:5] == [("accuracy", task, "linear_time", "points", "accuracy") for task in tasks]
    assert set(told[5:]) == {
        *(("mPC", task, probe, "points", "descriptive") for task in tasks for probe in ("linear_time", "knn")),
        *(("accuracy", task, "knn", "points", "descriptive") for task in tasks),
        ("mPC", "glyphs", "knn", "points", "descriptive"),
    }


def test_every_variant_is_compared_with_the_baseline(found: Analysis) -> None:
    assert {(one.treatment.variant, one.control) for one in found.comparisons} == {
        (name, BASELINE) for name in VARIANTS[1:]
    }
    better = pick(found.comparisons, "fwm", "mPC")
    assert better.difference.num_seeds == 3 and better.difference.num_clips == CLIPS
    assert 0.3 < better.difference.mean < 0.6
    assert better.significant and better.difference.mdd_holm is not None
    assert not pick(found.comparisons, "ld", "mPC").significant
    index = pick(found.comparisons, "fwm", "SSI")
    assert index.difference.unit == "nats" and index.difference.mean == pytest.approx(0.5, abs=0.05)
    assert index.significant and "nats" in index.describe("fwm", "baseline")


def test_families_are_corrected_apart(found: Analysis) -> None:
    for comparisons, size in ((found.comparisons, 3), (found.controls, 4)):
        for family, endpoints in (("primary", 2), ("accuracy", 3)):
            members = [one for one in comparisons if one.endpoint.family == family]
            assert len(members) == size * endpoints
            p = [one.difference.p_value for one in members]
            assert [one.p_holm for one in members] == pytest.approx(holm(np.array(p, dtype=float)).tolist())
            assert all(one.significant == (one.p_holm < 0.05) for one in members if one.p_holm is not None)
    described = [one for one in found.comparisons if one.endpoint.family == "descriptive"]
    assert described and all(one.p_holm is None and not one.significant for one in described)
    large = max(described, key=lambda one: one.difference.mean)
    assert large.difference.significant
    assert "not corrected; the interval excludes zero" in large.describe("a", "b")
    assert any("primary endpoints: Holm over 6 comparisons" in note for note in found.notes)
    assert any("not corrected" in note for note in found.notes)


def test_controls_are_paired_by_seed(found: Analysis) -> None:
    assert {one.treatment.variant for one in found.controls} == set(VARIANTS)
    assert {one.control for one in found.controls} == {INIT}
    assert pick(found.controls, "baseline", "accuracy", "glyphs/appearance").difference.mean > 0.15
    summaries = {(one.key, one.endpoint.name): one for one in found.summaries if one.endpoint.family == "primary"}
    assert summaries[INIT, "mPC"].per_seed and summaries[VariantKey("pixels", "none"), "mPC"].seeds == SEEDS
    assert (VariantKey("pixels", "none"), "SSI") not in summaries
    one = summaries[FWM, "mPC"]
    assert one.mean == pytest.approx(np.mean(one.per_seed)) and one.seed_sd is not None
    assert one.low is not None and one.high is not None and one.low < one.mean < one.high


def test_factorization_is_the_mean_over_matched_pairs(found: Analysis) -> None:
    pooled = [one for one in found.factorization if one.treatment.variant == "factorized"]
    tested = [one for one in pooled if one.p_holm is not None and one.endpoint.family == "primary"]
    assert [one.endpoint.name for one in tested] == ["mPC", "SSI"]
    p = np.array([one.difference.p_value for one in tested], dtype=float)
    assert [one.p_holm for one in tested] == pytest.approx(holm(p).tolist())
    pairs = [pick(found.factorization, name, "mPC") for name in ("fwm", "fwm_ld")]
    assert [one.control.variant for one in pairs] == ["baseline", "ld"]
    assert all(one.p_holm is None and not one.significant for one in pairs)
    mean = np.mean([one.difference.per_seed for one in pairs], axis=0)
    assert tested[0].difference.per_seed == pytest.approx(mean.tolist())
    assert any("fwm - baseline, fwm_ld - ld; seeds 0, 1, 2" in note for note in found.notes)


def test_only_seeds_in_common_count(folders: list[Path]) -> None:
    some = [folder for folder in folders if folder.name not in ("fwm2", "ld0", "ld1")]
    found = run(evaluations=some)
    assert pick(found.comparisons, "fwm", "mPC").difference.num_seeds == 2
    one_seed = pick(found.comparisons, "ld", "mPC")
    assert one_seed.difference.num_seeds == 1 and one_seed.difference.low is None and one_seed.p_holm is None
    assert not one_seed.significant
    # Those without a p-value do not belong to the family.
    assert any("primary endpoints: Holm over 4 comparisons" in note for note in found.notes)
    for told in ("fwm as_described: no seed 2", "ld as_described: no seed 0, 1"):
        assert any(told in note for note in found.notes)
    # The pair that has a single seed would leave the mean with one.
    assert any("the mean over fwm - baseline; seeds 0, 1" in note for note in found.notes)


def test_one_seed_claims_nothing(folders: list[Path]) -> None:
    found = run(evaluations=[folder for folder in folders if folder.name.endswith("0")])
    everything = (*found.comparisons, *found.controls, *found.factorization)
    assert everything and not any(one.significant for one in everything)
    assert all(one.p_holm is None and one.difference.p_value is None for one in everything)
    assert all("n=1 seed: no interval" in one.describe("a", "b") for one in everything)
    assert any(note.startswith("one seed") for note in found.notes)


def test_swept_variants_are_compared_with_the_plain_baseline(tmp_path: Path) -> None:
    names = ("baseline", "baseline@weight=3", "ld@weight=0.3")
    folders = [
        write_evaluation(tmp_path / f"{name}{seed}", [stamp_of(name, seed)]) for name in names for seed in (0, 1)
    ]
    found = run(evaluations=folders)
    assert {(one.treatment.variant, one.control.variant) for one in found.comparisons} == {
        (name, "baseline") for name in names[1:]
    }
    assert not found.controls and any("no random init" in note for note in found.notes)


def test_readings_stay_apart(tmp_path: Path) -> None:
    folders = []
    for name, reading in (("baseline", "as_described"), ("ld", "as_described"), ("ld", "as_released")):
        for seed in (0, 1):
            stamps = [stamp_of(name, seed, reading), stamp_of("random_init", seed)]
            folders.append(write_evaluation(tmp_path / f"{name}{reading}{seed}", stamps))
    found = run(evaluations=folders)
    assert {one.treatment for one in found.comparisons} == {VariantKey("ld", "as_described")}
    assert any("as_released: no baseline" in note for note in found.notes)
    divisions = {one.endpoint.probe: one.treatment.reading for one in found.controls if one.endpoint.name == "SSI"}
    assert divisions == {"within_level": "as_described", "by_level": "as_released"}


def test_missing_endpoints_are_told(tmp_path: Path) -> None:
    folders = [
        write_evaluation(tmp_path / f"{name}{seed}", [stamp_of(name, seed)], 0.5, index=None, conditions=conditions)
        for name, conditions in (("baseline", CONDITIONS), ("ld", CONDITIONS[1:]))
        for seed in (0, 1)
    ]
    found = run(evaluations=folders)
    assert not [one for one in found.comparisons if one.endpoint.name != "accuracy"]
    assert any("glyphs: no SSI, it needs drifts" in note for note in found.notes)
    assert any("no mPC of ld as_described seed 0, ld as_described seed 1" in note for note in found.notes)


def test_other_clips_are_refused(tmp_path: Path) -> None:
    stamps = [stamp_of("baseline", 0)], [stamp_of("ld", 0)], [stamp_of("fwm", 0)]
    folders = [
        write_evaluation(tmp_path / str(number), who, clips=set(range(CLIPS)) - ({4} if number == 1 else set()))
        for number, who in enumerate(stamps)
    ]
    with pytest.raises(UserError, match=r"ld as_described seed 0 \(1 missing, such as test/4; .*broken.csv"):
        run(evaluations=folders)


def test_mixed_protocols_are_refused_with_the_list(tmp_path: Path) -> None:
    folders = [
        write_evaluation(tmp_path / protocol, [stamp_of(name, 0)], protocol=protocol)
        for name, protocol in (("baseline", "aaaa"), ("ld", "bbbb"))
    ]
    with pytest.raises(UserError, match=r"(?s)protocols.*aaaa \(baseline.*bbbb \(ld"):
        run(evaluations=folders)


def test_two_runs_of_one_name_are_refused(tmp_path: Path) -> None:
    stamp = stamp_of("ld", 0)
    stamps = [stamp, dataclasses.replace(stamp, weights="online")]
    with pytest.raises(UserError, match=r"ld as_described seed 0 was evaluated in two ways, teacher .* and online"):
        run(evaluations=[write_evaluation(tmp_path, stamps)])


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no evaluations to compare"):
        run(evaluations=[])
    folder = write_evaluation(tmp_path / "one", [stamp_of("ld", 0)])
    with pytest.raises(UserError, match="did you mean 'core'"):
        analyse([folder], profile="cor")
    (folder / DONE).unlink()
    with pytest.raises(UserError, match=r"no finished evaluation \(EVALUATED.json"):
        run(evaluations=[folder])
