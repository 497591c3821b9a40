"""``vjepa export``: the weights of a finished run in the formats that others read, and its own small one back."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from experiments.model_card import model_card
from experiments.portable import portable_command
from experiments.results import RowStamp
from experiments.runs import Run
from vjepa.errors import UserError
from vjepa.interop import huggingface_config, to_huggingface, to_official
from vjepa.interop.files import read_safetensors
from vjepa.interop.huggingface import CONFIG, WEIGHTS
from vjepa.module import VideoJEPA
from vjepa.nn import Encoder
from vjepa.storage import atomic_folder, atomic_path, atomic_write_bytes, atomic_write_text, read_record
from vjepa.targets import Weights

FORMAT = "vjepa-encoder-1"
TRAINED = ("teacher", "online")


@dataclass(frozen=True)
class ExportedEncoder:
    """An encoder without the run that trained it.

    Args:
        model: of the run's configuration; the weights that ``stamp`` names are the exported ones, everything else of it
            is as it was before training.
        stamp: identity columns of its rows.
        clip_shape: ``num_frames`` and ``size`` (pixels) of the clips that it saw.
        command: what trained it.
        git_revision: of the code that trained it.
    """

    model: VideoJEPA
    stamp: RowStamp
    clip_shape: Mapping[str, int]
    command: str
    git_revision: str


@dataclass(frozen=True)
class Exportable:
    """A finished run with what every format needs of it.

    Args:
        run: finished.
        model: with the weights of its last checkpoint.
        weights: ``teacher`` or ``online``, what a format that holds one encoder gets.
        record: what made them, as plain data.
    """

    run: Run
    model: VideoJEPA
    weights: Weights
    record: Mapping[str, Any]

    @cached_property
    def encoder(self) -> Encoder:
        """The chosen encoder."""
        return self.model.frozen(self.weights).encoder


def open_exportable(folder: Path, weights: Weights | None = None) -> Exportable:
    """Load a finished run.

    Args:
        folder: of the run.
        weights: ``teacher`` or ``online``; None: those that the run's reading evaluates.

    Raises:
        UserError: the folder holds no finished run, or the run has no such weights.
    """
    from experiments.checkpoints import read_step
    from experiments.load import instantiate, load_model, pretraining_stamp
    from experiments.runs import open_run

    run = open_run(folder)
    model = load_model(run)
    chosen = weights or model.evaluated_weights
    if chosen == "init":
        raise UserError(f"{folder}: its reading evaluates the initial weights, which hold no training; name --weights")
    stamp = pretraining_stamp(run, model, read_step(run.last_checkpoint))
    data = instantiate(run.settings, "data", str(run.config))
    made = {"command": [], "git_revision": "unknown"} | (read_record(run.environment) or {})
    record = {
        "format": FORMAT,
        "stamp": asdict(stamp) | {"weights": chosen},
        "model": run.settings["model"] | {"init_from": None},  # where it started is a place on one machine
        "clip_shape": {"num_frames": data.num_frames, "size": data.size},
        "command": shlex.join(["vjepa", *portable_command(made["command"][1:])]),
        "git_revision": made["git_revision"],
    }
    return Exportable(run, model, chosen, record)


def write_safetensors(source: Exportable, out: Path, half: bool = False) -> None:
    """One file of the encoder under our names, with what made it in the header; a model card beside it.

    Args:
        source: of the weights.
        out: file to write, whole or not at all.
        half: store 16 bits a weight.

    Raises:
        UserError: the file cannot be written.
    """
    state = {name: _stored(value, half) for name, value in source.encoder.state_dict().items()}
    atomic_write_bytes(out, save(state, {"record": json.dumps(source.record)}))
    _write_card(source, "safetensors", out)


def write_official(source: Exportable, out: Path, half: bool = False) -> None:
    """One file in the layout of official checkpoints: encoder, moving average and predictor; a model card beside it.

    Arguments and errors as ``write_safetensors``.
    """
    model = source.model
    teacher = None if model.target.teacher is None else model.target.teacher.state_dict()
    parts = to_official(model.encoder.state_dict(), teacher, model.predictor.state_dict())
    with atomic_path(out) as temporary:
        torch.save(
            {part: {key: _stored(one, half) for key, one in state.items()} for part, state in parts.items()}, temporary
        )
    _write_card(source, "official", out)


def write_huggingface(source: Exportable, out: Path, half: bool = False) -> None:
    """A folder that ``VJEPA2Model.from_pretrained`` loads, with its model card.

    Args:
        source: of the weights.
        out: folder to make, whole or not at all.
        half: store 16 bits a weight.

    Raises:
        UserError: the run's ``model.rope`` is not v2, or the folder exists or cannot be written.
    """
    config = huggingface_config(source.encoder, **source.record["clip_shape"])
    state = to_huggingface(source.encoder.state_dict())
    with atomic_folder(out) as folder:
        weights = folder / WEIGHTS
        weights.write_bytes(save({key: _stored(value, half) for key, value in state.items()}, {"format": "pt"}))
        config["dtype"] = "float16" if half else "float32"
        (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
        (folder / "README.md").write_text(model_card(source.run, source.record, "hf", weights))


FORMATS: dict[str, Callable[[Exportable, Path, bool], None]] = {
    "safetensors": write_safetensors,
    "hf": write_huggingface,
    "official": write_official,
}


def open_encoder(path: Path) -> ExportedEncoder:
    """Read what ``write_safetensors`` wrote; no code in the file is run.

    Raises:
        UserError: the file is missing, no such file, or of another architecture than it says.
    """
    from experiments.checkpoints import check_state
    from experiments.load import instantiate

    state, header = read_safetensors(path)
    record = json.loads(header.get("record", "{}"))
    if record.get("format") != FORMAT:
        raise UserError(f"{path} holds no encoder of this project: expected the format {FORMAT} in its header")
    stamp = RowStamp(**record["stamp"])
    model: VideoJEPA = instantiate(record, "model", str(path))
    encoder = model.encoder if stamp.weights == "online" else model.target.teacher
    assert encoder is not None
    state = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    check_state(path, state, encoder)
    encoder.load_state_dict(state)
    return ExportedEncoder(model.eval(), stamp, record["clip_shape"], record["command"], record["git_revision"])


def _write_card(source: Exportable, form: str, out: Path) -> None:
    atomic_write_text(out.with_name(f"{out.name}.md"), model_card(source.run, source.record, form, out))


def _stored(value: Tensor, half: bool) -> Tensor:
    return (value.half() if half and value.is_floating_point() else value).contiguous()


def main(options: Sequence[str]) -> int:
    """``vjepa export``."""
    parser = argparse.ArgumentParser("vjepa export", description="Write the weights of a finished run for others.")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument(
        "--format", choices=FORMATS, default="safetensors",
        help="safetensors: the encoder, one file that says what made it; hf: a folder for VJEPA2Model of transformers, "
        "of runs with model.rope v2; official: encoder, teacher, predictor as in official V-JEPA files (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="PATH", help="file to write; for hf, a new folder")
    parser.add_argument("--weights", choices=TRAINED, help="of one encoder (those that the run's reading evaluates)")
    parser.add_argument("--half", action="store_true", help="store 16 bits a weight")
    known = parser.parse_args(list(options))
    FORMATS[known.format](open_exportable(known.run, known.weights), known.out, known.half)
    files = [known.out] if known.out.is_file() else sorted(known.out.iterdir())
    print(f"{known.out}: {sum(path.stat().st_size for path in files) / 2**20:.2f} MiB, {known.format}")
    return 0
