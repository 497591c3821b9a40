"""Pictures as TensorBoard takes them."""

from __future__ import annotations

from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]

_RGB = 3


def image_summary(tag: str, data: bytes, height: int, width: int) -> Summary:
    """An image summary of a PNG or GIF file; TensorBoard plays a GIF.

    Args:
        tag: name.
        data: bytes of the file.
        height, width: of the picture, in pixels.

    Differs: ``SummaryWriter.add_video`` needs moviepy, and with its second version writes nothing.
    """
    image = Summary.Image(encoded_image_string=data, height=height, width=width, colorspace=_RGB)
    return Summary(value=[Summary.Value(tag=tag, image=image)])
