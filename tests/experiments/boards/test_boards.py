"""The board of an ablation, read back from its event files."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

from experiments.ablation.cells import Cell
from experiments.boards import write_boards
from tests.experiments.boards.made import STEPS, make_cell
from vjepa.errors import UserError

SWEPT = "ld@latent_dynamics.weight=0.3/as_described/seed0"
CELLS = ["baseline/as_described/seed0", "baseline/as_described/seed1", SWEPT]
CONTROLS = ["random_init/seed0", "random_init/seed1", "pixels"]


def events_of(folder: Path) -> EventAccumulator:
    """The one event file of a folder."""
    (path,) = folder.glob("events.out.tfevents.*")
    return EventAccumulator(str(path)).Reload()


def hparams_of(events: EventAccumulator, tag: str) -> Any:
    """Content of a message of the HParams plugin."""
    content = events.SummaryMetadata(tag).plugin_data.content
    data = plugin_data_pb2.HParamsPluginData.FromString(content)
    return getattr(data, data.WhichOneof("data"))


def experiment_of(board: Path) -> Any:
    return hparams_of(events_of(board), metadata.EXPERIMENT_TAG)


def row_of(board: Path, name: str) -> dict[str, str | float]:
    """A row as it is shown: values by the heads of their columns."""
    experiment, events = experiment_of(board), events_of(board / name)
    start = hparams_of(events, metadata.SESSION_START_INFO_TAG)
    assert start.group_name == name
    row: dict[str, str | float] = {}
    for column in experiment.hparam_infos:
        if column.name in start.hparams:
            value = start.hparams[column.name]
            row[column.display_name] = getattr(value, value.WhichOneof("kind"))
    for column in experiment.metric_infos:
        if column.name.tag in events.Tags()["scalars"]:
            (event,) = events.Scalars(column.name.tag)
            row[column.display_name] = event.value
    return row


def rows_in(board: Path) -> list[str]:
    """Names of all folders that hold a session."""
    found = []
    for path in sorted(board.rglob("events.out.tfevents.*")):
        with suppress(KeyError):
            EventAccumulator(str(path)).Reload().SummaryMetadata(metadata.SESSION_START_INFO_TAG)
            found.append(str(path.parent.relative_to(board)))
    return found


def layout_of(board: Path) -> dict[str, dict[str, list[str]]]:
    """Tags by category and chart."""
    (event,) = events_of(board).Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(event.tensor_proto.string_val[0])
    return {
        category.title: {chart.title: list(chart.multiline.tag) for chart in category.chart}
        for category in layout.category
    }


def test_one_row_a_finished_cell_and_control(ablation: tuple[Path, list[Cell]]) -> None:
    board = ablation[0] / "board"
    assert rows_in(board) == sorted(CELLS + CONTROLS)
    for name in CELLS + CONTROLS:
        end = hparams_of(events_of(board / name), metadata.SESSION_END_INFO_TAG)
        assert end.status == api_pb2.STATUS_SUCCESS


def test_rows_hold_settings(ablation: tuple[Path, list[Cell]]) -> None:
    row = row_of(ablation[0] / "board", SWEPT)
    expected = {
        "variant": "ld@latent_dynamics.weight=0.3", "reading": "as_described", "seed": "0", "layout": "within_level",
        "target": "EMA", "masker": "blocks", "preset": "tiny", "steps": STEPS, "learning rate": 6e-4,
        "prediction weight": 1.0, "context weight": 0.5, "latent_dynamics weight": 0.3,
        "clips per step and process": 32,
    }  # fmt: skip
    assert {name: row.get(name) for name in expected} == expected
    baseline = row_of(ablation[0] / "board", CELLS[1])
    assert (baseline["seed"], baseline["latent_dynamics weight"]) == ("1", 0.0)
    assert not {"static weight", "sigreg weight"} & row.keys(), "terms that no cell has"


def test_rows_hold_metrics(ablation: tuple[Path, list[Cell]]) -> None:
    row = row_of(ablation[0] / "board", SWEPT)
    expected = {
        "accuracy glyphs/motion": 0.8, "accuracy glyphs/order": 0.7, "accuracy glyphs/motion, attentive": 0.75,
        "mPC glyphs/motion": 0.8 - 0.02 * 3, "mPC glyphs/all": 0.75 - 0.02 * 3,
        "rPC* glyphs/motion": (0.74 - 0.25) / (0.8 - 0.25), "SSI glyphs, within_level": 0.25,
        "order sensitivity glyphs/motion": 0.5, "RankMe glyphs": 20.0,
        "RankMe of the context": 30.0, "target variance": 0.9, "training loss": 0.5, "clips per second": 100.1,
        "fit seconds": 60.0, "evaluation seconds": 30.0, "peak memory (GiB)": 1.0,
    }  # fmt: skip
    assert {name: row.get(name) for name in expected} == pytest.approx(expected, abs=0.013), "clips are counted whole"
    control = row_of(ablation[0] / "board", "random_init/seed1")
    assert control["accuracy glyphs/motion"] == pytest.approx(0.5) and "training loss" not in control
    assert (control["variant"], control["reading"], control["seed"]) == ("random_init", "none", "1")


def test_columns_stand_in_their_order(ablation: tuple[Path, list[Cell]]) -> None:
    """TensorBoard shows the first five of each; those of settings by name, those that differ before the rest."""
    experiment = experiment_of(ablation[0] / "board")
    columns = sorted(experiment.hparam_infos, key=lambda column: (not column.differs, column.name))
    assert [column.display_name for column in columns[:4]] == ["variant", "reading", "seed", "latent_dynamics weight"]
    assert [column.display_name for column in experiment.metric_infos][:4] == [
        "mPC glyphs/all", "SSI glyphs, within_level", "mPC glyphs/motion", "mPC glyphs/order",
    ]  # fmt: skip
    seed = columns[2]
    assert seed.type == api_pb2.DATA_TYPE_STRING
    assert [value.string_value for value in seed.domain_discrete.values] == ["0", "1"]
    tags = [column.name.tag for column in experiment.metric_infos]
    titles = [column.display_name for column in experiment.metric_infos]
    assert len(set(tags)) == len(tags) and len(set(titles)) == len(titles)


def test_charts_show_the_scalars_that_are_there(ablation: tuple[Path, list[Cell]]) -> None:
    board = ablation[0] / "board"
    layout = layout_of(board)
    assert [title.split()[0] for title in layout] == ["terms", "collapse", "probes", "robustness"]
    here = set(events_of(board / CELLS[0]).Tags()["scalars"])
    for page in ("probes", next(title for title in layout if title.startswith("robustness"))):
        for title, patterns in layout[page].items():
            assert sum(bool(re.match(pattern, tag)) for pattern in patterns for tag in here) == 1, title
    assert any(
        re.match(pattern, "probe/glyphs/motion/linear_time/top1")
        for pattern in layout["probes"]["glyphs/motion, linear_time"]
    )
    assert {"latent_dynamics, unweighted", "prediction, validation"} <= layout["terms"].keys()


def test_robustness_is_a_curve_over_severity(ablation: tuple[Path, list[Cell]]) -> None:
    events = events_of(ablation[0] / "board" / CELLS[0])
    curve = {event.step: event.value for event in events.Scalars("severity/glyphs/motion/linear_time/all")}
    assert curve == pytest.approx({0: 0.7, 1: 0.68, 3: 0.64, 5: 0.6}, abs=0.013)
    groups = {
        tag.rpartition("/")[2]
        for tag in events.Tags()["scalars"]
        if tag.startswith("severity/glyphs/motion/linear_time/")
    }
    assert groups == {"all", "spatial", "temporal", "codec"}
    assert "severity/glyphs/motion/attentive/spatial" not in events.Tags()["scalars"]


def test_written_again_there_is_no_row_twice(
    ablation: tuple[Path, list[Cell]], base_settings: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(ablation[0], folder)
    (folder / ".board.killed" / "new").mkdir(parents=True)
    cells = [make_cell(folder, base_settings, "baseline", seed, 0.6) for seed in (0, 1)]
    for chosen in (cells, cells[:1]):
        assert write_boards(folder, chosen) == folder / "board"
        assert rows_in(folder / "board") == [f"baseline/as_described/seed{cell.seed}" for cell in chosen]
    assert row_of(folder / "board", CELLS[0])["accuracy glyphs/motion"] == pytest.approx(0.6)
    assert sorted(path.name for path in folder.iterdir()) == ["board", "cells", "runs"]


def test_nothing_finished_changes_nothing(ablation: tuple[Path, list[Cell]], tmp_path: Path) -> None:
    assert write_boards(tmp_path, ablation[1][3:]) is None and not list(tmp_path.iterdir())


def test_a_cell_without_an_evaluation_has_its_training(base_settings: dict[str, Any], tmp_path: Path) -> None:
    cell = make_cell(tmp_path, base_settings, "baseline", 0, 0.7)
    shutil.rmtree(cell.run.folder / "evaluation")
    write_boards(tmp_path, [cell])
    row = row_of(tmp_path / "board", CELLS[0])
    assert row["target variance"] == pytest.approx(0.9) and row["layout"] == "whole"
    assert not any(name.startswith("accuracy") for name in row)


def test_cells_of_one_name_are_numbered(base_settings: dict[str, Any], tmp_path: Path) -> None:
    cells = [
        make_cell(tmp_path, base_settings, "baseline", 0, 0.7),
        make_cell(tmp_path, base_settings, "baseline", 0, 0.7),
    ]
    write_boards(tmp_path, cells)
    assert rows_in(tmp_path / "board") == ["baseline/as_described/seed0-1", "baseline/as_described/seed0-2"]


def test_broken_results_are_named(base_settings: dict[str, Any], tmp_path: Path) -> None:
    cell = make_cell(tmp_path, base_settings, "baseline", 0, 0.7)
    path = cell.run.folder / "evaluation" / "glyphs" / "results.jsonl"
    path.write_text("{}\n")
    with pytest.raises(UserError, match=re.escape(str(path))):
        write_boards(tmp_path, [cell])
    assert not (tmp_path / "board").exists()


def test_a_folder_that_cannot_be_written_is_named(
    ablation: tuple[Path, list[Cell]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("experiments.boards.write._write", full)
    with pytest.raises(UserError, match="board: the disk is full"):
        write_boards(tmp_path, ablation[1])
    assert not list(tmp_path.iterdir())
