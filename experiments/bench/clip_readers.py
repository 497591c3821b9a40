"""Ways to read one random training clip from a video file: this project's, its floor, and what others do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from data_modules.clips.augment import Augmentation, CropView
from data_modules.clips.sampling import FrameSampling
from data_modules.decode.frames import open_video
from data_modules.decode.packets import index_packets
from data_modules.decode.reader import decode_by_rank, read_clip
from vjepa.errors import UserError

_MEAN = 255 * torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1, 1)
_STD = 255 * torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1, 1)


@dataclass(frozen=True)
class ClipJob:
    """One clip to read.

    Args:
        path: of the video.
        seed: of the start and of the crop.
        sampling: of the frames.
        size: height and width of the clip.
    """

    path: Path
    seed: int
    sampling: FrameSampling
    size: int

    def choose(self, num_frames: int, fps: float) -> NDArray[np.int64]:
        """Return the numbers of the frames."""
        return self.sampling.clip_indices(num_frames, fps, np.random.default_rng(self.seed))

    def view(self, height: int, width: int) -> CropView:
        """Return the crop."""
        return Augmentation().view(height, width, self.size, np.random.default_rng([self.seed, 1]))


Read = Callable[[ClipJob], Any]


def vjepa(job: ClipJob) -> NDArray[np.uint8]:
    """As training reads: exact frames, uint8 crop; the device normalises."""
    return read_clip(job.path, job.choose, job.view)


def decode_only(job: ClipJob, look_ahead: bool = False) -> int:
    """The same frames decoded and thrown away: nothing that decodes them by this library can be faster.

    As in ``read_clip``, a file whose packets do not tell its order is looked at twice, then decoded from its start.

    Returns:
        How many different frames the clip has.
    """
    with open_video(job.path, look_ahead) as (container, stream):
        index = index_packets(job.path, container, stream, look_ahead)
        wanted = set(job.choose(index.num_frames, index.native_fps).tolist())
        if index.ranks:
            return sum(1 for _ in decode_by_rank(stream, index, wanted))
        if look_ahead:
            frames = (frame for packet in (*index.packets, None) for frame in stream.codec_context.decode(packet))
            return sum(number in wanted for number, _ in zip(range(max(wanted) + 1), frames))
    return decode_only(job, look_ahead=True)


def pyav_float(job: ClipJob) -> Tensor:
    """The plain way: decode from the start, convert every frame, crop and normalise in float."""
    with av.open(str(job.path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        rate = container.streams.video[0].average_rate
    return _float_crop(job, np.stack([frames[number] for number in job.choose(len(frames), float(rate or 0))]))


def decord_readers() -> dict[str, Read]:
    """Readers that use decord, by name; none if it is not installed."""
    try:
        import decord
    except ImportError:
        return {}

    def frames(job: ClipJob) -> NDArray[np.uint8]:
        video = decord.VideoReader(str(job.path), num_threads=1, ctx=decord.cpu(0))
        video.seek(0)
        wanted = job.choose(len(video), float(video.get_avg_fps()))
        return np.asarray(video.get_batch(wanted).asnumpy())

    def uint8_crop(job: ClipJob) -> NDArray[np.uint8]:
        whole = frames(job)
        view = job.view(*whole.shape[1:3])
        out = np.empty((len(whole), job.size, job.size, 3), np.uint8)
        for number, frame in enumerate(whole):
            out[number] = view(frame)
        return out

    return {"decord, float crop": lambda job: _float_crop(job, frames(job)), "decord, uint8 crop": uint8_crop}


def _float_crop(job: ClipJob, frames: NDArray[np.uint8]) -> Tensor:
    """Crop, resize, mirror and normalise in float, as the study does: (F, H, W, 3) -> (3, F, size, size)."""
    view = job.view(*frames.shape[1:3])
    clip = torch.from_numpy(frames).float().permute(3, 0, 1, 2)
    clip = clip[:, :, view.top : view.top + view.height, view.left : view.left + view.width]
    clip = interpolate(clip, (job.size, job.size), mode="bilinear", align_corners=False)
    return ((clip.flip(-1) if view.flip else clip) - _MEAN) / _STD


def checked(read: Read, job: ClipJob, name: str) -> None:
    """Read a clip once.

    Raises:
        UserError: it fails.
    """
    try:
        read(job)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{job.path}: {name} cannot read it ({type(error).__name__}: {error}); leave it out") from error
