"""Encoders to show: those of finished runs, and those that were exported as a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from data_modules.base import ClipDataModule
from data_modules.named import make_data
from experiments.checkpoints import read_step
from experiments.evaluation.from_model import model_subject
from experiments.evaluation.runs import label_of
from experiments.evaluation.subjects import Subject
from experiments.export import open_encoder
from experiments.load import instantiate, load_data, load_model, pretraining_stamp
from experiments.report.scalars import Scalars, read_scalars
from experiments.runs import Run, open_run
from vjepa.errors import UserError
from vjepa.module import VideoJEPA
from vjepa.targets import Weights

EXPORTED = ".safetensors"


@dataclass(frozen=True)
class LoadedEncoder:
    """An encoder with what it was trained as.

    Args:
        path: folder of the run, or the exported file.
        model: for the masker and the division of the latent.
        subject: the weights to show; all levels.
        clip_shape: ``num_frames`` and ``size`` (pixels) of the clips that it saw.
        run: where it is one.
    """

    path: Path
    model: VideoJEPA
    subject: Subject
    clip_shape: Mapping[str, int]
    run: Run | None = None

    @property
    def label(self) -> str:
        """Its name in legends."""
        return self.subject.label

    @property
    def legend(self) -> str:
        """Run, weights and step."""
        stamp = self.subject.stamp
        return f"{self.label} \u00b7 {stamp.weights} weights \u00b7 step {stamp.step:,}"

    @property
    def tested_limits(self) -> tuple[int | None, int | None]:
        """Most train and validation clips of the probes of its own test; None takes all."""
        options = {} if self.run is None else self.run.settings.get("probe") or {}
        return options.get("num_train"), options.get("num_val")

    def logged(self, tags: Iterable[str]) -> dict[str, Scalars]:
        """What it logged while it was trained; nothing for an exported encoder."""
        return {} if self.run is None else read_scalars(self.run.folder, tags)

    def open_data(self) -> ClipDataModule:
        """The data that it was trained on, prepared and set up.

        Raises:
            UserError: they are not here.
        """
        if self.run is not None:
            return load_data(self.run)
        data = make_data(self.subject.stamp.data, {}, self.clip_shape)
        data.prepare_data()
        data.setup("test")
        return data


def load_encoder(path: Path, weights: Weights | None = None, device: str = "cpu") -> LoadedEncoder:
    """Load a finished run or an exported encoder.

    Args:
        path: folder of a run, or a file that ``vjepa export`` wrote.
        weights: None: those that the run's reading evaluates, or that were exported.
        device: of the encoder.

    Raises:
        UserError: there is neither, the run is not finished, or it has no such weights.
    """
    if path.suffix == EXPORTED:
        return _load_exported(path, weights, device)
    run = open_run(path)
    model = load_model(run).to(device)
    stamp = pretraining_stamp(run, model, read_step(run.last_checkpoint))
    data = instantiate(run.settings, "data", str(run.config))
    shape = {"num_frames": data.num_frames, "size": data.size}
    return LoadedEncoder(path, model, _subject(model, stamp, label_of(run), weights), shape, run)


def _load_exported(path: Path, weights: Weights | None, device: str) -> LoadedEncoder:
    exported = open_encoder(path)
    stamp, model = exported.stamp, exported.model.to(device)
    if weights not in (None, "init", stamp.weights):
        raise UserError(f"{path} holds the weights {stamp.weights}, not {weights}: leave --weights out, or name init")
    label = f"{stamp.variant} {stamp.reading} seed {stamp.seed}"
    chosen = weights or stamp.weights
    return LoadedEncoder(path, model, _subject(model, stamp, label, chosen), exported.clip_shape)  # type: ignore[arg-type]


def _subject(model: VideoJEPA, stamp: object, label: str, weights: Weights | None) -> Subject:
    subject = model_subject(model, stamp, label, weights)  # type: ignore[arg-type]
    if subject.stamp.weights == "init":
        return replace(subject, stamp=replace(subject.stamp, step=0))
    return subject


def check_shapes(encoders: list[LoadedEncoder]) -> None:
    """Refuse encoders that were trained on clips of different shapes.

    Raises:
        UserError: there are such.
    """
    first = encoders[0]
    for other in encoders[1:]:
        if other.clip_shape != first.clip_shape:
            told = ["{num_frames} frames of {size} px".format(**one.clip_shape) for one in (other, first)]
            raise UserError(
                f"{other.path} was trained on clips of {told[0]}, {first.path} of {told[1]}: show them apart"
            )
