"""Two real processes share the extraction and end with equal features and equal probes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.multiprocessing.spawn import spawn

from experiments.evaluation.encoded import Encoded
from experiments.evaluation.features.sources import make_source
from experiments.evaluation.ranks import ALONE, Ranks
from experiments.probes import ProbeProtocol, fit_probe, protocol
from experiments.probes.attentive import AttentiveSettings
from tests.experiments.evaluation.features.clips import MadeClips, made_cache, made_subject

PROTOCOLS = (
    protocol("linear_time"),
    protocol("knn"),
    ProbeProtocol("attentive", AttentiveSettings(learning_rates=(1e-3, 3e-3), weight_decays=(0.05,), num_steps=20)),
)


def features_and_answers(folder: Path, ranks: Ranks) -> dict[str, Tensor]:
    """Means, tokens, and what each probe says of the training clips."""
    subject, encoder = made_subject()
    train, val = (
        make_source(
            subject, MadeClips(40, (7,), split), torch.arange(40), needs_tokens=True, cache=made_cache(folder),
            memory_limit=0, batch_size=4, ranks=ranks, say=lambda line: None, progress=False,
        )
        for split in ("train", "val")
    )  # fmt: skip
    found = {"means": train.time(), "tokens": train.batch(slice(None)), "encoded": torch.tensor(encoder.num_encoded)}
    for each in PROTOCOLS:
        fitted = fit_probe(each, train, val, 0, 2)
        found[each.name] = fitted.logits(Encoded(train.batch(slice(None)).float()))
    return found


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )
    found = features_and_answers(Path(folder) / "two", Ranks(rank, 2, dist.barrier))
    torch.save(found, f"{folder}/rank{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.ddp
def test_two_processes_agree_with_one(tmp_path: Path) -> None:
    spawn(work, (str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    alone = features_and_answers(tmp_path / "one", ALONE)
    for found in (first, second):
        assert int(found.pop("encoded")) < 50
        assert found.keys() == alone.keys() - {"encoded"}
        for name, value in found.items():
            assert torch.equal(value, alone[name]), name
    assert int(alone["encoded"]) == 2 * 39 + 2
