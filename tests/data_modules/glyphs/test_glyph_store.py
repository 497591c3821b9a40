"""Files on disk: real video, reproducible, resumable, and repaired when damaged."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from data_modules.decode.frames import BrokenVideo, decode_video
from data_modules.encode.mp4 import encode_mp4
from data_modules.generated import store as store_module
from data_modules.glyphs.draw import draw_clip
from data_modules.glyphs.spec import SPLITS, GlyphSpec
from data_modules.glyphs.store import GlyphStore
from vjepa.errors import UserError
from vjepa.storage import digest_file

ROOT = Path(__file__).parents[3]


def files(store: GlyphStore) -> dict[str, str]:
    return {path.name: digest_file(path) for path in sorted(store.folder.rglob("*.mp4"))}


def test_clips_are_real_h264_files_of_the_drawn_frames(prepared: GlyphStore) -> None:
    for index in range(6):
        path = prepared.path("train", index)
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
            assert (stream.width, stream.height, stream.frames) == (32, 32, 8)
        drawn = draw_clip(prepared.spec, "train", index).astype(float)
        error = np.mean((decode_video(path, 8) - drawn) ** 2)
        assert 10 * np.log10(255**2 / error) > 27, "PSNR; most of the loss is the halved colour"


def test_the_manifest_lists_every_file(prepared: GlyphStore) -> None:
    content = json.loads(prepared.manifest_path.read_text())
    assert content["hash"] == prepared.hash()
    assert content["spec"]["train_clips"] == 24
    assert {split: len(content["splits"][split]) for split in SPLITS} == {"train": 24, "val": 8, "test": 10}
    first = content["splits"]["train"][0]
    assert first["id"] == "train-000000" and first["labels"] == {"appearance": 0, "motion": 0, "order": -1}
    assert first["bytes"] == prepared.path("train", 0).stat().st_size
    assert first["blake2b"] == digest_file(prepared.path("train", 0))


def test_two_stores_write_the_same_bytes(prepared: GlyphStore, store: GlyphStore) -> None:
    assert store.prepare() == prepared.hash()
    assert files(store) == files(prepared)


def test_a_second_prepare_writes_nothing(store: GlyphStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first = store.prepare()
    store.open("val")
    monkeypatch.setattr(store_module, "encode_mp4", None)
    monkeypatch.setattr(store_module, "decode_video", None)
    before = {path: path.stat().st_mtime_ns for path in store.folder.rglob("*")}
    again = GlyphStore(store.spec, store.folder.parent)
    assert again.prepare() == first
    assert len(again.open("val")) == 8
    assert {path: path.stat().st_mtime_ns for path in store.folder.rglob("*")} == before


def test_an_interrupted_run_continues(prepared: GlyphStore, store: GlyphStore, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def interrupt(*arguments: Any) -> bytes:
        drawn.append(1)
        if len(drawn) == 11:
            raise KeyboardInterrupt
        return encode_mp4(*arguments)

    monkeypatch.setattr(store_module, "encode_mp4", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.prepare()
    assert not store.manifest_path.exists() and store.hash() is None
    assert len(files(store)) == 10
    (store.folder / "train" / ".train-000010.mp4.x.part").write_bytes(b"left by a killed process")
    store.path("train", 3).write_bytes(store.path("train", 3).read_bytes()[:-300])
    assert store.prepare() == prepared.hash()
    assert files(store) == files(prepared)
    assert len(drawn) == 11 + 32 + 1, "only what is missing, or not whole, is drawn"
    assert list(store.folder.rglob("*.part")) == []


def corrupt(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def test_damaged_clips_are_drawn_again_with_one_warning(store: GlyphStore, caplog: pytest.LogCaptureFixture) -> None:
    store.prepare()
    before = files(store)
    corrupt(store.path("train", 4))
    store.path("test", 2).unlink()
    store.path("val", 1).write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        store.prepare()
    assert files(store) == before
    (record,) = caplog.records
    assert "3 missing or damaged clip(s)" in record.message and "train-000004" in record.message


def test_damage_after_prepare_is_found_when_decoding(prepared: GlyphStore, store: GlyphStore) -> None:
    store.prepare()
    corrupt(store.path("val", 0))
    ours, theirs = store.open("val"), prepared.open("val")
    assert (ours.fetch(range(8)).frames == theirs.fetch(range(8)).frames).all()


def test_a_clip_that_cannot_be_drawn_as_it_was_is_an_error(store: GlyphStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.prepare()
    store.path("val", 1).unlink()
    monkeypatch.setattr(store_module, "encode_mp4", lambda *_: b"another encoder")
    with pytest.raises(BrokenVideo, match=r"remove .* to write the benchmark anew"):
        store.prepare()
    assert not store.path("val", 1).exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"hash": "0", "splits": {}}'])
def test_a_broken_manifest_is_written_anew(store: GlyphStore, content: str) -> None:
    first = store.prepare()
    store.manifest_path.write_text(content)
    assert store.hash() is None
    assert store.prepare() == first == store.hash()


def test_a_manifest_with_a_changed_checksum_is_not_believed(store: GlyphStore) -> None:
    first = store.prepare()
    manifest = store.manifest_path.read_text()
    entry = json.loads(manifest)["splits"]["train"][0]["blake2b"]
    store.manifest_path.write_text(manifest.replace(entry, "0" * 32))
    assert store.prepare() == first


def test_opened_clips_are_the_decoded_files(prepared: GlyphStore) -> None:
    data = prepared.open("test")
    clip = data.fetch(range(10))
    assert len(data) == 10 and data.video_ids[3] == "test-000003"
    for index in range(10):
        assert np.array_equal(clip.frames[index].numpy(), decode_video(prepared.path("test", index)))
    assert clip.labels[:3].tolist() == [[0, 0, -1], [0, -1, 0], [0, 1, -1]]


def test_truncated_decoded_frames_are_rebuilt(store: GlyphStore) -> None:
    whole = store.open("val").fetch(range(8)).frames
    (decoded,) = (store.folder / "decoded").glob("val-*.npy")
    decoded.write_bytes(decoded.read_bytes()[:5000])
    assert (store.open("val").fetch(range(8)).frames == whole).all()


def test_an_unwritable_cache_is_named_with_the_fix(spec: GlyphSpec, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="VJEPA_CACHE") as caught:
        GlyphStore(spec, tmp_path / "file").prepare()
    assert str(tmp_path / "file") in str(caught.value)


def test_a_finished_cache_needs_no_writing(
    prepared: GlyphStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared.open("val")
    shutil.copytree(prepared.folder, tmp_path / prepared.folder.name)

    def refuse(folder: Path) -> None:
        raise AssertionError(f"took the lock of {folder}")

    monkeypatch.setattr(store_module, "writing_to_cache", refuse)
    copied = GlyphStore(prepared.spec, tmp_path)
    assert copied.prepare() == prepared.hash() and len(copied.open("val")) == 8


def test_two_processes_may_prepare_at_once(prepared: GlyphStore, tmp_path: Path) -> None:
    script = """
        import sys
        from pathlib import Path
        from data_modules.glyphs.spec import GlyphSpec
        from data_modules.glyphs.store import GlyphStore

        store = GlyphStore(GlyphSpec(train_clips=24, val_clips=8, test_clips=10), Path(sys.argv[1]))
        print(store.prepare(), int(store.open("val").fetch(range(8)).frames.sum()))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs[0] == outputs[1] and outputs[0].startswith(str(prepared.hash()))
