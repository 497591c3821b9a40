"""What can be found out about cells before the first one trains."""

from __future__ import annotations

from collections.abc import Sequence

from data_modules.named import find_class
from experiments.ablation.cells import Cell
from experiments.ablation.spec import Ablation
from experiments.probes import protocol
from vjepa.corruptions import PROFILES
from vjepa.errors import UserError, unknown_name
from vjepa.nn import PRESETS


def check_names(ablation: Ablation) -> None:
    """Refuse names of probes, profiles, presets and benchmarks that nothing has.

    Raises:
        UserError: with the nearest name.
    """
    if not ablation.probes:
        raise UserError("nothing to evaluate: name at least one probe, for example --probes linear_time,attentive")
    for name in ablation.probes:
        protocol(name)
    if ablation.profile is not None and ablation.profile not in PROFILES:
        raise unknown_name("corruption profile", ablation.profile, [*PROFILES, "none"])
    if ablation.preset is not None and ablation.preset not in PRESETS:
        raise unknown_name("preset", ablation.preset, PRESETS)
    for name in ablation.benchmarks:
        find_class(name)


def check_cells(cells: Sequence[Cell]) -> None:
    """Make every model once, without its weights, so that a bad cell is refused before the first one trains.

    Raises:
        UserError: options that contradict one another; the cell is named.
    """
    import torch

    from experiments.load import instantiate

    known: set[tuple[str, str]] = set()
    for cell in cells:
        if (cell.variant, cell.reading) in known or cell.run.is_done:
            continue
        known.add((cell.variant, cell.reading))
        name = f"{cell.variant} {cell.reading}"
        with torch.device("meta"):
            model = instantiate(cell.settings, "model", name, hint="")
        data = instantiate(cell.settings, "data", name, hint="")
        try:
            model.check_batch(data.batch_size, data.num_frames)
        except UserError as error:
            raise UserError(f"{name}: {error}") from error


def prepare_data(cell: Cell) -> None:
    """Make or check the files of what a cell trains on and is evaluated on: what fails later would fail late.

    Raises:
        UserError: data is not there.
    """
    from experiments.evaluation.benchmarks import prepare_benchmarks
    from experiments.load import instantiate

    data = instantiate(cell.settings, "data", cell.label, hint="")
    data.prepare_data()
    if cell.settings["probe"]["benchmarks"] is not None:
        prepare_benchmarks(cell.settings["probe"]["benchmarks"], data)
