"""``vjepa features``: files that hold what the encoder itself returns, and say what made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from torch import Tensor

from data_modules.clips.datasets import ClipDataset
from experiments.cli import BAD_INPUT, main
from experiments.evaluation.external import open_external
from experiments.load import load_data, load_model
from experiments.runs import Run
from tests.data_modules.layouts import write_ucf101
from tests.experiments.frozen.test_external import GLYPHS, TIMM
from tests.experiments.frozen.tiny_run import TASKS, files

POOLED = {"mean": lambda tokens: tokens.mean((1, 2)), "time": lambda tokens: tokens.mean(2), "tokens": lambda t: t}


def clips(run: Run, split: Any) -> ClipDataset:
    return load_data(run).dataset(split)


def tokens_of(run: Run, dataset: ClipDataset, weights: Any, all_levels: bool = False) -> Tensor:
    """Straight from the encoder, (n, T, S, C)."""
    return load_model(run).frozen(weights, all_levels=all_levels)(dataset.fetch(range(len(dataset))).frames)


@pytest.mark.parametrize("pool", POOLED)
def test_npz_holds_what_the_encoder_returns(
    pool: str, plain: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "features.npz"
    assert main(["features", str(plain.folder), f"--pool={pool}", "--device=cpu", f"--out={out}"]) == 0
    assert f"{out}: 16 clips" in capsys.readouterr().out
    dataset = clips(plain, "test")
    found = np.load(out, allow_pickle=False)
    expected = POOLED[pool](tokens_of(plain, dataset, "teacher")).numpy()
    assert found["whole"].dtype == (np.float16 if pool == "tokens" else np.float32)
    np.testing.assert_allclose(found["whole"], expected, atol=3e-3 if pool == "tokens" else 1e-5)
    assert found["clip"].tolist() == list(dataset.video_ids) and found["index"].tolist() == list(range(16))
    assert np.array_equal(found["labels"], dataset.labels.numpy())
    said = json.loads(str(found["metadata"]))
    assert said["encoder"]["weights"] == "teacher" and said["config_hash"] == plain.config_hash
    assert list(said["classes"]) == list(TASKS) and said["shapes"]["whole"] == list(found["whole"].shape[1:])
    assert said["versions"].keys() >= {"torch", "timm"} and said["git_revision"] and said["num_broken"] == 0


def test_parquet_holds_parts_and_labels_in_columns(plain: Run, tmp_path: Path) -> None:
    out = tmp_path / "features.parquet"
    options = ("--split=val", "--pool=time", "--weights=online", "--subspaces=levels,by_level.dyn", "--device=cpu")
    assert main(["features", str(plain.folder), *options, f"--out={out}"]) == 0
    dataset = clips(plain, "val")
    expected = tokens_of(plain, dataset, "online", all_levels=True).mean(2)
    table = pq.read_table(out)
    said = json.loads(table.schema.metadata[b"metadata"])
    levels = _array(table, "levels", said)
    np.testing.assert_allclose(levels, expected.numpy(), atol=1e-5)
    width = expected.shape[-1]
    assert np.array_equal(_array(table, "by_level.dyn", said), levels[..., width // 2 :]), "the two deep levels"
    assert table["clip"].to_pylist() == list(dataset.video_ids)
    for column, task in enumerate(TASKS):
        labels = [None if label < 0 else label for label in dataset.labels[:, column].tolist()]
        assert table[f"label.{task}"].to_pylist() == labels
    assert said["encoder"]["weights"] == "online" and said["clips"]["split"] == "val"


def _array(table: Any, name: str, said: dict[str, Any]) -> np.ndarray:
    return np.array(table[name].to_pylist()).reshape(len(table), *said["shapes"][name])


def test_tokens_of_several_pieces_are_whole(plain: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a split that does not fit in memory: written some clips at a time."""
    options = ("features", str(plain.folder), "--pool=tokens", "--subspaces=whole,within_level.app", "--device=cpu")
    for piece in ("one", "many"):
        for kind in ("npz", "parquet"):
            assert main([*options, f"--out={tmp_path / f'{piece}.{kind}'}"]) == 0
        monkeypatch.setattr("experiments.evaluation.features.token_source._PIECE_BYTES", 50_000)
    one, many = (np.load(tmp_path / f"{piece}.npz") for piece in ("one", "many"))
    assert all(np.array_equal(one[name], many[name]) for name in one.files)
    first, second = (pq.read_table(tmp_path / f"{piece}.parquet") for piece in ("one", "many"))
    assert first.equals(second)
    assert pq.ParquetFile(tmp_path / "many.parquet").num_row_groups > 1
    said = json.loads(first.schema.metadata[b"metadata"])
    assert np.array_equal(_array(first, "whole", said), one["whole"].astype(np.float32))


