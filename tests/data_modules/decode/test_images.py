"""Images of every kind the benchmarks hold become RGB; broken ones are named."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from data_modules.decode import frames
from data_modules.decode.frames import BrokenVideo
from data_modules.decode.images import is_image, read_image


@pytest.fixture
def colours() -> NDArray[np.uint8]:
    """Red left, blue right, dark below: tells channels and directions apart."""
    image = np.zeros((40, 60, 3), np.uint8)
    image[:, :30, 0] = image[:, 30:, 2] = 200
    image[30:] //= 4
    return image


@pytest.mark.parametrize("name", ["a.png", "a.JPG", "a.jpeg"])
def test_colours_come_back_as_rgb(name: str, colours: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / name
    Image.fromarray(colours).save(path, quality=100)
    image = read_image(path)
    assert is_image(path) and image.shape == (40, 60, 3) and image.dtype == np.uint8
    for place in ((5, 5), (5, 55), (35, 5)):
        assert np.abs(image[place].astype(int) - colours[place]).max() <= 6


@pytest.mark.parametrize(
    ("mode", "name"),
    [("L", "a.jpg"), ("L", "a.png"), ("LA", "a.png"), ("RGBA", "a.png"), ("P", "a.png"), ("CMYK", "a.jpg")],
)
def test_other_colour_models_become_rgb(mode: str, name: str, colours: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / name
    source = Image.fromarray(colours).convert(mode)
    source.save(path)
    expected = np.asarray(source.convert("RGB")).astype(int)
    image = read_image(path).astype(int)
    assert image.shape == (40, 60, 3)
    for place in ((5, 5), (5, 55), (35, 5)):
        assert np.abs(image[place] - expected[place]).max() <= 12


def test_a_png_in_a_jpeg_name_is_read(colours: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "n02105855_2933.JPEG"
    cv2.imwrite(str(tmp_path / "a.png"), colours)
    path.write_bytes((tmp_path / "a.png").read_bytes())
    assert np.array_equal(read_image(path), colours[..., ::-1])


def test_orientation_is_applied(colours: NDArray[np.uint8], tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    Image.fromarray(colours).save(tmp_path / "a.jpg", quality=100, exif=exif)
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (60, 40, 3)
    assert np.abs(image.astype(int) - np.rot90(colours, -1)).mean() < 5


def with_thumbnail(data: bytes) -> bytes:
    """Put a whole little JPEG into the metadata, as cameras do."""
    segment = b"\xff\xe1" + (len(data) + 2).to_bytes(2, "big") + data
    return data[:2] + segment + data[2:]


@pytest.mark.parametrize("thumbnail", [False, True])
def test_a_truncated_jpeg_is_broken(thumbnail: bool, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / "a.jpg"
    Image.fromarray(noise).save(path)
    data = with_thumbnail(path.read_bytes()) if thumbnail else path.read_bytes()
    path.write_bytes(data)
    assert read_image(path).shape == (64, 64, 3)
    path.write_bytes(data + b"\0" * 100)  # padded, not broken
    assert read_image(path).shape == (64, 64, 3)
    path.write_bytes(data[:-300])
    with pytest.raises(BrokenVideo, match="truncated"):
        read_image(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"text\n", "neither JPEG nor PNG"), (b"\xff\xd8\xff\xd9", "truncated"), (None, "no such file")],
)
def test_broken_images_are_named(content: bytes | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BrokenVideo, match=reason) as caught:
        read_image(path)
    assert str(path) in str(caught.value)


def test_a_truncated_png_is_broken(colours: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(colours).save(path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(BrokenVideo, match="truncated"):
        read_image(path)


def test_videos_are_no_images() -> None:
    assert not is_image("a.mp4") and not is_image(Path("jpg/clip.avi"))


@pytest.mark.parametrize("name", ["large.png", "large.jpg", "progressive.jpg"])
def test_images_with_too_many_pixels_are_refused(
    name: str, colours: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    Image.fromarray(colours).save(path, **({"progressive": True} if "progressive" in name else {}))
    monkeypatch.setattr(frames, "MAX_PIXELS", 60 * 40)
    assert read_image(path).shape == (40, 60, 3)
    monkeypatch.setattr(frames, "MAX_PIXELS", 60 * 40 - 1)
    with pytest.raises(BrokenVideo, match=r"has 60 x 40 pixels, more than the 2,399"):
        read_image(path)
