"""Memory of a loader process stays level over thousands of clips, of good files and broken ones."""

from __future__ import annotations

import os
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from data_modules.clips.augment import Augmentation
from data_modules.clips.loaders import use_one_thread
from data_modules.clips.sampling import FrameSampling
from data_modules.decode.frames import BrokenVideo
from data_modules.decode.reader import read_clip
from tests.data_modules.encoded import moving_frames, write_packed_avi, write_video

CLIPS, WARMUP = 2000, 200
MOST_MB = 20


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def read_one(path: Path, number: int) -> None:
    sampling, augmentation, rng = FrameSampling(8, frame_step=2), Augmentation(), np.random.default_rng(number)
    read_clip(
        path,
        lambda count, fps: sampling.clip_indices(count, fps, np.random.default_rng(number)),
        lambda height, width: augmentation.view(height, width, 112, rng),
    )


def read_many(paths: list[Path], answers: Connection) -> None:
    """Read clips in turn and send the memory in use after each hundred."""
    use_one_thread(0)
    used, num_broken = [], 0
    for number in range(WARMUP + CLIPS):
        try:
            read_one(paths[number % len(paths)], number)
        except BrokenVideo:
            num_broken += 1
        if number >= WARMUP and number % 100 == 0:
            used.append(resident_mb())
    answers.send((used, num_broken))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="memory is read from /proc")
def test_memory_is_level_over_2000_clips(tmp_path: Path) -> None:
    frames = moving_frames(40)
    paths = [
        write_video(tmp_path / "a.mp4", frames, options={"bf": "2"}),
        write_video(tmp_path / "b.webm", frames, "libvpx-vp9", {"deadline": "realtime"}),
        write_packed_avi(tmp_path / "c.avi", frames),
        write_video(tmp_path / "d.mpg", frames, "mpeg2video"),
        write_video(tmp_path / "e.mp4", frames),
    ]
    data = paths[4].read_bytes()
    place = data.index(b"mdat") + 1000
    paths[4].write_bytes(data[:place] + bytes(3000) + data[place + 3000 :])
    ours, theirs = get_context("forkserver").Pipe(duplex=False)
    worker = get_context("forkserver").Process(target=read_many, args=(paths, theirs))
    worker.start()
    assert ours.poll(300), "the process does not answer"
    used, num_broken = ours.recv()
    worker.join(30)
    assert num_broken == (WARMUP + CLIPS) // len(paths)
    assert len(used) == CLIPS // 100
    assert max(used) - used[0] <= MOST_MB, used
