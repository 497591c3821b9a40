"""Intervals cover what they claim, families keep their level, and power comes out as computed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from experiments.statistics.simulate import SEED_SDS, SEEDS, World, coverage, false_claims, main, power_found

EFFECT = 0.03
CELLS = [(seeds, sd) for seeds in SEEDS for sd in SEED_SDS]


def tolerance(share: float, repetitions: int) -> float:
    """Three standard errors of a share."""
    return 3 * math.sqrt(share * (1 - share) / repetitions)


def test_the_world_is_as_it_is_told() -> None:
    world = World(4, 400, 0.05, EFFECT)
    d = np.concatenate(
        [part[:, 0].mean(-1) - part[:, 1].mean(-1) for part in world.parts(np.random.default_rng(0), 400)]
    )
    assert d.mean() == pytest.approx(EFFECT, abs=0.006)
    # Of the spread over seeds, clips leave sqrt(.5 / C) or so beside the seeds' own.
    assert d.std(axis=1, ddof=1).mean() == pytest.approx(math.hypot(0.05, math.sqrt(0.3 / 400)), rel=0.1)


@pytest.mark.parametrize(("num_seeds", "seed_sd"), CELLS)
def test_the_primary_interval_covers_the_truth(num_seeds: int, seed_sd: float) -> None:
    found = coverage(World(num_seeds, 512, seed_sd, EFFECT), 400)
    assert found.primary >= 0.93
    if seed_sd == 0.05:
        assert found.clips_only < 0.85, "an interval over clips alone cannot cover"
        assert found.primary < 0.9999


def test_no_family_claims_what_is_not_there() -> None:
    for num_seeds in (3, 10):
        found = false_claims(World(num_seeds, 128, 0.05), 250)
        assert found.holm <= 0.06
    assert found.uncorrected > 0.2, "without correction some of 24 comparisons would be claimed"


@pytest.mark.parametrize(("num_seeds", "seed_sd"), [(3, 0.05), (5, 0.05), (10, 0.02)])
def test_power_comes_out_as_computed(num_seeds: int, seed_sd: float) -> None:
    found = power_found(World(num_seeds, 512, seed_sd), 500)
    assert found.computed == pytest.approx(0.8, abs=0.06)
    assert found.found == pytest.approx(found.computed, abs=tolerance(0.8, 500))


def test_more_is_found_than_computed_where_seeds_hardly_matter() -> None:
    found = power_found(World(3, 512, 0.0), 500)
    assert found.computed - tolerance(0.8, 500) < found.found < found.computed + 0.15


def test_the_tables_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--repetitions", "4", "--clips", "16"])
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("| ") for line in lines) == 3 * (1 + len(CELLS))


@pytest.mark.slow
@pytest.mark.parametrize("num_clips", [512, 1500])
@pytest.mark.parametrize(("num_seeds", "seed_sd"), CELLS)
def test_with_many_repetitions(num_seeds: int, seed_sd: float, num_clips: int) -> None:
    world, many = World(num_seeds, num_clips, seed_sd), 2000
    assert coverage(World(num_seeds, num_clips, seed_sd, EFFECT), many, seed=1).primary >= 0.93
    assert false_claims(world, many // 4, seed=1).holm <= 0.06
    found = power_found(world, many, seed=1)
    surplus = 0.1 if seed_sd < 0.05 else 0.0
    assert -tolerance(0.8, many) <= found.found - found.computed <= surplus + tolerance(0.8, many)