def test_equal_features_make_equal_files(plain: Run, tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz", "a.parquet", "b.parquet"):
        assert main(["features", str(plain.folder), "--device=cpu", f"--out={tmp_path / name}"]) == 0
    for kind in ("npz", "parquet"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_an_encoder_of_others_on_a_part_of_a_benchmark(plain: Run, tmp_path: Path) -> None:
    out = tmp_path / "features.npz"
    data = GLYPHS.replace("--benchmark", "--data")
    options = ("--num-clips=5", "--pool=time", "--format=npz", "--device=cpu")
    assert main(["features", TIMM, data, *options, f"--out={out}"]) == 0
    found = np.load(out)
    assert found["whole"].shape == (5, 8, 64) and sorted(found["index"]) == found["index"].tolist()
    assert json.loads(str(found["metadata"]))["encoder"]["variant"] == "timm/test_vit"
    shown = clips(plain, "test").fetch(found["index"]).frames
    np.testing.assert_allclose(found["whole"], open_external(TIMM).encoder(shown).mean(2).numpy(), atol=1e-5)


def test_broken_clips_are_left_out_and_counted(
    plain: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    torn = write_ucf101(tmp_path) / "UCF-101" / "Archery" / "v_Archery_g01_c02.avi"
    torn.write_bytes(torn.read_bytes()[:100])
    out = tmp_path / "features.parquet"
    assert main(["features", str(plain.folder), "--data=ucf101:val_ratio=0.3", "--device=cpu", f"--out={out}"]) == 0
    table = pq.read_table(out)
    said = json.loads(table.schema.metadata[b"metadata"])
    assert (len(table), said["num_clips"], said["num_broken"]) == (17, 17, 1)
    assert not [name for name in table["clip"].to_pylist() if "Archery_g01_c02" in name]
    classes = said["classes"][next(iter(said["classes"]))]
    labels = table[table.column_names[2]].to_pylist()
    assert [classes[label] in name for label, name in zip(labels, table["clip"].to_pylist(), strict=True)] == [
        True
    ] * 17


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("{run}", "--split=tset", "--out={tmp}/a.npz"), "did you mean 'test'"),
        (("{run}", "--pool=men", "--out={tmp}/a.npz"), "did you mean 'mean'"),
        (("{run}", "--format=nzp", "--out={tmp}/a.npz"), "did you mean 'npz'"),
        (("{run}", "--out={tmp}/a.csv"), "a.csv: 'csv': expected one of npz, parquet"),
        (("{run}", "--weights=techer", "--out={tmp}/a.npz"), "did you mean 'teacher'"),
        (("{run}", "--subspaces=level", "--out={tmp}/a.npz"), "did you mean 'levels'"),
        (("{run}", "--subspaces=", "--out={tmp}/a.npz"), "--subspaces is empty"),
        (("{run}", "--num-clips=0", "--out={tmp}/a.npz"), "--num-clips is 0"),
        (("{run}", "--data=glyph", "--out={tmp}/a.npz"), "did you mean 'glyphs'"),
        (("{run}", "--device=abacus", "--out={tmp}/a.npz"), "device 'abacus'"),
        (("{run}", "--out={tmp}/file/a.npz"), "cannot write"),
        (("{run}", "--format=npz", "--out={tmp}"), "is a folder"),
        (("{tmp}/nothing", "--out={tmp}/a.npz"), "is no run"),
        ((TIMM, "--out={tmp}/a.npz"), "--data NAME"),
        ((TIMM, GLYPHS, "--weights=init", "--out={tmp}/a.npz"), "one set of weights"),
        ((TIMM, GLYPHS, "--subspaces=levels", "--out={tmp}/a.npz"), "expected one of whole"),
    ],
)
def test_bad_command_lines(
    options: tuple[str, ...], message: str, plain: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    before = files(tmp_path)
    assert main(["features", *(option.format(run=plain.folder, tmp=tmp_path) for option in options)]) == BAD_INPUT
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert files(tmp_path) == before
