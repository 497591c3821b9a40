"""From a resolved configuration, or a run's folder, to its model and data."""

from __future__ import annotations

from argparse import ArgumentError
from collections.abc import Mapping
from typing import Any

import torch
from jsonargparse import ArgumentParser, Namespace
from lightning.pytorch import LightningModule

from data_modules.base import ClipDataModule
from experiments.checkpoints import check_fits, read_step
from experiments.messages import explain, import_class
from experiments.results import RowStamp
from experiments.runs import Run
from vjepa.errors import UserError
from vjepa.module import FactorizedVideoJEPA, VideoJEPA


def make_model(class_type: type[LightningModule], *args: Any, **kwargs: Any) -> LightningModule:
    """Instantiate ``VideoJEPA`` for layout whole and ``FactorizedVideoJEPA`` for any other."""
    chosen = VideoJEPA if kwargs.get("layout", "whole") == "whole" else FactorizedVideoJEPA
    return chosen(*args, **kwargs)


def data_name(settings: dict[str, Any]) -> str:
    """Name of the data set that a configuration trains on: that of its class, unless the options give one."""
    data = settings["data"]
    return str(data["init_args"].get("name") or import_class(data["class_path"]).name)


def instantiate(
    settings: Mapping[str, Any], section: str, source: str, hint: str = "; was it written by another version?"
) -> Any:
    """Make the ``model`` or ``data`` of a resolved configuration.

    Args:
        settings: resolved configuration.
        section: model or data.
        source: where the settings come from, for messages.
        hint: what the reader of a message should think of.

    Raises:
        UserError: the section does not fit this version of the code.
    """
    parser = ArgumentParser(exit_on_error=False)
    if section == "model":
        parser.add_class_arguments(VideoJEPA, section)
        parser.add_instantiator(make_model, VideoJEPA, subclasses=False)
    else:
        parser.add_subclass_arguments(ClipDataModule, section)
    try:
        parsed: Namespace = parser.parse_object({section: settings[section]})
        return parser.instantiate(parsed)[section]
    except UserError as error:
        raise UserError(f"{source}: {error}{hint}") from error
    except (ArgumentError, ValueError) as error:
        raise UserError(f"{source}: {explain(str(error), [])}{hint}") from error


def load_data(run: Run) -> ClipDataModule:
    """The data module that the run was trained on, prepared and set up."""
    data: ClipDataModule = instantiate(run.settings, "data", str(run.config))
    data.prepare_data()
    data.setup("test")
    return data


def load_model(run: Run) -> VideoJEPA:
    """The model of a finished run, with the weights of its last checkpoint, loaded strictly and without code.

    Raises:
        UserError: there is no checkpoint, or it is broken or of another architecture.
    """
    model: VideoJEPA = instantiate(run.settings, "model", str(run.config))
    path = run.last_checkpoint
    read_step(path)
    check_fits(path, model)
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["state_dict"])
    return model.eval()


def pretraining_stamp(run: Run, model: VideoJEPA, step: int) -> RowStamp:
    """Identity columns of the rows of a run, for the weights that its reading evaluates.

    Args:
        run: of the model.
        model: for reading, layout, seed and weights.
        step: optimizer steps behind the weights.
    """
    options, name = run.settings["run"], data_name(run.settings)
    return RowStamp(
        data=name,
        regime=options["regime"] or name,
        variant=options["variant"],
        reading=model.reading,
        layout=model.layout.kind,
        seed=model.seed,
        step=step,
        weights=model.evaluated_weights,
        config_hash=run.config_hash,
    )
