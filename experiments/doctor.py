"""``vjepa doctor``: what this machine has, and what would stop a run here, on one screen."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
import torch

from data_modules.annotations.roots import data_root
from data_modules.generated.cache import cache_root
from data_modules.generated.workers import available_cores
from experiments.environment import describe_machine, package_versions
from vjepa.errors import UserError

DECODERS = {"h264": "Diving-48, glyphs", "mpeg4": "UCF-101", "vp9": "Something-Something V2", "mpeg2video": "old files"}
ENCODERS = {"libx264": "glyphs, transcoding and the codec corruptions"}
ENOUGH = 2 * 2**30
"""Bytes that the embedded benchmark, its runs and their features fit in."""


@dataclass(frozen=True)
class Finding:
    """One line: ``ok``, ``note`` for what only some need, or ``bad`` for what stops every run, with the cure."""

    name: str
    state: Literal["ok", "note", "bad"]
    text: str


def versions() -> Iterator[Finding]:
    """Packages."""
    found = package_versions()
    absent = [name for name, version in found.items() if version == "absent"]
    text = ", ".join(f"{name} {version}" for name, version in found.items() if version != "absent")
    yield Finding("versions", "bad" if absent else "ok", f"{text}; missing: {', '.join(absent)}" if absent else text)


def devices() -> Iterator[Finding]:
    """Processor, GPUs and the number formats they train in."""
    cores = available_cores()
    yield Finding("machine", "ok", f"{describe_machine()}; {cores} cores for this process")
    if not torch.cuda.is_available():
        yield Finding("GPU", "note", "none that torch sees: runs use the CPU, which is enough for make demo")
        return
    for number in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(number)
        text = f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB"
        bf16 = torch.cuda.is_bf16_supported()
        yield Finding(f"GPU {number}", "ok" if bf16 else "note", text + ("" if bf16 else "; no bf16: use 32-true"))


def codecs() -> Iterator[Finding]:
    """What FFmpeg, as PyAV ships it, reads and writes."""
    for kind, wanted in (("decoders", DECODERS), ("encoders", ENCODERS)):
        missing = [f"{name} ({use})" for name, use in wanted.items() if not _has(name, kind)]
        cure = f"missing: {', '.join(missing)}; install the wheel of av from PyPI"
        yield Finding(kind, "bad" if missing else "ok", cure if missing else ", ".join(wanted))


def _has(name: str, kind: str) -> bool:
    try:
        av.Codec(name, "r" if kind == "decoders" else "w")
    except ValueError:
        return False
    return True


def folders() -> Iterator[Finding]:
    """Where things are written, and the data sets."""
    for name, folder in (("cache", cache_root()), ("here", Path.cwd())):
        place = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
        free = shutil.disk_usage(place).free
        text = f"{folder}: {free / 2**30:.1f} GiB free"
        try:
            with tempfile.TemporaryFile(dir=place):
                pass
        except OSError as error:
            cure = "set VJEPA_CACHE" if name == "cache" else "change to a folder of yours"
            yield Finding(name, "bad", f"{folder} cannot be written ({error.strerror}): {cure}")
            continue
        yield Finding(name, "ok" if free >= ENOUGH else "note", text + ("" if free >= ENOUGH else ", which is little"))
    try:
        root = data_root(None)
    except UserError as error:
        yield Finding("DATA_ROOT", "note" if "DATA_ROOT" not in os.environ else "bad", str(error))
        return
    inside = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    shown = ", ".join(inside[:8]) or "nothing"
    yield Finding("DATA_ROOT", "ok", f"{root} holds {shown}; vjepa prepare check NAME looks into one")


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (versions, devices, codecs, folders)


def main(options: Sequence[str]) -> int:
    """``vjepa doctor``: versions, devices, codecs, disk and data, one line each; exit code 1 where one is bad."""
    argparse.ArgumentParser("vjepa doctor", description=main.__doc__).parse_args(list(options))
    findings = [finding for check in CHECKS for finding in check()]
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        print(f"{finding.state:<4}  {finding.name:<{width}}  {finding.text}")
    bad = [finding.name for finding in findings if finding.state == "bad"]
    print(f"\nto mend: {', '.join(bad)}" if bad else "\nready: make demo, or vjepa fit")
    return 1 if bad else 0
