"""The LightningDataModule: what a Trainer gets, also after a resume, with workers and over epochs."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from data_modules import GlyphsDataModule
from data_modules.glyphs.store import GlyphStore
from vjepa.errors import UserError
from vjepa.latents import Clip


def module(prepared: GlyphStore, **options: Any) -> GlyphsDataModule:
    sizes = {"train_clips": 24, "val_clips": 8, "test_clips": 10}
    return GlyphsDataModule(**{"batch_size": 4, "root": str(prepared.folder.parent), **sizes, **options})


def indices(clips: Iterable[Clip]) -> list[list[int]]:
    return [clip.index.tolist() for clip in clips]


def test_training_batches_are_clips_without_end(prepared: GlyphStore) -> None:
    data = module(prepared)
    data.prepare_data()
    data.setup("fit")
    batches = list(islice(data.train_dataloader(), 20))
    clip = batches[0]
    assert isinstance(clip, Clip) and data.manifest_hash == prepared.hash()
    assert clip.frames.shape == (4, 8, 32, 32, 3) and clip.frames.dtype == torch.uint8
    assert clip.labels.shape == (4, 3) and clip.labels.dtype == clip.index.dtype == torch.int64
    assert sorted(chain(*indices(batches[:6]))) == list(range(24))
    reference = data.dataset("train").fetch(clip.index)
    assert torch.equal(reference.frames, clip.frames) and torch.equal(reference.labels, clip.labels)


def test_evaluation_sees_every_clip_once_in_order(prepared: GlyphStore) -> None:
    data = module(prepared)
    assert list(chain(*indices(data.val_dataloader()))) == list(range(8))
    assert indices(data.test_dataloader()) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_the_order_does_not_depend_on_workers(prepared: GlyphStore) -> None:
    here, there = module(prepared), module(prepared, num_workers=2)
    expected = list(islice(here.train_dataloader(), 9))
    seen = list(islice(there.train_dataloader(), 9))
    assert indices(seen) == indices(expected)
    assert all(torch.equal(a.frames, b.frames) for a, b in zip(seen, expected, strict=True))


class Recorder(pl.LightningModule):
    """Learns one number and writes down what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[list[int]] = []
        self.tested: list[int] = []

    def training_step(self, clip: Clip, _: int) -> torch.Tensor:
        self.seen.append(clip.index.tolist())
        return self.weight * clip.frames.float().mean()

    def test_step(self, clip: Clip, _: int) -> None:
        self.tested += clip.index.tolist()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-6)


def trainer(folder: Path, max_steps: int, **options: Any) -> pl.Trainer:
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return pl.Trainer(
        default_root_dir=folder, accelerator="cpu", max_steps=max_steps, max_epochs=-1,
        enable_checkpointing=False, **quiet, **options,
    )  # fmt: skip


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_resumed_run_sees_the_batches_it_would_have_seen(
    prepared: GlyphStore, tmp_path: Path, accumulate: int
) -> None:
    options = {"accumulate_grad_batches": accumulate}
    whole, first, second = Recorder(), Recorder(), Recorder()
    trainer(tmp_path, 9, **options).fit(whole, module(prepared))
    part = trainer(tmp_path, 4, **options)
    part.fit(first, module(prepared))
    part.save_checkpoint(tmp_path / "part.ckpt")
    rest = trainer(tmp_path, 9, **options)
    rest.fit(second, module(prepared), ckpt_path=tmp_path / "part.ckpt", weights_only=True)
    assert len(whole.seen) == 9 * accumulate and len(first.seen) == 4 * accumulate
    assert first.seen + second.seen == whole.seen


def test_short_epochs_do_not_repeat_batches(prepared: GlyphStore, tmp_path: Path) -> None:
    whole, chopped = Recorder(), Recorder()
    trainer(tmp_path, 9).fit(whole, module(prepared))
    trainer(tmp_path, 9, limit_train_batches=3).fit(chopped, module(prepared))
    assert chopped.seen == whole.seen


def test_a_trainer_tests_every_clip_once(prepared: GlyphStore, tmp_path: Path) -> None:
    model = Recorder()
    trainer(tmp_path, 1).test(model, module(prepared), verbose=False)
    assert model.tested == list(range(10))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "glyphs: batch_size is 0; expected 1 or more"),
        ({"num_workers": -1}, "glyphs: num_workers is -1"),
        ({"seed": -1}, "glyphs: seed is -1"),
        ({"size": 31}, "glyphs: size is 31"),
    ],
)
def test_bad_options_are_named(prepared: GlyphStore, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        module(prepared, **options)


def test_a_batch_larger_than_the_data_is_an_error(prepared: GlyphStore) -> None:
    with pytest.raises(UserError, match="24 training clips do not fill one batch of 25"):
        module(prepared, batch_size=25).train_dataloader()
