"""Probes find the signals they can see, miss those they cannot, and choose on validation."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from experiments.evaluation.encoded import Encoded
from experiments.evaluation.features.sources import TokenSource, memory_source
from experiments.probes import PROTOCOLS, ProbeProtocol, attentive_training, evaluate, fit_probe, protocol
from experiments.probes.attentive import AttentiveSettings
from experiments.probes.attentive_training import member_optimizer
from experiments.probes.labelled import Labelled
from experiments.probes.linear import LinearSettings, fit_linear
from vjepa.errors import UserError
from vjepa.nn.attentive import AttentiveProbes

COLOUR, ORDER, NOISE = range(3)
CPU = torch.device("cpu")
QUICK = ProbeProtocol("attentive", AttentiveSettings(learning_rates=(1e-3, 3e-3), weight_decays=(0.05,), num_steps=40))


def labelled(tokens: torch.Tensor, labels: torch.Tensor) -> Labelled:
    return Labelled(memory_source(tokens, labels[:, None]), labels)


def encoded(source: TokenSource) -> Encoded:
    return Encoded(source.batch(slice(None)).float())


def top1(splits: dict[str, TokenSource], probe: ProbeProtocol, column: int, num_classes: int) -> float:
    fitted = fit_probe(probe, splits["train"], splits["val"], column, num_classes)
    return evaluate(fitted, splits["test"])["top1"]


def chance_limit(splits: dict[str, TokenSource], column: int) -> float:
    """Accuracy that a coin would exceed once in ten thousand times."""
    n = len(splits["test"].of_task(column))
    return 0.5 + 3.7 * 0.5 / n**0.5


@pytest.mark.parametrize("probe", [PROTOCOLS["linear_time"], PROTOCOLS["linear_mean"], QUICK], ids=lambda p: p.name)
def test_every_probe_sees_colour(splits: dict[str, TokenSource], probe: ProbeProtocol) -> None:
    assert top1(splits, probe, COLOUR, 3) > 0.95


def test_only_the_time_resolved_probe_sees_order(splits: dict[str, TokenSource]) -> None:
    assert top1(splits, PROTOCOLS["linear_time"], ORDER, 2) > 0.95
    # A mean has no order, and tokens of pixels carry no position: attention sees a set.
    assert top1(splits, PROTOCOLS["linear_mean"], ORDER, 2) < chance_limit(splits, ORDER)
    assert top1(splits, QUICK, ORDER, 2) < chance_limit(splits, ORDER)


def test_no_probe_sees_labels_that_are_noise(splits: dict[str, TokenSource]) -> None:
    for probe in (PROTOCOLS["linear_time"], QUICK):
        assert top1(splits, probe, NOISE, 2) < chance_limit(splits, NOISE)


def test_only_labelled_clips_are_used(splits: dict[str, TokenSource]) -> None:
    fitted = fit_probe(PROTOCOLS["linear_time"], splits["train"], splits["val"], ORDER, 2)
    assert (fitted.num_train, fitted.num_val) == (256, 128)
    scrambled = {
        name: memory_source(
            torch.where((part.labels[:, ORDER] < 0)[:, None, None, None], torch.nan, part.batch(slice(None))),
            part.labels,
        )
        for name, part in splits.items()
    }
    again = fit_probe(PROTOCOLS["linear_time"], scrambled["train"], scrambled["val"], ORDER, 2)
    assert evaluate(again, scrambled["test"]) == evaluate(fitted, splits["test"])


@pytest.mark.parametrize("probe", [PROTOCOLS["linear_time"], QUICK], ids=lambda p: p.name)
def test_fits_repeat_and_leave_the_global_generator_alone(splits: dict[str, TokenSource], probe: ProbeProtocol) -> None:
    before = torch.get_rng_state()
    logits = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        fitted = fit_probe(probe, splits["train"], splits["val"], COLOUR, 3)
        logits.append(fitted.logits(encoded(splits["test"])))
    torch.set_rng_state(before)
    fit_probe(probe, splits["train"], splits["val"], COLOUR, 3)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(*logits)


def test_features_and_fits_may_be_made_in_inference_mode(splits: dict[str, TokenSource]) -> None:
    with torch.inference_mode():
        frozen = {name: memory_source(part.batch(slice(None)) + 0, part.labels + 0) for name, part in splits.items()}
        for probe in (PROTOCOLS["linear_mean"], QUICK):
            assert top1(frozen, probe, COLOUR, 3) > 0.95
    assert top1(frozen, QUICK, COLOUR, 3) > 0.95


def test_settings_are_chosen_on_validation_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(64) % 2
    clean = (2.0 * labels - 1)[:, None, None, None] + 0.1 * torch.randn(64, 1, 1, 8, generator=generator)
    flipped = 1 - labels
    settings = LinearSettings(strengths=(1.0, 0.1, 0.01))
    # Equal accuracy at every strength: the strongest wins, on right labels as on wrong ones.
    for val_labels in (labels, flipped):
        assert fit_linear(settings, labelled(clean, labels), labelled(clean, val_labels), 2, CPU).strength == 1.0


def test_a_weaker_penalty_is_chosen_when_validation_asks_for_it() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % 2
    # The class sits in the small difference of two large, equal features: a strong penalty cannot reach it.
    common = torch.randn(400, generator=generator)
    signal = 0.02 * (2.0 * labels - 1) + 0.01 * torch.randn(400, generator=generator)
    decoy = 0.3 * (2.0 * labels - 1) + torch.randn(400, generator=generator)
    tokens = torch.stack([common + signal, common - signal, decoy], dim=1)[:, None, None]
    probe = fit_linear(
        LinearSettings(strengths=(10.0, 1e-5), max_iterations=300),
        labelled(tokens[:200], labels[:200]),
        labelled(tokens[200:], labels[200:]),
        2,
        CPU,
    )
    assert probe.strength == 1e-5


def test_the_linear_probe_is_logistic_regression() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(200, 6, generator=generator) * torch.logspace(0, 1, 6) + 3
    labels = torch.randint(3, (200,), generator=generator)
    strength = 0.02
    settings = LinearSettings(strengths=(strength,), max_iterations=500, tolerance=1e-7)
    tokens = features[:, None, None]
    probe = fit_linear(settings, labelled(tokens, labels), labelled(tokens, labels), 3, CPU)
    standard = ((features - features.mean(0)) / features.std(0, correction=0)).numpy()
    oracle = LogisticRegression(C=1 / (strength * 200), tol=1e-8, max_iter=1000).fit(standard, labels.numpy())
    ours = probe.logits(Encoded(tokens)).softmax(1).numpy()
    assert np.abs(ours - oracle.predict_proba(standard)).max() < 1e-3


def test_dead_features_do_no_harm() -> None:
    labels = torch.arange(60) % 2
    tokens = torch.stack([(2.0 * labels - 1), torch.full((60,), 7.0)], dim=1)[:, None, None]
    moved = tokens.clone()
    moved[..., 1] = 7.5
    probe = fit_linear(LinearSettings(), labelled(tokens, labels), labelled(tokens, labels), 2, CPU)
    assert torch.isfinite(probe.logits(Encoded(tokens))).all()
    assert torch.equal(probe.logits(Encoded(moved)).argmax(1), labels)


def test_members_train_as_they_would_alone() -> None:
    members = ((1e-3, 0.5), (1e-2, 0.05))
    generator = torch.Generator().manual_seed(0)
    tokens = AttentiveProbes.normalise(torch.randn(16, 6, 12, generator=generator))
    labels = torch.randint(3, (16,), generator=generator)

    def train(module: AttentiveProbes, optimizer: torch.optim.Optimizer) -> None:
        parameters = list(module.parameters())
        for _ in range(5):
            logits = module(tokens)
            target = labels.expand(logits.shape[0], -1)
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())
            gradients = torch.autograd.grad(loss * logits.shape[0], parameters)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient if parameter.grad is None else parameter.grad.copy_(gradient)
            optimizer.step()

    together = AttentiveProbes(2, 12, 3, 2, 2.0, torch.Generator().manual_seed(1))
    train(together, member_optimizer(together, members))
    for index, (rate, decay) in enumerate(members):
        alone = AttentiveProbes(1, 12, 3, 2, 2.0, torch.Generator().manual_seed(1))
        matrices = [value for value in alone.parameters() if value.ndim == 3]
        vectors = [value for value in alone.parameters() if value.ndim == 2]
        groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
        train(alone, torch.optim.AdamW(groups, lr=rate))
        for ours, theirs in zip(together.parameters(), alone.parameters(), strict=True):
            assert torch.allclose(ours[index], theirs[0], atol=1e-5)


def test_neither_threads_nor_the_place_of_tokens_change_a_weight(
    splits: dict[str, TokenSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = AttentiveSettings(learning_rates=(1e-3, 3e-3, 1e-2), weight_decays=(0.05,), num_steps=6)
    before, fitted = torch.get_num_threads(), []
    for threads, limit in ((1, 2**29), (2, 2**29), (2, 0)):
        monkeypatch.setattr(attentive_training, "MEMORY_LIMIT", limit)
        torch.set_num_threads(threads)
        try:
            probe = fit_probe(ProbeProtocol("attentive", settings), splits["train"], splits["val"], COLOUR, 3).probe
        finally:
            torch.set_num_threads(before)
        fitted.append((probe.choice, probe.state()[0]))
    for choice, state in fitted[1:]:
        assert choice == fitted[0][0]
        torch.testing.assert_close(state, fitted[0][1], rtol=1e-4, atol=1e-6)


def test_the_best_member_on_validation_is_kept(splits: dict[str, TokenSource]) -> None:
    settings = AttentiveSettings(learning_rates=(1e-7, 3e-3), weight_decays=(0.05,), num_steps=40)
    fitted = fit_probe(ProbeProtocol("attentive", settings), splits["train"], splits["val"], COLOUR, 3)
    assert fitted.choice == "learning rate 0.003, weight decay 0.05"
    assert fitted.val_top1 > 0.95


def test_the_hash_covers_every_setting() -> None:
    base = PROTOCOLS["linear_time"]
    assert base.hash == ProbeProtocol("linear_time", LinearSettings()).hash
    changed = [
        ProbeProtocol("other", base.settings),
        ProbeProtocol("linear_time", dataclasses.replace(base.settings, max_iterations=61)),
        *PROTOCOLS.values(),
    ]
    assert len({item.hash for item in changed}) == len(PROTOCOLS) + 2


def test_an_unknown_protocol_suggests_the_nearest() -> None:
    with pytest.raises(UserError, match=r"unknown probe 'linear_tine'.*did you mean 'linear_time'"):
        protocol("linear_tine")


def test_missing_labels_and_wrong_classes_are_refused(splits: dict[str, TokenSource]) -> None:
    train = splits["train"]
    unlabelled = dataclasses.replace(train, labels=torch.full_like(train.labels, -1))
    with pytest.raises(UserError, match=r"no train clip has a label for task column 1"):
        fit_probe(PROTOCOLS["linear_time"], unlabelled, splits["val"], ORDER, 2)
    with pytest.raises(UserError, match=r"label 2 in task column 0, but the task has 2 classes"):
        fit_probe(PROTOCOLS["linear_time"], train, splits["val"], COLOUR, 2)


@pytest.mark.parametrize("change", [{"pooling": "space"}, {"strengths": (0.1, 1.0)}, {"strengths": (1.0, 0.0)}])
def test_impossible_settings_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"pooling|strengths"):
        LinearSettings(**change)
