"""Rows say which probe, subspace, protocol and number of clips a value belongs to."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from experiments.evaluation.analyses.rows import averages, benchmark_names, chosen_profile, label_free_rows, probe_rows
from experiments.evaluation.conditions import CLEAN
from tests.experiments.evaluation.analyses.made import COLOUR, DAMAGE, ORDER, STAMP, Probe, found, subject
from vjepa.errors import UserError

LABELS = torch.tensor([[0, -1], [1, 2], [0, 3], [1, -1], [0, 1]])
SEEN = found(LABELS, (COLOUR, ORDER), excluded=[1, 3])


def test_one_task_needs_no_suffix() -> None:
    assert benchmark_names("ssv2", ["action"]) == ("ssv2",)
    assert benchmark_names("glyphs", ["motion", "order"]) == ("glyphs/motion", "glyphs/order")


def test_a_probe_counts_the_clips_of_its_own_task() -> None:
    probe = Probe(view="within_level.dyn", column=1)
    row = probe_rows(subject(), probe, SEEN).row("top1", 0.5)
    assert (row.benchmark, row.split, row.probe) == ("made/order", "test", "linear_time")
    assert row.subspace == "within_level.dyn"
    assert (row.n, row.excluded) == (2, 1)
    assert (row.corruption, row.severity, row.metric, row.value) == (*CLEAN, "top1", 0.5)
    assert all(getattr(row, name) == value for name, value in vars(STAMP).items())


def test_without_a_probe_every_clip_counts() -> None:
    row = label_free_rows(subject(), SEEN, "levels", {"neighbours": 20}).row("cka", 1.0, n=2)
    assert (row.benchmark, row.probe, row.subspace, row.n, row.excluded) == ("made", "none", "levels", 2, 2)


def test_the_hash_covers_probe_profile_and_options() -> None:
    probe = Probe()
    plain = probe_rows(subject(), probe, SEEN)
    with_options = dataclasses.replace(plain, options={"independent": True})
    hashes = [
        plain.row("top1", 0.5).protocol_hash,
        plain.row("top1", 0.5, ("fog", 1), DAMAGE.hash).protocol_hash,
        plain.row("top1", 0.5, ("fog", 1), chosen_profile("core").hash).protocol_hash,
        with_options.row("top1", 0.5).protocol_hash,
        with_options.row("top1", 0.5, ("fog", 1), DAMAGE.hash).protocol_hash,
        dataclasses.replace(plain, protocol="another").row("top1", 0.5, ("fog", 1), DAMAGE.hash).protocol_hash,
        label_free_rows(subject(), SEEN, "whole", {"neighbours": 20}).row("cka", 1.0).protocol_hash,
        label_free_rows(subject(), SEEN, "whole", {"neighbours": 5}).row("cka", 1.0).protocol_hash,
    ]
    assert len(set(hashes)) == len(hashes)
    assert hashes[0] == probe.protocol.hash


def test_severities_are_averaged_before_corruptions_and_order_probes_never() -> None:
    values = {("gaussian_noise", 1): 0.9, ("gaussian_noise", 3): 0.7, ("fog", 1): 0.2, ("frame_freeze", 1): 0.4}
    found = averages("mpc", {**values, ("jumbling", 1): 99.0, ("reverse", 1): 99.0}, DAMAGE)
    assert found == pytest.approx(
        {"mpc_damage": (0.8 + 0.2 + 0.4) / 3, "mpc_spatial_damage": 0.5, "mpc_temporal_damage": 0.4}
    )
    assert averages("mpc", {("reverse", 1): 0.5}, DAMAGE) == {}


def test_a_summary_bears_the_name_of_the_profile() -> None:
    row = label_free_rows(subject(), SEEN, "whole", None).summary({"cka_damage": 0.5}, DAMAGE)[0]
    assert (row.metric, row.corruption, row.severity) == ("cka_damage", "damage", 0)


def test_an_unknown_profile() -> None:
    with pytest.raises(UserError, match="cor"):
        chosen_profile("cor")
