"""``model.init_from``: a training starts from weights of others, whole or not at all, and says which."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from experiments.cli import main
from experiments.load import instantiate, load_model
from experiments.pretrained import content_digest, describe, initialize, open_pretrained
from experiments.runs import config_hash, open_run
from experiments.training.resolve import resolve_run
from tests.experiments.finished_runs import made_run, resolved
from tests.experiments.frozen.tiny_run import words
from tests.vjepa.interop.made import encoder, equal, write_huggingface, write_official
from tests.vjepa.runs import model_of
from vjepa.errors import UserError
from vjepa.nn import PredictorOptions
from vjepa.storage import digest_file
from vjepa.targets import TargetOptions

STILL = tuple(f"--model.optimizer.{name}=0" for name in ("lr", "lr_start", "lr_final"))
SHALLOW = ("encoder.norms_block.[012].*", "predictor.*")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache for all tests of this file."""
    monkeypatch.setenv("VJEPA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def test_training_starts_from_an_official_file_and_records_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "official.pt"
    online, teacher, narrow = write_official(file)
    options = words(tmp_path / "runs", f"--model.init_from={file}", *STILL, "--model.target.momentum=[1.0,1.0]")
    assert main(["fit", *options]) == 0
    assert f"starting from {file} (official V-JEPA 2.1 layout" in capsys.readouterr().out
    run = open_run(resolve_run(options).folder)
    model = load_model(run)
    assert model.target.teacher is not None
    assert equal(model.encoder, online) and equal(model.target.teacher, teacher) and equal(model.predictor, narrow)
    started = json.loads(run.environment.read_text())["started_from"]
    assert started == {
        "path": str(file), "layout": "official V-JEPA 2.1 layout", "digest": digest_file(file),
        "loaded": ["encoder", "teacher", "predictor"], "differing": [],
    }  # fmt: skip

    # Going on reads the checkpoint, and neither the file nor another record of it.
    file.unlink()
    assert main(["fit", *options, f"--ckpt_path={run.last_checkpoint}"]) == 0
    assert "continuing from" in capsys.readouterr().out
    assert json.loads(run.environment.read_text())["started_from"] == started


def test_one_encoder_is_both_encoder_and_teacher(tmp_path: Path) -> None:
    source = encoder("v2", 4)
    folder = write_huggingface(tmp_path / "hf", source)
    model = model_of(rope="v2", init_from=str(folder), init_allow=SHALLOW)
    narrow = model_of(rope="v2").predictor
    facts = initialize(model)
    assert facts["loaded"] == ["encoder"] and len(facts["differing"]) == 6
    assert describe(facts).endswith("the predictor starts from the seed; 6 keys differ, as allowed")
    assert model.target.teacher is not None and equal(model.encoder, model.target.teacher)
    assert torch.equal(model.encoder.blocks[2].mlp.fc1.weight, source.blocks[2].mlp.fc1.weight)
    assert torch.equal(model.encoder.norms_block[3].bias, source.norms_block[3].bias)
    assert bool((model.encoder.norms_block[0].weight == 1).all()) and equal(model.predictor, narrow)


def test_run_without_teacher_takes_the_online_encoder(tmp_path: Path) -> None:
    online, _, _ = write_official(tmp_path / "official.pt")
    model = model_of(target=TargetOptions("self"), init_from=str(tmp_path / "official.pt"))
    assert initialize(model)["loaded"] == ["encoder", "predictor"]
    assert equal(model.encoder, online)


def test_starts_from_a_run_of_ours(tmp_path: Path) -> None:
    run, source = made_run(tmp_path / "run")
    model = model_of(init_from=str(run.folder))
    assert initialize(model)["layout"] == "checkpoint of vjepa fit"
    assert equal(model.encoder, source.encoder) and equal(model.predictor, source.predictor)
    run.done_mark.unlink()
    with pytest.raises(UserError, match="is not finished"):
        initialize(model)


def test_digest_is_of_content(tmp_path: Path) -> None:
    one, same = (write_huggingface(tmp_path / name, encoder("v2")) for name in ("one", "same"))
    other = write_huggingface(tmp_path / "other", encoder("v2", 1))
    digests = [content_digest(open_pretrained(path)) for path in (one, same, other)]
    assert digests[0] == digests[1] != digests[2]


def test_initial_weights_that_are_evaluated_are_those_of_the_seed() -> None:
    with pytest.raises(UserError, match=r"model\.init_from: this run evaluates its initial weights"):
        model_of(init_from="some.pt", target=TargetOptions("self"), reading="as_released")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model.init_from={file}", "--model.preset=glyphs"), "keys differ"),
        (("--model.init_from={file}", "--model.rope=v2"), "rotary positions v2_1, the model has v2"),
        (("--model.init_from={file}", "--model.predictor.num_mask_tokens=3"), "predictor.mask_tokens.2 is missing"),
    ],
)
def test_bad_file_is_told_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    write_official(tmp_path / "official.pt")
    chosen = [word.format(file=tmp_path / "official.pt") for word in options]
    assert main(["fit", *words(tmp_path / "runs", *chosen)]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_keys_named_in_init_allow_keep_their_initial_values(tmp_path: Path) -> None:
    _, _, narrow = write_official(tmp_path / "official.pt")
    start = {"init_from": str(tmp_path / "official.pt"), "predictor": PredictorOptions(num_mask_tokens=3)}
    model = model_of(**start, init_allow=("predictor.mask_tokens.2",))
    assert initialize(model)["differing"] == ["predictor.mask_tokens.2 is missing"]
    assert torch.equal(model.predictor.mask_tokens[1], narrow.mask_tokens[1])
    assert not model.predictor.mask_tokens[2].any() and narrow.mask_tokens[1].all()
    with pytest.raises(UserError, match=r"1 keys differ:\n  predictor\.mask_tokens\.2 is missing\n"):
        initialize(model_of(**start))


def test_patterns_are_read_from_the_command_line() -> None:
    patterns = ["*.norms_block.[012].*", "predictor.*"]
    settings = resolved("--model.init_from=some.pt", f"--model.init_allow={json.dumps(patterns)}")
    assert settings["model"]["init_allow"] == patterns
    assert instantiate(settings, "model", "here").init_allow == tuple(patterns)


def test_options_left_alone_change_no_identity() -> None:
    settings, before = resolved(), resolved()
    for name in ("rope", "init_from", "init_allow"):
        before["model"].pop(name)
    assert config_hash(before) == config_hash(settings)
    for name, value in (("rope", "v2"), ("init_from", "some.pt"), ("init_allow", ["encoder.*"])):
        assert config_hash(settings | {"model": settings["model"] | {name: value}}) != config_hash(settings)
