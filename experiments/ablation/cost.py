"""What a cell is expected to take: as finished cells took, or by arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from experiments.ablation.cells import Cell, Cost
from experiments.ablation.durations import Duration, evaluation_seconds, fit_per_step
from vjepa.corruptions import PROFILES
from vjepa.nn import PRESETS

SPEED = {"cpu": (40e9, 200e9), "cuda": (40e12, 80e12)}
"""Operations a second in training and in evaluation that arithmetic assumes, of a CPU thread or a GPU."""
STEP_SECONDS = 0.03
PIXEL_SECONDS = {"cpu": 20e-9, "cuda": 2e-9}
"""Of damaging one channel of one pixel."""
PROBE_SECONDS = {"cpu": 2e-7, "cuda": 2e-9}
"""Of fitting the probes on one feature of one token of one clip."""
PUBLISHED_CLIPS = {
    "ucf101": (9537, 3783), "ssv2": (168913, 24777), "diving48": (15027, 1970), "imagenet100": (126689, 5000),
}  # fmt: skip
"""Training and test clips, for data that is not looked at before it is used."""
_OTHER_CLIPS = (10000, 2000)


def with_costs(cells: Iterable[Cell], durations: Sequence[Duration]) -> list[Cell]:
    """Cells with what they are expected to take; a part that is done takes nothing.

    Args:
        cells: of one ablation.
        durations: of comparable cells.
    """
    return [replace(cell, cost=_cost(cell, durations)) for cell in cells]


def assumptions() -> str:
    """What the arithmetic assumes, in words."""
    device = _device()
    training, evaluation = SPEED[device]
    what = "a CPU thread" if device == "cpu" else "a GPU"
    return (
        f"by arithmetic, not measured: {what} of {training / 1e9:g} GFLOP/s in training and {evaluation / 1e9:g} in "
        "evaluation, decoding not counted; expect it to be off by a factor of 3, until the first cell is finished"
    )


def wall_seconds(costs: Sequence[float], slots: int) -> float:
    """Time until the last cell ends where ``slots`` cells run at a time, in their order."""
    free = [0.0] * max(1, slots)
    for cost in costs:
        first = free.index(min(free))
        free[first] += cost
    return max(free)


def _cost(cell: Cell, durations: Sequence[Duration]) -> Cost:
    settings = cell.settings
    steps = int(settings["trainer"]["max_steps"])
    per_step = fit_per_step(durations, cell.variant)
    evaluation = evaluation_seconds(durations, cell.variant)
    fit = steps * (_step_seconds(settings) if per_step is None else per_step)
    return Cost(
        0.0 if cell.run.is_done else fit,
        _evaluation_seconds(settings) if evaluation is None else evaluation,
        per_step is not None and evaluation is not None,
    )


def _step_seconds(settings: Mapping[str, Any]) -> float:
    """Of an optimizer step: the target sees the whole clip, the masks' contexts and the predictor about as much."""
    trainer = settings["trainer"]
    clips = settings["data"]["init_args"]["batch_size"] * trainer["accumulate_grad_batches"]
    return STEP_SECONDS * int(trainer["accumulate_grad_batches"]) + 4 * clips * _forward(settings) / SPEED[_device()][0]


def _evaluation_seconds(settings: Mapping[str, Any]) -> float:
    device = _device()
    conditions = 1 + (len(PROFILES[settings["robustness"]["profile"]].conditions) if _is_damaged(settings) else 0)
    shown = _forward(settings) / SPEED[device][1] + 3 * _pixels(settings) * PIXEL_SECONDS[device]
    features = _tokens(settings) * PRESETS[settings["model"]["preset"]].latent_width
    seconds = 0.0
    for train, test in _clips(settings):
        seconds += (train + test * conditions) * shown + train * features * PROBE_SECONDS[device]
    # Two controls beside the encoder itself, of which pixels need no forward pass.
    return seconds * (3 if settings["probe"]["controls"] else 1)


def _clips(settings: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Training and test clips of each benchmark."""
    probe, own = settings["probe"], settings["data"]["init_args"]
    if probe["benchmarks"] is None:
        found = [(own.get("train_clips") or _OTHER_CLIPS[0], own.get("test_clips") or _OTHER_CLIPS[1])]
    else:
        found = [PUBLISHED_CLIPS.get(name, _OTHER_CLIPS) for name in probe["benchmarks"]]
    return [(min(train, probe["num_train"] or train), min(test, probe["num_test"] or test)) for train, test in found]


def _forward(settings: Mapping[str, Any]) -> float:
    """Operations of the encoder for one clip."""
    size, tokens = PRESETS[settings["model"]["preset"]], _tokens(settings)
    return size.depth * tokens * ((8.0 + 4.0 * size.mlp_ratio) * size.width**2 + 4.0 * tokens * size.width)


def _tokens(settings: Mapping[str, Any]) -> int:
    model, data = settings["model"], settings["data"]["init_args"]
    side = data.get("size", 224) // model["patch_size"]
    return int(side * side * max(1, data.get("num_frames", 16) // model["tubelet_size"]))


def _pixels(settings: Mapping[str, Any]) -> int:
    data = settings["data"]["init_args"]
    return int(data.get("size", 224) ** 2 * data.get("num_frames", 16))


def _is_damaged(settings: Mapping[str, Any]) -> bool:
    return any(settings[name]["enabled"] for name in ("robustness", "stability", "subspaces"))


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
