"""Which format a path holds, and its tensors; no code in a file is run."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vjepa.errors import UserError
from vjepa.interop.huggingface import CONFIG, INDEX, WEIGHTS, from_huggingface, read_config
from vjepa.interop.official import from_official, is_official
from vjepa.interop.pretrained import Pretrained

EXPECTED = (
    "an official V-JEPA 2 or 2.1 file, a checkpoint of the study (latest.pth.tar), a folder of Hugging Face's "
    "VJEPA2Model, or what vjepa fit or vjepa export has written"
)
_OURS = {"encoder": "encoder.", "teacher": "target.teacher.", "predictor": "predictor."}


def read_pretrained(path: Path) -> Pretrained:
    """Read encoder, moving average and predictor of any known format, under our names.

    Args:
        path: file, or folder with a config.json of Hugging Face.

    Raises:
        UserError: there is nothing, it is torn, of no known format, or holds more than tensors and plain values.
    """
    if path.is_dir():
        if not (path / CONFIG).is_file():
            raise UserError(f"{path} holds no {CONFIG}: expected {EXPECTED}")
        return from_huggingface(_folder_tensors(path), read_config(path), path)
    if not path.is_file():
        raise UserError(f"{path}: no such file or folder; expected {EXPECTED}")
    if path.suffix == ".safetensors":
        tensors, metadata = read_safetensors(path)
        if "record" not in metadata:
            raise UserError(f"{path} does not say what it is: give the folder with its {CONFIG}; expected {EXPECTED}")
        return Pretrained(path, "exported encoder", {"encoder": tensors})
    loaded = read_pickle(path)
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        return _from_checkpoint(loaded["state_dict"], path)
    if isinstance(loaded, Mapping) and is_official(loaded):
        return from_official(loaded, path)
    seen = (
        f"the entries {', '.join(map(str, list(loaded)[:8]))}" if isinstance(loaded, Mapping) else type(loaded).__name__
    )
    raise UserError(f"{path} holds {seen or 'nothing'}: expected {EXPECTED}")


def read_pickle(path: Path) -> Any:
    """What ``torch.save`` has written, without running code.

    Raises:
        UserError: it holds objects of classes, or it is torn.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (UnpicklingError, RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
        if named := re.search(r"GLOBAL (\S+)", str(error)):
            raise UserError(
                f"{path} holds more than tensors and plain values ({named[1]}): reading it would run its code, so it "
                "is refused; save its state dicts alone"
            ) from error
        reason = (str(error).splitlines() or ["nothing in it"])[0]
        raise UserError(f"{path} is torn, or no file of torch.save ({type(error).__name__}: {reason})") from error


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and the text in the header.

    Raises:
        UserError: the file is missing or torn.
    """
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path} is not a whole safetensors file ({error})") from error


def _folder_tensors(folder: Path) -> dict[str, Tensor]:
    """Of one weight file, or of all that an index names."""
    if (folder / INDEX).is_file():
        try:
            names = sorted(set(json.loads((folder / INDEX).read_text())["weight_map"].values()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{folder / INDEX} cannot be read: {error}") from error
    else:
        names = [WEIGHTS]
    found: dict[str, Tensor] = {}
    for name in names:
        found.update(read_safetensors(folder / Path(name).name)[0])
    return found


def _from_checkpoint(state: Mapping[str, Any], path: Path) -> Pretrained:
    """Parts of a checkpoint of ours; the heads of its terms are another matter."""
    parts = {
        part: {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        for part, prefix in _OURS.items()
    }
    parts = {part: found for part, found in parts.items() if found}
    if "encoder" not in parts:
        raise UserError(f"{path} is a checkpoint without an encoder: expected {EXPECTED}")
    return Pretrained(path, "checkpoint of vjepa fit", parts)
