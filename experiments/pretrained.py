"""Weights of other makers for our models: to start a training from, and to evaluate beside runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from experiments.runs import Run, open_run
from vjepa.interop import Pretrained, load_parts, read_pretrained
from vjepa.module import VideoJEPA
from vjepa.storage import digest_file, digest_json


def open_pretrained(path: Path) -> Pretrained:
    """Read weights of any known format, or those of a finished run of ours by its folder.

    Raises:
        UserError: the path holds no weights, or the run is not finished.
    """
    return read_pretrained(open_run(path).last_checkpoint if is_run(path) else path)


def is_run(path: Path) -> bool:
    """Whether a path is the folder of a run."""
    return Run(path, "").config.is_file()


def content_digest(found: Pretrained) -> str:
    """Digest of the files that weights came from."""
    if found.source.is_file():
        return digest_file(found.source)
    files = sorted(path for path in found.source.iterdir() if path.suffix in (".json", ".safetensors"))
    return digest_json({path.name: digest_file(path) for path in files})


def initialize(model: VideoJEPA) -> dict[str, Any]:
    """Give a model the weights that its ``init_from`` names: encoder, teacher, and predictor where there is one.

    Without a moving average in the file the teacher starts as a copy of the encoder.

    Args:
        model: before training; on error it is unchanged.

    Returns:
        What was loaded, for the record of the run.

    Raises:
        UserError: the file is bad, or a key differs that ``init_allow`` does not name.
    """
    assert model.init_from is not None
    found = open_pretrained(Path(model.init_from))
    ours: dict[str, nn.Module | None] = {
        "encoder": model.encoder, "teacher": model.target.teacher, "predictor": model.predictor,
    }  # fmt: skip
    modules = {part: module for part, module in ours.items() if part in found.parts and module is not None}
    kept = load_parts(found, modules, model.init_allow)
    if model.target.teacher is not None and "teacher" not in modules:
        model.target.teacher.load_state_dict(model.encoder.state_dict())
    return {
        "path": str(model.init_from),
        "layout": found.layout,
        "digest": content_digest(found),
        "loaded": list(modules),
        "differing": [str(one) for one in kept],
    }


def describe(facts: dict[str, Any]) -> str:
    """One line about ``initialize`` for the screen."""
    line = f"starting from {facts['path']} ({facts['layout']}, {facts['digest'][:12]}): {', '.join(facts['loaded'])}"
    if "predictor" not in facts["loaded"]:
        line += "; the predictor starts from the seed"
    return line + (f"; {len(facts['differing'])} keys differ, as allowed" if facts["differing"] else "")
