"""Fitted probes as files: the tensors, and a JSON header that says what they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from experiments.probes.attentive import AttentiveProbe, AttentiveSettings
from experiments.probes.fit import FittedProbe, Probe
from experiments.probes.knn import KnnProbe, KnnSettings
from experiments.probes.linear import LinearProbe, LinearSettings
from experiments.probes.protocols import ProbeProtocol, Settings
from experiments.probes.study import StudyProbe, StudySettings
from vjepa.errors import UserError
from vjepa.storage import atomic_path

VERSION = 1

_HEADER = "vjepa_probe"
_KINDS: dict[str, tuple[Callable[..., Settings], Callable[..., Probe]]] = {
    settings.__name__: (settings, probe.restore)
    for settings, probe in (
        (LinearSettings, LinearProbe),
        (AttentiveSettings, AttentiveProbe),
        (KnnSettings, KnnProbe),
        (StudySettings, StudyProbe),
    )
}


def save_probe(fitted: FittedProbe, path: Path) -> None:
    """Write a probe whole or not at all.

    Args:
        fitted: the probe.
        path: ending in ``.safetensors``.

    Raises:
        UserError: the file cannot be written.
    """
    tensors, facts = fitted.probe.state()
    header = {
        "version": VERSION,
        "kind": type(fitted.protocol.settings).__name__,
        "name": fitted.protocol.name,
        "settings": asdict(fitted.protocol.settings),
        "facts": facts,
        **{name: getattr(fitted, name) for name in _FACTS},
    }
    content = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(content, temporary, metadata={_HEADER: json.dumps(header)})


def load_probe(path: Path) -> FittedProbe:
    """Read a probe.

    Raises:
        UserError: there is no such file, or it is torn, no probe, or of another version.
    """
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_HEADER)
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is no file of a fitted probe, or torn ({error}); fit the probe again") from error
    said: dict[str, Any] = {} if text is None else json.loads(text)
    if said.get("version") != VERSION or said.get("kind") not in _KINDS:
        seen = said.get("version", "none")
        raise UserError(
            f"{path}: expected a fitted probe of format {VERSION}, found format {seen}; fit the probe again"
        )
    kind, restore = _KINDS[said["kind"]]
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in said["settings"].items()}
    settings = kind(**values)
    probe = restore(settings, tensors, said["facts"], said["num_classes"])
    return FittedProbe(
        protocol=ProbeProtocol(said["name"], settings), probe=probe, **{name: said[name] for name in _FACTS}
    )


_FACTS = ("view", "column", "num_classes", "num_train", "num_val", "val_top1")
