"""The model card beside exported weights: what they are, what made them, how they did, and the whole configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from experiments.portable import portable_settings
from experiments.results import Row, read_rows
from experiments.runs import Run
from vjepa.storage import digest_file, read_record

STUDY = "https://arxiv.org/abs/2605.17165"

_FRONT_MATTER = """---
library_name: transformers
tags: [video, feature-extraction, v-jepa]
---

"""

_USE = {
    "safetensors": """The encoder under the project's own names; the header of the file says what made it.

```python
from pathlib import Path
from experiments.export import open_encoder

encoder = open_encoder(Path("{file}")).model.frozen("{weights}")  # uint8 (B, F, H, W, 3) -> (B, T, S, E)
```
""",
    "hf": """```python
import torch
from transformers import VJEPA2Model

model = VJEPA2Model.from_pretrained("FOLDER").eval()
tokens = model(pixel_values_videos=pixels, skip_predictor=True).last_hidden_state
```

`pixels` is (B, {num_frames}, 3, {size}, {size}): RGB in [0, 1], minus (0.485, 0.456, 0.406), over (0.229, 0.224,
0.225). For another side than {size} px change `crop_size`: positions are counted on its grid.

**Not in this folder:** the norms of the three shallower levels, and the predictor, which reads and writes four levels
of the encoder where that of `VJEPA2Model` reads and writes one. transformers reports its weights as newly initialised:
pass `skip_predictor=True`.
""",
    "official": """```python
import torch

parts = torch.load("{file}", weights_only=True)  # encoder, target_encoder where there is one, predictor
```

Keys as in official V-JEPA 2.1 files (`module.backbone.` and on). With `model.rope: v2` the last norm is called `norm`
as in V-JEPA 2, and the three shallower ones keep their names beside it. The predictor reads and writes four levels.
""",
}


def model_card(run: Run, record: Mapping[str, Any], form: str, weights_file: Path) -> str:
    """Markdown.

    Args:
        run: finished; its configuration and its result rows are told.
        record: what made the weights: ``stamp``, ``clip_shape``, ``command``, ``git_revision``.
        form: ``safetensors``, ``hf`` or ``official``.
        weights_file: written already; its digest is told.
    """
    stamp, shape, model = record["stamp"], record["clip_shape"], run.settings["model"]
    name = f"{stamp['variant']}, {stamp['reading']}, seed {stamp['seed']}"
    facts = {
        "weights": "encoder, teacher and predictor" if form == "official" else stamp["weights"],
        "pretrained on": f"{stamp['data']} (regime {stamp['regime']}), {stamp['step']:,} steps",
        "layout": stamp["layout"],
        "encoder": f"{model['preset']}, patch {model['patch_size']}, tubelet {model['tubelet_size']}, "
        f"rotary positions {model.get('rope', 'v2_1')}",
        "clips": f"{shape['num_frames']} frames of {shape['size']} x {shape['size']} px",
        "configuration hash": f"`{run.config_hash}`",
        "code": f"revision `{record['git_revision']}`",
        "command": f"`{record['command']}`",
        **_start(run),
        f"BLAKE2b-128 of {weights_file.name}": f"`{digest_file(weights_file)}`",
    }
    use = _USE[form].format(file=weights_file.name, weights=stamp["weights"], **shape)
    return (
        (_FRONT_MATTER if form == "hf" else "")
        + f"# Video-JEPA: {name}\n\nA video encoder trained without labels, of a replication of {STUDY}.\n\n"
        + _table(("fact", "value"), facts.items())
        + f"\n## Use\n\n{use}\n## Results\n\n{_results(run, stamp['weights'])}\n## Configuration\n\n"
        + f"```yaml\n{yaml.safe_dump(portable_settings(run.settings), sort_keys=False)}```\n"
    )


def _start(run: Run) -> dict[str, str]:
    started = (read_record(run.environment) or {}).get("started_from")
    return {"started from": f"{started['layout']}, BLAKE2b-128 `{started['digest']}`"} if started else {}


def _results(run: Run, weights: str) -> str:
    rows = read_rows(run.results) if run.results.is_file() else []
    shown = [row for row in rows if row.split == "test" and row.weights == weights and _is_headline(row)]
    if not shown:
        return "The run was not evaluated on test clips (`vjepa probe`, `vjepa robustness`).\n"
    cells = (
        (row.benchmark, row.probe, row.subspace, row.metric, row.corruption, f"{row.value:.4f}", f"{row.n:,}")
        for row in shown
    )
    return (
        "Of this one training, without an interval over seeds: another seed may put variants in another order.\n\n"
        + _table(("benchmark", "probe", "subspace", "metric", "corruption", "value", "n"), cells)
    )


def _is_headline(row: Row) -> bool:
    """Clean accuracy, and the mean over a profile of corruptions."""
    return row.metric == ("top1" if row.corruption == "none" else f"mpc_{row.corruption}")


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [titles, tuple("---" for _ in titles), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
