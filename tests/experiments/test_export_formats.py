"""``vjepa export``: a trained run reads back exactly in every format, and in transformers with the same tokens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from experiments.cli import main
from experiments.export import open_encoder
from experiments.load import load_data, load_model
from experiments.results import Row, write_rows
from experiments.runs import Run, open_run
from experiments.training.resolve import resolve_run
from tests.experiments.finished_runs import made_run
from tests.experiments.frozen.tiny_run import words
from tests.vjepa.interop.made import encoder, equal, predictor
from vjepa.interop import load_parts, read_pretrained
from vjepa.nn import Rope
from vjepa.pixels import to_pixels


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of four steps with the rotary positions of V-JEPA 2."""
    root = tmp_path_factory.mktemp("v2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VJEPA_CACHE", str(root / "cache"))
        options = words(root, "--model.rope=v2")
        assert main(["fit", *options]) == 0
        run = open_run(resolve_run(options).folder)
        load_data(run)
        yield run


def test_huggingface_folder_gives_the_same_tokens_in_transformers(trained: Run, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="pip install 'vjepa-ablation[hf]'")
    out = tmp_path / "hf"
    assert main(["export", str(trained.folder), "--format", "hf", "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert [path.name for path in tmp_path.iterdir()] == ["hf"], "something is left behind"
    model = transformers.AutoModel.from_pretrained(out).eval()
    assert type(model).__name__ == "VJEPA2Model"
    frames = load_data(trained).dataset("test").fetch([0, 1, 2]).frames
    ours = load_model(trained).frozen()
    with torch.no_grad():
        tokens = model(pixel_values_videos=to_pixels(frames).transpose(1, 2), skip_predictor=True).last_hidden_state
    torch.testing.assert_close(tokens, ours(frames).flatten(1, 2), rtol=0, atol=1e-5)
    untrained = load_model(trained).frozen("init")(frames).flatten(1, 2)
    assert (tokens - untrained).abs().max() > 1e-3, "the weights are not those that were trained"


def test_every_format_reads_back_exactly(trained: Run, tmp_path: Path) -> None:
    model = load_model(trained)
    ours = {"encoder": model.encoder, "teacher": model.target.teacher, "predictor": model.predictor}
    for form, parts in (("safetensors", ("teacher",)), ("hf", ("teacher",)), ("official", tuple(ours))):
        out = tmp_path / f"{form}{'' if form == 'hf' else '.safetensors' if form == 'safetensors' else '.pt'}"
        assert main(["export", str(trained.folder), "--format", form, "--out", str(out)]) == 0
        found = read_pretrained(out)
        assert found.rope == "v2" and found.preset == "tiny"
        for part in parts:
            other = predictor("v2") if part == "predictor" else encoder("v2")
            source = ours[part]
            assert source is not None
            allow = []
            if form == "hf":
                allow = ["encoder.norms_block.[012].*"]
                for level in range(3):
                    other.norms_block[level] = source.norms_block[level]
            load_parts(found, {part if part in found.parts else "encoder": other}, allow)
            assert equal(other, source), (form, part)
    assert equal(open_encoder(tmp_path / "safetensors.safetensors").model.frozen().encoder, model.frozen().encoder)


@pytest.mark.parametrize("rope", ["v2_1", "v2"])
def test_official_file_of_a_factorized_run(tmp_path: Path, rope: Rope) -> None:
    run, model = made_run(tmp_path / "run", f"--model.rope={rope}")
    out = tmp_path / "official.pt"
    assert main(["export", str(run.folder), "--format", "official", "--out", str(out)]) == 0
    found = read_pretrained(out)
    fresh: dict[str, nn.Module] = {"encoder": encoder(rope), "teacher": encoder(rope), "predictor": predictor(rope)}
    assert load_parts(found, fresh) == []
    teacher = model.target.teacher
    assert teacher is not None and not equal(model.encoder, teacher)
    assert equal(fresh["encoder"], model.encoder) and equal(fresh["teacher"], teacher)
    assert equal(fresh["predictor"], model.predictor)
    loaded = torch.load(out, weights_only=True)
    assert all(type(value) is torch.Tensor for state in loaded.values() for value in state.values())


def test_half_and_online(tmp_path: Path) -> None:
    run, model = made_run(tmp_path / "run", "--model.rope=v2")
    assert (
        main(["export", str(run.folder), "--format=hf", "--half", "--weights=online", f"--out={tmp_path / 'h'}"]) == 0
    )
    assert json.loads((tmp_path / "h" / "config.json").read_text())["dtype"] == "float16"
    stored = read_pretrained(tmp_path / "h").parts["encoder"]["norms_block.3.weight"]
    assert torch.equal(stored, model.encoder.norms_block[3].weight.half())


def row(run: Run, **changes: object) -> Row:
    own = {
        "data": "glyphs", "regime": "glyphs", "variant": "fwm_hw_ld", "reading": "as_described",
        "layout": "within_level", "seed": 0, "step": 4, "weights": "teacher", "benchmark": "glyphs/motion",
        "split": "test", "probe": "linear_time", "subspace": "whole", "corruption": "none", "severity": 0,
        "metric": "top1", "value": 0.4321, "n": 1024, "protocol_hash": "p", "config_hash": run.config_hash,
    }  # fmt: skip
    return Row(**(own | changes))  # type: ignore[arg-type]


def test_model_card_tells_configuration_and_results(tmp_path: Path) -> None:
    run, _ = made_run(tmp_path / "run")
    place = str(tmp_path)
    assert place in run.config.read_text()
    facts = {
        "git_revision": "0123456789ab",
        "command": [
            *("/bin/vjepa", "fit", "--config", f"{place}/experiments/configs/x.yaml", "--run.root", place),
            *(f"--data.init_args.root={place}", f"--model.init_from={place}/official.pt", "--model.rope", "v2"),
        ],
    }
    started = {"layout": "official V-JEPA 2.1 layout", "digest": "cafe"}
    run.environment.write_text(json.dumps(facts | {"started_from": started}))
    out = tmp_path / "encoder.safetensors"
    assert main(["export", str(run.folder), "--out", str(out)]) == 0
    assert "was not evaluated on test clips" in Path(f"{out}.md").read_text()
    rows = [
        row(run), row(run, weights="init", value=0.1111), row(run, split="val", value=0.2222),
        row(run, metric="mpc_core", corruption="core", value=0.3333), row(run, metric="ece", value=0.4444),
    ]  # fmt: skip
    write_rows(run.results, rows)
    assert main(["export", str(run.folder), "--out", str(out)]) == 0
    card = Path(f"{out}.md").read_text()
    assert "| glyphs/motion | linear_time | whole | top1 | none | 0.4321 | 1,024 |" in card
    assert "| mpc_core | core | 0.3333 |" in card
    assert not re.search("0.1111|0.2222|0.4444", card)
    for told in (
        "fwm_hw_ld, as_described, seed 0",
        run.config_hash,
        "0123456789ab",
        "| `vjepa fit --config experiments/configs/x.yaml --model.init_from=official.pt --model.rope v2` |",
    ):
        assert told in card
    assert "| started from | official V-JEPA 2.1 layout, BLAKE2b-128 `cafe` |" in card
    assert place not in card
    (block,) = re.findall(r"```yaml\n(.*?)```", card, flags=re.DOTALL)
    told_settings = yaml.safe_load(block)
    assert told_settings["model"] == run.settings["model"] and "root" not in told_settings["run"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--format=hf", "--out={tmp}/new"), "model.rope v2_1 has no Hugging Face form"),
        (("--format=hub", "--out={tmp}/new"), "invalid choice: 'hub'"),
        (("--out={tmp}/file/encoder.safetensors",), "cannot write"),
    ],
)
def test_what_cannot_be_written_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    run, _ = made_run(tmp_path / "run")
    (tmp_path / "file").write_text("in the way")
    before = sorted(tmp_path.rglob("*"))
    try:
        code = main(["export", str(run.folder), *(word.format(tmp=tmp_path) for word in options)])
    except SystemExit as stop:
        code = int(stop.code or 0)
    assert code == 2 and message in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_an_existing_folder_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = made_run(tmp_path / "run", "--model.rope=v2")
    (tmp_path / "out").mkdir()
    assert main(["export", str(run.folder), "--format=hf", f"--out={tmp_path / 'out'}"]) == 2
    assert "exists already" in capsys.readouterr().err and not list((tmp_path / "out").iterdir())
