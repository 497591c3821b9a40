"""Scores agree with torchmetrics where they mean the same, and with counting by hand elsewhere; real processes."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.multiprocessing.spawn import spawn
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_calibration_error

from tests.vjepa.metrics.features import noise
from vjepa.metrics import ClassificationMetrics, classification_metrics

CLASSES = 12


def predictions(n: int = 400) -> tuple[Tensor, Tensor]:
    """Logits that are right about half of the time; every class occurs."""
    labels = torch.arange(n) % CLASSES
    return (noise(n, CLASSES, seed=3) + 1.5 * F.one_hot(labels, CLASSES)).float(), labels


def scores(metrics: ClassificationMetrics) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.compute().items()}


def test_the_scores_of_torchmetrics() -> None:
    logits, labels = predictions()
    found = classification_metrics(logits, labels)
    expected = {
        "top1": multiclass_accuracy(logits, labels, CLASSES, average="micro"),
        "top5": multiclass_accuracy(logits, labels, CLASSES, average="micro", top_k=5),
        "macro_accuracy": multiclass_accuracy(logits, labels, CLASSES, average="macro"),
        "ece": multiclass_calibration_error(logits.softmax(1), labels, CLASSES, n_bins=15),
        "log_loss": F.cross_entropy(logits.double(), labels),
    }
    assert {name: found[name] for name in expected} == pytest.approx({k: float(v) for k, v in expected.items()})
    assert 0.3 < found["top1"] < found["top5"] < 1 and found["constant_predictor"] == 0


def test_what_the_predictions_look_like() -> None:
    predicted, labels = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 2, 2])
    found = classification_metrics(10.0 * F.one_hot(predicted, 3).float(), labels)
    assert found["majority_rate"] == 0.5 and found["top_prediction_share"] == 0.75
    assert found["prediction_entropy"] == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert found["top5"] == 1  # of three classes


def test_a_class_without_clips_does_not_enter_the_macro_accuracy() -> None:
    predicted, labels = torch.tensor([0, 0, 1, 3]), torch.tensor([0, 0, 1, 1])
    found = classification_metrics(F.one_hot(predicted, 5).float(), labels)
    assert found["macro_accuracy"] == pytest.approx((1 + 0.5) / 2)
    assert float(multiclass_accuracy(predicted, labels, 5, average="macro")) == pytest.approx((1 + 0.5) / 3)


def test_a_constant_predictor_is_flagged() -> None:
    labels = torch.arange(1970) % 48
    logits = torch.zeros(1970, 48)
    logits[:, 7] = 1
    found = classification_metrics(logits, labels)
    assert found["constant_predictor"] == 1 and found["prediction_entropy"] == 0
    logits[:20, 3] = 2  # 1.02 percent say something else
    assert classification_metrics(logits, labels)["constant_predictor"] == 0


def test_perfect_confidence_is_perfectly_calibrated_and_wrong_confidence_is_not() -> None:
    labels = torch.arange(30) % 3
    logits = 1000.0 * F.one_hot(labels, 3).float()
    assert classification_metrics(logits, labels)["ece"] == 0
    assert classification_metrics(logits, (labels + 1) % 3)["ece"] == 1


def test_full_confidence_has_its_own_bin_as_in_torchmetrics() -> None:
    logits = torch.tensor([[200.0, 0.0], [3.0, 0.0]])  # confidence 1 and 0.953, wrong and right
    labels = torch.tensor([1, 0])
    found = classification_metrics(logits, labels)["ece"]
    expected = multiclass_calibration_error(logits.softmax(1), labels, 2, n_bins=15)
    assert found == pytest.approx(float(expected)) == pytest.approx((1 + 1 - 0.95257) / 2, abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_batches_do_not_matter_nor_does_the_mode(dtype: torch.dtype) -> None:
    logits, labels = predictions()
    logits = logits.to(dtype)
    metrics = ClassificationMetrics(CLASSES)
    with torch.inference_mode():
        metrics.update(logits[:7], labels[:7])
    for rows in (slice(7, 8), slice(8, 300), slice(300, None)):
        metrics.update(logits[rows], labels[rows])
    assert scores(metrics) == pytest.approx({**classification_metrics(logits, labels), "num_clips": 400}, rel=1e-12)


def test_clips_that_the_task_does_not_apply_to_are_left_out() -> None:
    logits, labels = predictions()
    metrics = ClassificationMetrics(CLASSES)
    metrics.update(logits, torch.where(torch.arange(400) < 100, labels, -1))
    assert scores(metrics) == pytest.approx({**classification_metrics(logits[:100], labels[:100]), "num_clips": 100})


def test_nothing_is_nan_and_nan_is_not_hidden() -> None:
    metrics = ClassificationMetrics(CLASSES)
    metrics.update(torch.zeros(3, CLASSES), torch.full((3,), -1))
    empty = scores(metrics)
    assert empty.pop("num_clips") == 0 and all(math.isnan(value) for value in empty.values())
    logits, labels = predictions()
    logits[5] = math.nan
    broken = classification_metrics(logits, labels)
    assert math.isnan(broken["log_loss"]) and math.isnan(broken["ece"])


def test_reset_forgets() -> None:
    logits, labels = predictions()
    metrics = ClassificationMetrics(CLASSES)
    metrics.update(logits, (labels + 1) % CLASSES)
    metrics.reset()
    metrics.update(logits, labels)
    assert scores(metrics) == {**classification_metrics(logits, labels), "num_clips": 400}


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected 2 classes and 1 bin or more, got 1 and 15"):
        ClassificationMetrics(1)
    metrics = ClassificationMetrics(CLASSES)
    with pytest.raises(ValueError, match=r"logits \(B, 12\) and labels \(B,\), got \(3, 11\) and \(3,\)"):
        metrics.update(torch.zeros(3, 11), torch.zeros(3, dtype=torch.long))
    with pytest.raises(ValueError, match=r"label 12 is beyond the 12 classes"):
        metrics.update(torch.zeros(3, 12), torch.tensor([0, 12, 1]))


SHARDS = {"uneven": ((0, 130), (130, 400)), "one_without_clips": ((0, 400), (400, 400))}


def work(rank: int, folder: str) -> None:
    """One of two processes, with its share of the clips."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/store", timedelta(seconds=60), world_size=2, rank=rank)
    found = {}
    for name, shards in SHARDS.items():
        logits, labels = (each[slice(*shards[rank])] for each in predictions())
        metrics = ClassificationMetrics(CLASSES)
        for rows in range(0, len(labels), 50):
            metrics.update(logits[rows : rows + 50], labels[rows : rows + 50])
        found[name] = scores(metrics)
        found[f"{name}_alone"] = classification_metrics(logits, labels)
    torch.save(found, f"{folder}/rank{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.ddp
def test_two_processes_agree_on_the_scores_of_all_clips(tmp_path: Path) -> None:
    spawn(work, (str(tmp_path),), nprocs=2)
    ranks = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(2)]
    expected = {**classification_metrics(*predictions()), "num_clips": 400}
    for name in SHARDS:
        assert ranks[0][name] == ranks[1][name] == pytest.approx(expected, rel=1e-12)
    logits, labels = predictions()
    alone = classification_metrics(logits[:130], labels[:130])
    assert ranks[0]["uneven_alone"] == alone  # the function does not ask the other rank
