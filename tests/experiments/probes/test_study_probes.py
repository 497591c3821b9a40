"""The study's probe protocols: settings as published, sights and blindness as their form implies."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from experiments.evaluation.encoded import Encoded
from experiments.evaluation.features.sources import TokenSource, memory_source
from experiments.evaluation.views import View
from experiments.probes import PROTOCOLS, ProbeProtocol, evaluate, fit_probe, study_protocol
from experiments.probes.labelled import Labelled
from experiments.probes.study import StudySettings, fit_study
from vjepa.errors import UserError

COLOUR, ORDER = range(2)


def encoded(source: TokenSource) -> Encoded:
    return Encoded(source.batch(slice(None)).float())


def shortened(name: str, **changes: Any) -> ProbeProtocol:
    settings = PROTOCOLS[name].settings
    return ProbeProtocol(name, dataclasses.replace(settings, **{"num_epochs": 6, **changes}))


SHORT = {
    "study_attentive": {},
    "study_pooled_attentive": {},
    "study_linear_mean": {"num_epochs": 50, "batch_size": 32},
}


@pytest.mark.parametrize("name", SHORT)
def test_every_probe_sees_colour_and_repeats_exactly(splits: dict[str, TokenSource], name: str) -> None:
    state = torch.get_rng_state()
    fits = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        fits.append(fit_probe(shortened(name, **SHORT[name]), splits["train"], splits["val"], COLOUR, 3))
    torch.set_rng_state(state)
    fit_probe(shortened(name, num_epochs=1), splits["train"], splits["val"], COLOUR, 3)
    assert evaluate(fits[0], splits["test"])["top1"] > 0.9
    assert torch.equal(*(fit.logits(encoded(splits["test"])) for fit in fits))
    assert torch.equal(state, torch.get_rng_state())
    assert "nothing chosen" in fits[0].choice


def test_one_mean_vector_has_no_order(splits: dict[str, TokenSource]) -> None:
    fitted = fit_probe(shortened("study_pooled_attentive"), splits["train"], splits["val"], ORDER, 2)
    correct = evaluate(fitted, splits["test"])["top1"]
    assert correct < 0.5 + 3.7 * 0.5 / len(splits["test"].of_task(ORDER)) ** 0.5


def test_validation_plays_no_part(splits: dict[str, TokenSource]) -> None:
    train, val = splits["train"], splits["val"]
    broken = memory_source(torch.full_like(val.batch(slice(None)), 9.0), val.labels)
    protocol = shortened("study_linear_mean", num_epochs=2)
    one, other = (fit_probe(protocol, train, each, COLOUR, 3) for each in (val, broken))
    assert torch.equal(one.logits(encoded(val)), other.logits(encoded(val)))
    assert one.val_top1 != other.val_top1


def test_every_epoch_visits_every_clip_once() -> None:
    seen: list[int] = []
    tokens = torch.arange(10.0)[:, None, None, None].expand(10, 1, 1, 8).half()
    labels = torch.arange(10) % 2
    original = torch.nn.functional.cross_entropy

    def record(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        seen.append(len(labels))
        return original(logits, labels)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("experiments.probes.study.F.cross_entropy", record)
        train = Labelled(memory_source(tokens, labels[:, None]), labels)
        fit_study(StudySettings(num_epochs=2, batch_size=4), train, train, 2, torch.device("cpu"))
    assert seen == [4, 4, 2, 4, 4, 2]


PUBLISHED = {
    # benchmark, variant: reads, head, learning rate, epochs, batch
    ("diving48", "baseline"): ("tokens", "attentive", 1e-3, 100, 16),
    ("diving48", "fwm_hw_ld"): ("tokens", "attentive", 1e-3, 50, 16),
    ("ssv2", "ld"): ("mean", "attentive", 1e-3, 100, 16),
    ("ssv2", "fwm_ld"): ("mean", "attentive", 1e-3, 50, 16),
    ("ssv2", "hw_ld"): ("mean", "attentive", 1e-3, 50, 16),
    ("imagenet100", "fwm_hw_ld"): ("mean", "linear", 1e-3, 50, 256),
    ("ucf101", "kinematic"): ("tokens", "attentive", 3e-4, 100, 16),
}


@pytest.mark.parametrize(("benchmark", "variant"), PUBLISHED)
def test_as_released_is_what_was_published(benchmark: str, variant: str) -> None:
    settings = study_protocol(benchmark, variant, "as_released").settings
    assert isinstance(settings, StudySettings)
    found = (settings.reads, settings.head, settings.learning_rate, settings.num_epochs, settings.batch_size)
    assert found == PUBLISHED[benchmark, variant]
    assert settings.weight_decay == 0.01


@pytest.mark.parametrize("benchmark", ["diving48", "ssv2", "imagenet100", "ucf101"])
def test_as_described_treats_every_variant_alike(benchmark: str) -> None:
    variants = ("baseline", "fwm_hw_ld", "fwm_ld", "hw_ld", "ld")
    found = {study_protocol(benchmark, variant, "as_described") for variant in variants}
    assert len(found) == 1
    settings = found.pop().settings
    assert isinstance(settings, StudySettings)
    if benchmark in ("diving48", "ssv2"):
        assert (settings.reads, settings.num_epochs) == ("tokens", 100)


def test_unknown_benchmark_suggests_the_nearest() -> None:
    with pytest.raises(UserError, match=r"unknown benchmark 'divng48' \(did you mean 'diving48'\?\)"):
        study_protocol("divng48", "ld", "as_released")


def test_tokens_that_do_not_divide_are_refused(splits: dict[str, TokenSource]) -> None:
    narrow = splits["train"].part(View("narrow", slice(0, 20)))
    with pytest.raises(UserError, match="8 heads, which do not divide tokens of width 20"):
        fit_probe(shortened("study_attentive"), narrow, narrow, COLOUR, 3)


@pytest.mark.parametrize("change", [{"head": "linear"}, {"num_epochs": 0}, {"batch_size": 0}])
def test_impossible_settings_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"linear head reads one vector|at least 1"):
        StudySettings(**change)
