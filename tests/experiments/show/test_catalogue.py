"""What is drawn is what the encoder, its probes and its division say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.evaluation.benchmarks import feature_folder
from experiments.evaluation.encoded import encode
from experiments.evaluation.views import WHOLE, named
from experiments.pictures.latent import latent_halves
from experiments.probes.attentive import AttentiveProbe
from experiments.shipped import FOLDER
from experiments.show import catalogue
from experiments.show.clip import read_shown
from experiments.show.encoders import LoadedEncoder, check_shapes, load_encoder
from experiments.show.gallery import Bank, Gallery
from experiments.show.sitting import Sitting
from experiments.show.write import draw_clip
from tests.experiments.show.conftest import Stage
from vjepa.errors import UserError


@pytest.fixture
def encoder(stage: Stage) -> LoadedEncoder:
    return load_encoder(stage.run.folder)


@pytest.fixture
def sitting(stage: Stage, encoder: LoadedEncoder) -> Sitting:
    clip = read_shown(stage.clip, **encoder.clip_shape)
    return Sitting(encoder, clip, Gallery(most=12), (24, 16), feature_folder())


def test_a_clip_is_read_as_the_evaluation_reads_it(sitting: Sitting, stage: Stage) -> None:
    assert sitting.frames.shape == (8, 32, 32, 3)
    assert np.abs(sitting.frames.astype(int) - stage.frames).mean() < 8
    assert (sitting.grid.time, sitting.grid.height, sitting.grid.width) == (4, 4, 4)


def test_the_legend_says_run_weights_step_and_clip(sitting: Sitting) -> None:
    assert sitting.legend == "fwm_hw_ld as_described seed 0 \u00b7 teacher weights \u00b7 step 4 \u00b7 square.mp4"
    assert "init weights \u00b7 step 0" in load_encoder(sitting.encoder.path, "init").legend


def test_attention_and_answer_are_those_of_the_stored_probe(sitting: Sitting) -> None:
    kind, drawn = catalogue.answers(sitting)
    assert kind == "attentive_quick on glyphs"
    assert [answer.task for answer in drawn] == ["appearance", "motion", "order"]
    plans = [catalogue.EvaluationPlan(("attentive_quick",), num_train=24, num_val=16)]
    data = sitting.gallery.data(sitting.encoder)
    found = catalogue.stored_probes(sitting.encoder.subject, data, plans, sitting.cache_folder)
    seen = encode(sitting.encoder.subject.encoder, sitting.clip.frames)
    seen = seen.part(named(sitting.encoder.subject.views, WHOLE))
    for fitted, answer in zip(found, drawn, strict=True):
        shares = fitted.logits(seen).softmax(-1)[0]
        assert answer.probability == pytest.approx(float(shares.max()))
        assert isinstance(fitted.probe, AttentiveProbe)
        looks = fitted.probe.attention(seen)
        assert looks.shape == (1, 4, 16) and float(looks.sum()) == pytest.approx(1, abs=1e-5)
        np.testing.assert_array_equal(answer.attention.reshape(4, 16), looks[0].numpy())


@pytest.mark.parametrize("name", ["fwm_hw_ld", "baseline"])
def test_halves_are_those_of_the_layout_or_of_its_control(name: str, sitting: Sitting) -> None:
    encoder = load_encoder(FOLDER / f"{name}.safetensors")
    model, tokens = encoder.model, encode(encoder.subject.encoder, sitting.clip.frames).tokens[0]
    halves = latent_halves(tokens, model.layout, "here")
    assert halves.is_control == (name == "baseline")
    views = encoder.subject.views
    for half, view in ((halves.app, "within_level.app"), (halves.dyn, "within_level.dyn")):
        np.testing.assert_allclose(half, named(views, view).select(tokens).mean(dim=1).numpy(), atol=1e-6)


def test_a_clip_of_the_gallery_is_its_own_nearest_neighbour(sitting: Sitting) -> None:
    bank = sitting.gallery.bank(sitting.encoder, sitting.cache_folder)
    assert len(bank.features) == 12 and "12 of 48 train clips of glyphs" in bank.legend
    (place, similarity), *others = bank.nearest(bank.features[5:6], 3)
    assert place == 5 and similarity == pytest.approx(1, abs=1e-5) and len(others) == 2
    frames = bank.dataset.read(bank.index[5:6])[0].numpy()
    assert bank.neighbour(5, similarity, frames).label == "the clip itself"
    digit, _, kind = bank.neighbour(5, similarity, sitting.frames).label.partition(", ")
    tasks = {task.name: [one.replace("_", " ") for one in task.classes] for task in bank.dataset.tasks}
    assert digit in tasks["appearance"] and kind in tasks["motion"] + tasks["order"]


def test_features_of_the_gallery_are_mean_features(sitting: Sitting) -> None:
    bank: Bank = sitting.gallery.bank(sitting.encoder, sitting.cache_folder)
    whole = named(sitting.encoder.subject.views, WHOLE)
    expected = encode(sitting.encoder.subject.encoder, bank.dataset.read(bank.index)).part(whole).mean
    torch.testing.assert_close(bank.features, expected, atol=1e-4, rtol=1e-4)


def test_data_that_are_not_here_leave_only_their_pictures_out(
    sitting: Sitting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    subject = replace(sitting.encoder.subject, stamp=replace(sitting.encoder.subject.stamp, data="ucf101"))
    elsewhere = replace(sitting, encoder=replace(sitting.encoder, subject=subject, run=None))
    reasons: list[str] = []
    sheets = draw_clip([elsewhere], ("neighbours", "attention", "motion"), reasons.append)
    assert set(sheets) == {"motion"} and [reason.partition(":")[0] for reason in reasons] == ["neighbours", "attention"]
    assert all(str(tmp_path) in reason for reason in reasons)


def test_encoders_of_other_clips_are_shown_apart(encoder: LoadedEncoder) -> None:
    check_shapes([encoder, encoder])
    other = replace(encoder, clip_shape={"num_frames": 16, "size": 224})
    with pytest.raises(UserError, match=r"16 frames of 224 px.*8 frames of 32 px: show them apart"):
        check_shapes([encoder, other])


def test_corruptions_change_the_clip_and_are_the_same_each_time(sitting: Sitting) -> None:
    for name in catalogue.CORRUPTIONS:
        damaged = sitting.clip.under(name, catalogue.SEVERITY)
        assert damaged.shape == sitting.clip.frames.shape and not torch.equal(damaged, sitting.clip.frames), name
        assert torch.equal(damaged, sitting.clip.under(name, catalogue.SEVERITY)), name
