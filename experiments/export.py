"""The encoder of a run as one small file, and back: weights as safetensors, with what made them in the header."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from experiments.results import RowStamp
from vjepa.errors import UserError
from vjepa.module import VideoJEPA
from vjepa.storage import atomic_write_bytes
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


def export_encoder(folder: Path, out: Path, weights: Weights | None = None, half: bool = False) -> Path:
    """Write the encoder of a finished run, whole or not at all.

    Args:
        folder: of the run.
        out: file to write.
        weights: ``teacher`` or ``online``; None: those that the run's reading evaluates.
        half: store 16 bits a weight.

    Raises:
        UserError: the folder holds no finished run, the run has no such weights, or the file cannot be written.
    """
    from experiments.evaluation.runs import checkpoint_step
    from experiments.load import instantiate, load_model, pretraining_stamp
    from experiments.runs import open_run

    run = open_run(folder)
    model = load_model(run)
    chosen = weights or model.evaluated_weights
    if chosen == "init":
        raise UserError(f"{folder}: its reading evaluates the initial weights, which hold no training; name --weights")
    encoder = model.frozen(chosen).encoder
    stamp = pretraining_stamp(run, model, checkpoint_step(run))
    data = instantiate(run.settings, "data", str(run.config))
    made = json.loads(run.environment.read_text())
    record = {
        "format": FORMAT,
        "stamp": asdict(stamp) | {"weights": chosen},
        "model": run.settings["model"],
        "clip_shape": {"num_frames": data.num_frames, "size": data.size},
        "command": shlex.join(["vjepa", *_portable(made["command"][1:])]),
        "git_revision": made["git_revision"],
    }
    state = {name: _stored(value, half) for name, value in encoder.state_dict().items()}
    atomic_write_bytes(out, save(state, {"record": json.dumps(record)}))
    return out


def open_encoder(path: Path) -> ExportedEncoder:
    """Read what ``export_encoder`` wrote; no code in the file is run.

    Raises:
        UserError: the file is missing, no such file, or of another architecture than it says.
    """
    from experiments.checkpoints import check_state
    from experiments.load import instantiate

    try:
        with safe_open(path, "pt") as file:
            record = json.loads((file.metadata() or {}).get("record", "{}"))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; vjepa export writes one") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path} is not a whole safetensors file ({error}); export it again") from error
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


def _stored(value: Tensor, half: bool) -> Tensor:
    return (value.half() if half and value.is_floating_point() else value).contiguous()


def _portable(words: Sequence[str]) -> list[str]:
    """A command line without the places of one machine."""
    kept = [word for word in words if not word.startswith(("--run.root=", "--trainer.enable_progress_bar="))]
    return [re.sub(r"^.*/(?=experiments/configs/)", "", word) for word in kept]


def main(options: Sequence[str]) -> int:
    """``vjepa export``."""
    parser = argparse.ArgumentParser("vjepa export", description="Write the encoder of a finished run as safetensors.")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write, *.safetensors")
    parser.add_argument("--weights", choices=TRAINED, help="(those that the run's reading evaluates)")
    parser.add_argument("--half", action="store_true", help="store 16 bits a weight")
    known = parser.parse_args(list(options))
    out = export_encoder(known.run, known.out, known.weights, known.half)
    print(f"{out}: {out.stat().st_size / 2**20:.2f} MiB")
    return 0
