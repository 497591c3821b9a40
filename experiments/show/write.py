"""Look at all inputs, then draw and write clip by clip: nothing is left behind where an input is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter

from experiments.evaluation.benchmarks import feature_folder
from experiments.evaluation.runs import check_device
from experiments.pictures.sheets import Sheet
from experiments.pictures.summaries import image_summary
from experiments.pictures.trajectory import TAGS, draw_trajectory
from experiments.show.catalogue import EACH, draw, similarity
from experiments.show.clip import read_shown
from experiments.show.encoders import LoadedEncoder, check_shapes, load_encoder
from experiments.show.gallery import Gallery
from experiments.show.sitting import Sitting
from vjepa.errors import UserError
from vjepa.storage import atomic_write_bytes
from vjepa.targets import Weights

RANK = "rank"


@dataclass(frozen=True)
class ShowOptions:
    """How pictures are made.

    Args:
        weights: to show; None: those that each run's reading evaluates.
        benchmark: name and options of the gallery and of stored probes; None: the data of each run.
        num_gallery: most clips of the gallery, >= 1.
        limits: most train and validation clips of stored probes; None: all, or as the run was tested.
        cache: folder of features and probes.
        device: of the encoders; None: a GPU where there is one.
        tensorboard: write into the event files of each run, too.
    """

    weights: Weights | None = None
    benchmark: tuple[str, Mapping[str, Any]] | None = None
    num_gallery: int = 256
    limits: tuple[int | None, int | None] | None = None
    cache: str | None = None
    device: str | None = None
    tensorboard: bool = False


def show(runs: Sequence[Path], clips: Sequence[Path], out: Path, names: Sequence[str], options: ShowOptions) -> None:
    """Draw pictures of encoders before clips; encoders stand below one another.

    Args:
        runs: folders of finished runs, or exported encoders.
        clips: video or image files.
        out: folder; gets ``CLIP/PICTURE.png`` and ``.gif``, and ``rank.png``.
        names: of pictures.
        options: how.

    Raises:
        UserError: an input is wrong, or nothing could be drawn.
    """
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    check_device(device)
    encoders = [load_encoder(path, options.weights, device) for path in runs]
    check_shapes(encoders)
    if options.tensorboard and (exported := next((one for one in encoders if one.run is None), None)):
        raise UserError(f"{exported.path} is no run, so it has no event files: leave --tensorboard out")
    gallery = Gallery(options.benchmark, options.num_gallery)
    if options.benchmark is not None:
        gallery.data(encoders[0])
    shape = encoders[0].clip_shape
    for path in clips:
        read_shown(path, **shape)
    left_out: dict[str, None] = {}
    written: list[Path] = []
    for folder, path in folders_of(clips).items():
        clip, cache = read_shown(path, **shape), feature_folder(options.cache)
        sittings = [Sitting(encoder, clip, gallery, options.limits, cache) for encoder in encoders]
        sheets = draw_clip(sittings, names, left_out.setdefault)
        written += _write(out / folder, sheets)
        if options.tensorboard:
            for sitting in sittings:
                own = sheets if len(sittings) == 1 else draw_clip([sitting], names, left_out.setdefault)
                log_sheets(sitting.encoder, f"show/{folder}", own)
    if RANK in names:
        written += _write(out, draw_rank(encoders, left_out.setdefault))
        if options.tensorboard:
            for encoder in encoders:
                log_sheets(encoder, "show", draw_rank([encoder], left_out.setdefault))
    for reason in left_out:
        print(f"left out: {reason}")
    if not written:
        raise UserError("nothing could be drawn, for the reasons above")


def draw_clip(
    sittings: Sequence[Sitting], names: Sequence[str], leave_out: Callable[[str], object]
) -> dict[str, Sheet]:
    """Pictures of encoders before one clip, by name; those that cannot be drawn are missing.

    Args:
        sittings: one or more.
        names: of pictures; ``rank``, which needs no clip, is passed over.
        leave_out: called with the reason for each that cannot be drawn.
    """
    drawn = {name: draw(name, sittings, leave_out) for name in names if name != RANK}
    return {name: sheet for name, sheet in drawn.items() if sheet is not None}


def _write(folder: Path, sheets: Mapping[str, Sheet]) -> list[Path]:
    """Write pictures and name their files."""
    written = []
    for name, sheet in sheets.items():
        for file, data in sheet.files(name).items():
            atomic_write_bytes(folder / file, data)
            written.append(folder / file)
            print(folder / file)
    return written


def draw_rank(encoders: Sequence[LoadedEncoder], leave_out: Callable[[str], object]) -> dict[str, Sheet]:
    """Effective rank and variance over the steps of training, from the event files of the runs.

    Args:
        encoders: one or more.
        leave_out: called with the reason for each that logged nothing.

    Returns:
        The picture by its name; nothing where none did.
    """
    logged = []
    for encoder in encoders:
        curves = encoder.logged(TAGS)
        if curves:
            logged.append((encoder.label, curves))
        else:
            leave_out(f"{RANK}: {encoder.path} has no event files of a training with {', '.join(TAGS)}")
    width = max(encoder.model.encoder.preset.width for encoder in encoders)
    return {RANK: Sheet(draw_trajectory(logged, width))} if logged else {}


def documented(name: str) -> Callable[..., object]:
    """The function of a picture, whose docstring says what it shows."""
    functions: dict[str, Callable[..., object]] = {**EACH, similarity.__name__: similarity, RANK: draw_rank}
    return functions[name]


def log_sheets(encoder: LoadedEncoder, tag: str, sheets: Mapping[str, Sheet]) -> None:
    """Write pictures into the folder of a run, as ``TAG/PICTURE`` of TensorBoard; what moves is played."""
    assert encoder.run is not None
    step = encoder.subject.stamp.step
    with SummaryWriter(str(encoder.run.folder)) as writer:
        for name, sheet in sheets.items():
            data = list(sheet.files(name).values())[-1]
            size = (sheet.still if sheet.moving is None else sheet.moving[0]).shape[:2]
            writer.file_writer.add_summary(image_summary(f"{tag}/{name}", data, *size), step)


def folders_of(clips: Sequence[Path]) -> dict[str, Path]:
    """A folder for each clip: its name, numbered where several have one."""
    found: dict[str, Path] = {}
    for path in clips:
        number, name = 1, path.stem
        while name in found:
            number += 1
            name = f"{path.stem}-{number}"
        found[name] = path
    return found
