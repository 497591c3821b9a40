"""What is shown when an evaluation ends, whether it was made now or read back."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.tensorboard import SummaryWriter

from experiments.evaluation.analyses.base import Report
from experiments.evaluation.evaluate import PREDICTIONS
from experiments.evaluation.presentation.outcome import log_outcome, show_outcome
from experiments.evaluation.runs import event_writer
from experiments.report import read_scalars
from experiments.results import write_predictions
from experiments.runs import Run
from tests.experiments.evaluation.presentation.outcomes import RUN, falling, judged

ROWS, BLOCKS = judged(RUN, falling(0.9, 0.1))
MADE, READ_BACK = Report(tuple(ROWS), tuple(BLOCKS)), Report(tuple(ROWS))


def test_an_evaluation_that_is_read_back_shows_the_same_and_draws_only_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_predictions(tmp_path / PREDICTIONS, BLOCKS)
    show_outcome(MADE, tmp_path)
    said = capsys.readouterr().out
    assert "What these numbers cannot say" in said
    assert said.endswith(f"figures: {tmp_path / 'figures'}\nresults: {tmp_path}\n")
    curves = tmp_path / "figures" / "glyphs" / "motion" / "linear_time" / "curves.png"
    drawn = curves.read_bytes()
    curves.write_bytes(b"kept")
    show_outcome(READ_BACK, tmp_path)
    assert capsys.readouterr().out == said and curves.read_bytes() == b"kept"
    for path in sorted((tmp_path / "figures").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (tmp_path / "figures").rmdir()
    show_outcome(READ_BACK, tmp_path)
    assert curves.read_bytes() == drawn, "predictions are read back for the intervals"


def test_clean_probes_alone_make_no_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean = [one for one in ROWS if one.corruption == "none"]
    show_outcome(Report(tuple(clean), tuple(BLOCKS[:1])), tmp_path)
    assert "figures" not in capsys.readouterr().out and not (tmp_path / "figures").exists()


@pytest.mark.parametrize("has_logger", [True, False])
def test_scalars_reach_the_event_files_of_the_run(
    tmp_path: Path, has_logger: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    loggers = [TensorBoardLogger(str(tmp_path), name="", version="")] if has_logger else []
    trainer: Any = SimpleNamespace(loggers=loggers)
    with event_writer(trainer, Run(tmp_path, "cafe")) as writer:
        assert isinstance(writer, SummaryWriter)
        log_outcome(MADE, tmp_path, writer, 100)
    tag = "robustness/glyphs/motion/linear_time/mpc_core"
    assert read_scalars(tmp_path, [tag])[tag].steps == (100,)
    assert "mPC, core" in capsys.readouterr().out
