"""Cached features are found again, and only where nothing that decides them has changed."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.evaluation.encoders import PixelEncoder
from experiments.evaluation.features.cache import FeatureCache
from experiments.evaluation.features.sources import TokenSource, make_source
from experiments.evaluation.ranks import Ranks
from tests.experiments.evaluation.features.clips import KEY, CountingEncoder, MadeClips, made_cache, made_subject
from vjepa.errors import UserError

INDICES = torch.arange(30)


def make(
    cache: FeatureCache,
    dataset: MadeClips,
    digest: str = "cafe",
    encoder: CountingEncoder | None = None,
    **options: Any,
) -> tuple[TokenSource, list[str], int]:
    """A source, what was said, and the number of clips that were encoded."""
    said: list[str] = []
    subject, own = made_subject(digest)
    if encoder is not None:
        own, subject = encoder, replace(subject, encoder=encoder)
    before = own.num_encoded
    options = {
        "indices": INDICES,
        "needs_tokens": False,
        "batch_size": 4,
        "progress": False,
        "memory_limit": 0,
        **options,
    }
    indices = options.pop("indices")
    source = make_source(subject, dataset, indices, cache=cache, say=said.append, **options)
    return source, said, own.num_encoded - before


def only(folder: Path, kind: str = "means", end: str = "features") -> Path:
    (path,) = folder.glob(f"{kind}-*.{end}")
    return path


def test_what_was_made_is_not_made_again(tmp_path: Path) -> None:
    cache, dataset = made_cache(tmp_path), MadeClips(30)
    first, _, encoded = make(cache, dataset, needs_tokens=True)
    assert encoded == 30 + 1  # one to see how large tokens are
    num_read = dataset.num_read
    second, said, encoded = make(cache, dataset)
    assert said == ["it, made train: 30 clips; means cached"]
    assert (encoded, dataset.num_read - num_read) == (0, 0)
    assert torch.equal(first.time(), second.time())
    third, said, encoded = make(cache, dataset, needs_tokens=True)
    assert said == ["it, made train: 30 clips; means cached; tokens cached"]
    assert encoded == 1
    assert torch.equal(first.batch(slice(None)), third.batch(slice(None)))


@pytest.mark.parametrize(
    ("key", "digest", "options"),
    [
        (replace(KEY, manifest_hash="other"), "cafe", {}),
        (replace(KEY, name="other"), "cafe", {}),
        (replace(KEY, num_frames=8), "cafe", {}),
        (replace(KEY, size=16), "cafe", {}),
        (KEY, "other", {}),
        (KEY, "cafe", {"indices": torch.arange(29)}),
        (KEY, "cafe", {"indices": torch.arange(30).flip(0)}),
        (KEY, "cafe", {"split": "val"}),
    ],
)
def test_anything_that_decides_features_makes_them_anew(
    tmp_path: Path, key: Any, digest: str, options: dict[str, Any]
) -> None:
    make(made_cache(tmp_path), MadeClips(30))
    dataset = MadeClips(30, split=options.pop("split", "train"))
    _, said, encoded = make(made_cache(tmp_path, key=key), dataset, digest, **options)
    assert encoded >= 29
    assert "means are made" in said[0]
    assert len(list(tmp_path.glob("means-*.features"))) == 2


def rewrite_footer(path: Path, **changes: Any) -> None:
    content = path.read_bytes()
    length = int.from_bytes(content[-16:-8], "little")
    text = json.dumps(json.loads(content[-16 - length : -16]) | changes).encode()
    path.write_bytes(content[: -16 - length] + text + len(text).to_bytes(8, "little") + content[-8:])


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))


DAMAGE = {
    "another version": (lambda path: rewrite_footer(path, version=0), r"has format 0, and this is format 1"),
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:-100]), "is torn"),
    "cut in front": (lambda path: path.write_bytes(path.read_bytes()[100:]), "is torn"),
    "empty": (lambda path: path.write_bytes(b""), "is torn"),
    "a wrong bit": (lambda path: flip(path, 1000), "is torn"),
    "a wrong footer": (lambda path: rewrite_footer(path, shape=[29, 2, 96]), "is torn"),
    "no shape": (lambda path: rewrite_footer(path, shape=None), "is torn"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_cannot_be_used_is_said_and_made_again(tmp_path: Path, damage: str) -> None:
    cache, dataset = made_cache(tmp_path), MadeClips(30)
    whole, _, _ = make(cache, dataset)
    expected = whole.time()
    del whole
    apply, words = DAMAGE[damage]
    apply(only(tmp_path))
    again, said, encoded = make(cache, dataset)
    assert len(said) == 2
    assert str(only(tmp_path)) in said[0]
    assert words in said[0]
    assert encoded == 31
    assert torch.equal(again.time(), expected)
    assert make(cache, dataset)[2] == 0


def test_rows_of_another_shape_are_said_and_made_again(tmp_path: Path) -> None:
    cache, dataset = made_cache(tmp_path), MadeClips(30)
    make(cache, dataset)

    class Wide(CountingEncoder):
        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            return super().forward(frames).repeat(1, 1, 1, 2)

    source, said, _ = make(cache, dataset, encoder=Wide(), needs_tokens=True)
    assert "has rows of shape (2, 96), not (2, 192)" in said[0]
    assert source.time().shape == (30, 2, 192)


def test_clips_that_were_mended_are_taken_in(tmp_path: Path) -> None:
    cache = made_cache(tmp_path)
    assert len(make(cache, MadeClips(30, (4, 9)))[0]) == 28
    source, said, _ = make(cache, MadeClips(30, (9,)))
    assert "lacks 1 clips that can be read by now" in said[0]
    assert source.excluded.tolist() == [9]


def test_clips_that_broke_later_are_left_out_of_what_is_cached(tmp_path: Path) -> None:
    cache = made_cache(tmp_path)
    make(cache, MadeClips(30))
    source, _, _ = make(cache, MadeClips(30, (4,)), needs_tokens=True)
    assert source.excluded.tolist() == [4]
    expected = PixelEncoder(4, 2)(MadeClips(30).frames[source.index])
    assert torch.equal(source.time(), expected.mean(2))
    assert torch.equal(source.batch(slice(None)), expected.half())


@pytest.mark.parametrize("torn", [False, True])
def test_what_was_broken_off_goes_on(tmp_path: Path, torn: bool) -> None:
    # There is room for these tokens once: a part that is gone on with takes no room beside itself.
    cache, dataset = made_cache(tmp_path, disk_limit=47_000), MadeClips(30, (2, 20))
    _, encoder = made_subject()
    encoder.fails_after = 14
    with pytest.raises(KeyboardInterrupt):
        make(cache, dataset, encoder=encoder, needs_tokens=True)
    assert not list(tmp_path.glob("*.features"))
    lines = next(tmp_path.glob("means-*.jsonl")).read_text().split("\n")
    finished = sum(line.startswith("{") for line in lines)
    assert finished >= 3
    if torn:
        flip(only(tmp_path, end="4.part"), 3)  # the first chunk
        record = next(tmp_path.glob("tokens-*.jsonl"))
        record.write_text(record.read_text()[:-30])  # killed while it listed the last one
    encoder.fails_after = None
    source, _, encoded = make(cache, MadeClips(30, (2, 20)), encoder=encoder, needs_tokens=True)
    remaining = 30 - 4 * (finished - 2 * torn)
    assert remaining - 2 <= encoded <= remaining + 2
    expected = PixelEncoder(4, 2)(dataset.frames[source.index])
    assert source.excluded.tolist() == [2, 20]
    assert torch.equal(source.time(), expected.mean(2))
    assert torch.equal(source.batch(slice(None)), expected.half())
    assert not list(tmp_path.glob("*.part*"))


def ranks(world: int) -> list[Ranks]:
    barrier = threading.Barrier(world, timeout=20)
    return [Ranks(rank, world, lambda: [barrier.wait(), None][1]) for rank in range(world)]


@pytest.mark.parametrize(("disk_limit", "memory_limit"), [(2**30, 0), (25_000, 0), (2**30, 2**30)])
def test_several_processes_share_the_work_and_agree(tmp_path: Path, disk_limit: int, memory_limit: int) -> None:
    alone, _, _ = make(made_cache(tmp_path / "one", disk_limit), MadeClips(30, (2, 20)), needs_tokens=True)
    datasets = [MadeClips(30, (2, 20)) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        found = list(
            pool.map(
                lambda each: make(
                    made_cache(tmp_path / "three", disk_limit),
                    each[1],
                    ranks=each[0],
                    needs_tokens=True,
                    memory_limit=memory_limit,
                ),
                zip(ranks(3), datasets, strict=True),
            )
        )
    for (source, said, encoded), dataset, rank in zip(found, datasets, range(3), strict=True):
        assert torch.equal(source.time(), alone.time())
        assert torch.equal(source.batch(slice(None)), alone.batch(slice(None)))
        assert torch.equal(source.index, alone.index)
        assert encoded <= 13
        assert len(dataset.broken) == 2
        assert (len(said) == 1) == (rank == 0)
    assert {path.name for path in (tmp_path / "one").glob("*.features")} == {
        path.name for path in (tmp_path / "three").glob("*.features")
    }


def test_all_processes_hear_of_an_error_of_the_first(tmp_path: Path) -> None:
    def run(each: Ranks) -> str:
        with pytest.raises(UserError) as caught:
            make(made_cache(tmp_path), MadeClips(30, tuple(range(30))), ranks=each)
        return str(caught.value)

    with ThreadPoolExecutor(2) as pool:
        assert (
            list(pool.map(run, ranks(2)))
            == ["it, made train: all 30 clips are broken; check the data root and the files"] * 2
        )


def test_tokens_make_room_for_one_another_but_not_while_they_are_in_use(tmp_path: Path) -> None:
    size = 30 * 2 * 4 * 96 * 2
    cache, dataset = made_cache(tmp_path, disk_limit=2 * size + 5000), MadeClips(30)
    first, _, _ = make(cache, dataset, "a", needs_tokens=True)
    oldest = only(tmp_path, "tokens")
    second, _, _ = make(cache, dataset, "b", needs_tokens=True)
    _, said, _ = make(cache, dataset, "c", needs_tokens=True)  # both are in use
    assert "fit nowhere" in said[0]
    (name,) = {path.name for path in tmp_path.glob("tokens-*.features")} - {oldest.name}
    del second  # the oldest is still in use
    third, said, _ = make(cache, dataset, "d", needs_tokens=True)
    assert "on disk" in said[0]
    assert not (tmp_path / name).exists()
    assert len(list(tmp_path.glob("tokens-*.features"))) == 2
    assert len(list(tmp_path.glob("means-*.features"))) == 4
    assert oldest.exists()
    assert len(first) == len(third) == 30


def test_a_full_disk_is_seen_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FeatureCache, "free_disk", lambda self: 2**30 + 1000)
    _, said, _ = make(made_cache(tmp_path), MadeClips(30), needs_tokens=True)
    assert "fit nowhere (memory 0.00 GiB, disk 0.00 GiB)" in said[0]


def test_two_evaluations_at_once_make_a_file_once(tmp_path: Path) -> None:
    class Slow(CountingEncoder):
        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            time.sleep(0.02)
            return super().forward(frames)

    encoders = [Slow(), Slow()]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda encoder: make(made_cache(tmp_path), MadeClips(30), encoder=encoder), encoders))
    assert sorted(encoded for _, _, encoded in found)[0] <= 1
    assert torch.equal(found[0][0].time(), found[1][0].time())
    assert any("another process makes means-" in line for _, said, _ in found for line in said)
