"""Fitting from any source, in any pieces, gives the same probe; files give it back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from data_modules.clips.datasets import ClipDataset
from experiments.evaluation.encoded import Encoded, Pooled
from experiments.evaluation.features import token_source
from experiments.evaluation.features.cache import DataKey, FeatureCache
from experiments.evaluation.features.sources import TokenSource, make_source, memory_source
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import ALL, View
from experiments.probes import (
    PROTOCOLS,
    FittedProbe,
    ProbeProtocol,
    evaluate,
    fit_probe,
    load_probe,
    save_probe,
    standard,
)
from experiments.probes.attentive import AttentiveSettings
from experiments.probes.knn import KnnSettings
from experiments.results import RowStamp
from vjepa.errors import UserError
from vjepa.metrics import knn_hits

COLOUR, ORDER = range(2)
STAMP = RowStamp("none", "none", "pixels", "as_described", "whole", 0, 0, "pixels", "cafe")
HALF = View("half", slice(0, 48))
SHORT: dict[str, dict[str, Any]] = {
    "linear_time": {},
    "linear_mean": {},
    "attentive": {"num_steps": 20},
    "knn": {},
    "study_attentive": {"num_epochs": 2},
    "study_pooled_attentive": {"num_epochs": 2},
    "study_linear_mean": {"num_epochs": 2},
}


class MadeOf(ClipDataset):
    """The fake clips as a real data set."""

    def __init__(self, fake: Any) -> None:
        super().__init__(fake.split, fake.tasks, fake.video_ids, fake.labels)
        self.frames = fake.frames

    def read(self, indices: torch.Tensor) -> torch.Tensor:
        return self.frames[indices]


def shortened(name: str) -> ProbeProtocol:
    return ProbeProtocol(name, dataclasses.replace(PROTOCOLS[name].settings, **SHORT[name]))


def encoded(source: TokenSource) -> Encoded:
    return Encoded(source.batch(slice(None)).float())


@pytest.fixture(scope="module")
def fitted(splits: dict[str, TokenSource]) -> dict[str, FittedProbe]:
    train, val = (splits[name].part(HALF) for name in ("train", "val"))
    return {name: fit_probe(shortened(name), train, val, COLOUR, 3) for name in SHORT}


@pytest.mark.parametrize("name", SHORT)
def test_a_file_gives_the_probe_back(
    fitted: dict[str, FittedProbe], splits: dict[str, TokenSource], tmp_path: Path, name: str
) -> None:
    path = tmp_path / "deep" / "probe.safetensors"
    state = torch.get_rng_state()
    save_probe(fitted[name], path)
    again = load_probe(path)
    assert torch.equal(state, torch.get_rng_state())
    test = splits["test"].part(HALF)
    assert torch.equal(again.logits(encoded(test)), fitted[name].logits(encoded(test)))
    assert again.protocol == fitted[name].protocol
    assert again.protocol.hash == fitted[name].protocol.hash
    for fact in ("view", "column", "num_classes", "num_train", "num_val", "val_top1", "choice"):
        assert getattr(again, fact) == getattr(fitted[name], fact)
    assert again.view == "half"


def test_files_that_hold_no_probe_are_refused(fitted: dict[str, FittedProbe], tmp_path: Path) -> None:
    path = tmp_path / "probe.safetensors"
    with pytest.raises(UserError, match=r"probe.safetensors is no file of a fitted probe.*fit the probe again"):
        load_probe(path)
    save_probe(fitted["linear_mean"], path)
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["vjepa_probe"])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="or torn"):
        load_probe(path)
    save_file({"x": torch.zeros(1)}, path, {"vjepa_probe": json.dumps(header | {"version": 0})})
    with pytest.raises(UserError, match="expected a fitted probe of format 1, found format 0"):
        load_probe(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="found format none"):
        load_probe(path)


@pytest.mark.parametrize("name", SHORT)
def test_features_of_another_width_are_refused(
    fitted: dict[str, FittedProbe], splits: dict[str, TokenSource], name: str
) -> None:
    with pytest.raises(UserError, match=rf"probe {name} of half reads \d+ features a clip, and was given \d+"):
        fitted[name].logits(encoded(splits["test"]))


def test_probes_of_means_need_no_tokens(fitted: dict[str, FittedProbe], splits: dict[str, TokenSource]) -> None:
    means = splits["test"].part(HALF).time()
    for name, probe in fitted.items():
        if probe.protocol.reads == "tokens":
            with pytest.raises(ValueError, match="not their tokens"):
                probe.logits(Pooled(means))
        else:
            expected = probe.logits(Encoded(means[:, :, None]))
            assert torch.allclose(probe.logits(Pooled(means)), expected, atol=1e-6), name


@pytest.mark.parametrize("memory_limit", [0, 2**30])
def test_the_place_of_features_makes_no_difference(
    fake_data: Any, pixel_encoder: Any, splits: dict[str, TokenSource], tmp_path: Path, memory_limit: int
) -> None:
    subject = Subject("it", pixel_encoder, STAMP, "cafe", (ALL,))
    cache = FeatureCache(tmp_path, DataKey("made", "beef", 8, 16))
    train, val = (
        make_source(
            subject, MadeOf(fake_data.dataset(split)), torch.arange(100), needs_tokens=True, cache=cache,
            memory_limit=memory_limit, say=lambda line: None, progress=False,
        )
        for split in ("train", "val")
    )  # fmt: skip
    in_memory = [
        memory_source(
            pixel_encoder(fake_data.dataset(split).frames[:100]).half(), fake_data.dataset(split).labels[:100]
        )
        for split in ("train", "val")
    ]
    for name in ("linear_time", "attentive", "study_attentive", "knn"):
        one = fit_probe(shortened(name), train, val, ORDER, 2)
        other = fit_probe(shortened(name), *in_memory, ORDER, 2)
        assert (one.num_train, one.num_val) == (80, 80)
        said, expected = (probe.logits(encoded(in_memory[0])) for probe in (one, other))
        assert torch.allclose(said, expected, atol=5e-3), name


def test_pieces_make_no_difference(splits: dict[str, TokenSource], monkeypatch: pytest.MonkeyPatch) -> None:
    def fit_all() -> dict[str, FittedProbe]:
        return {
            name: fit_probe(shortened(name), splits["train"], splits["val"], COLOUR, 3)
            for name in ("linear_time", "attentive", "knn")
        }

    whole = fit_all()
    monkeypatch.setattr(token_source, "_PIECE_BYTES", 100_000)
    monkeypatch.setattr(standard, "MEMORY_LIMIT", 0)
    pieces = fit_all()
    for name, probe in pieces.items():
        assert probe.choice == whole[name].choice
        assert probe.val_top1 == whole[name].val_top1
        said, expected = (each.logits(encoded(splits["test"])) for each in (probe, whole[name]))
        assert torch.allclose(said, expected, atol=2e-3), name


def test_neighbours_vote_as_the_metric_does(splits: dict[str, TokenSource]) -> None:
    probe = fit_probe(PROTOCOLS["knn"], splits["train"], splits["val"], COLOUR, 3)
    test, train = splits["test"], splits["train"]
    hits = knn_hits(test.time().mean(1), test.labels[:, COLOUR], train.time().mean(1), train.labels[:, COLOUR])
    assert torch.equal(probe.logits(encoded(test)).argmax(1) == test.labels[:, COLOUR], hits)
    assert evaluate(probe, test)["top1"] > 0.9
    # A mean over tokens has no order.
    blind = fit_probe(PROTOCOLS["knn"], splits["train"], splits["val"], ORDER, 2)
    assert evaluate(blind, test)["top1"] < 0.5 + 3.7 * 0.5 / len(test.of_task(ORDER)) ** 0.5
    assert blind.choice == "20 neighbours, nothing chosen"


def test_few_neighbours_are_all_asked() -> None:
    tokens = torch.eye(4)[:, None, None]
    labels = torch.tensor([[0], [0], [1], [1]])
    source = memory_source(tokens, labels)
    probe = fit_probe(PROTOCOLS["knn"], source, source, 0, 2)
    assert probe.choice == "4 neighbours, nothing chosen"
    assert probe.val_top1 == 1
    for change in ({"num_neighbours": 0}, {"temperature": 0.0}):
        with pytest.raises(ValueError, match="expected 1 neighbour"):
            KnnSettings(**change)


def test_a_member_that_diverges_is_not_chosen() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.zeros(32, 1, dtype=torch.int64)  # a NaN would win: its argmax is class 0
    source = memory_source(torch.randn(32, 2, 2, 12, generator=generator), labels)
    settings = AttentiveSettings(learning_rates=(1e38, 1e-3), weight_decays=(0.05,), num_steps=5)
    fitted = fit_probe(ProbeProtocol("attentive", settings), source, source, 0, 2)
    assert fitted.choice.startswith("learning rate 0.001")
    assert torch.isfinite(fitted.logits(encoded(source))).all()
    with pytest.raises(UserError, match=r"every learning rate .* diverged"):
        broken = dataclasses.replace(settings, learning_rates=(1e38,))
        fit_probe(ProbeProtocol("attentive", broken), source, source, 0, 2)


@pytest.mark.parametrize("scale", [1e-20, 1e12])
def test_linear_probes_do_not_care_about_scale(scale: float, splits: dict[str, TokenSource]) -> None:
    parts = [
        memory_source(splits[name].batch(slice(None)).float() * scale + 3 * scale, splits[name].labels)
        for name in ("train", "val")
    ]
    fitted = fit_probe(PROTOCOLS["linear_time"], *parts, COLOUR, 3)
    assert fitted.val_top1 > 0.95


def test_a_fit_that_gets_lost_does_not_spoil_the_weaker_penalties(
    splits: dict[str, TokenSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    num_steps = 0
    step = torch.optim.LBFGS.step

    def lost_at_first(self: torch.optim.LBFGS, closure: Any) -> Any:
        nonlocal num_steps
        num_steps += 1
        if num_steps > 1:
            return step(self, closure)
        with torch.no_grad():
            for parameter in self.param_groups[0]["params"]:
                parameter.fill_(np.nan)
        return None

    monkeypatch.setattr(torch.optim.LBFGS, "step", lost_at_first)
    fitted = fit_probe(PROTOCOLS["linear_time"], splits["train"], splits["val"], ORDER, 2)
    assert num_steps == 6
    assert fitted.val_top1 > 0.95


def test_features_that_are_not_finite_are_refused(splits: dict[str, TokenSource]) -> None:
    tokens = splits["train"].batch(slice(None)).clone()
    tokens[3, 0, 0, 0] = np.inf
    spoilt = memory_source(tokens, splits["train"].labels)
    with pytest.raises(UserError, match="infinite or NaN features"):
        fit_probe(PROTOCOLS["linear_time"], spoilt, splits["val"], COLOUR, 3)
