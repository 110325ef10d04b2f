"""Images of every kind, read or refused."""

from __future__ import annotations

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from scanwise.errors import DataError
from scanwise.sources import read_image

GREY = np.array([[0, 51, 255], [102, 204, 153]], dtype=np.uint8)
COLOUR = np.stack([GREY, 255 - GREY, GREY // 3], axis=-1)


def save(image, path, **options):
    image.save(path, **options)
    return path


def png(path, width, height, depth, kind, rows):
    """A PNG written by hand: what Pillow cannot write."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_grey_becomes_one_channel_in_0_to_1(tmp_path, suffix):
    pixels = read_image(save(Image.fromarray(GREY), tmp_path / f"a.{suffix}"))
    assert pixels.dtype == np.float32
    assert pixels.shape == (1, 2, 3)
    np.testing.assert_array_equal(pixels[0], GREY / np.float32(255))


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_colour_becomes_three_channels_first(tmp_path, suffix):
    pixels = read_image(save(Image.fromarray(COLOUR), tmp_path / f"a.{suffix}"))
    np.testing.assert_array_equal(pixels, COLOUR.transpose(2, 0, 1) / np.float32(255))


def test_jpeg_is_read_about_as_it_was_saved(tmp_path):
    smooth = np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[None], 16, axis=0)
    pixels = read_image(save(Image.fromarray(smooth), tmp_path / "a.jpg", quality=95))
    np.testing.assert_allclose(pixels[0], smooth / 255, atol=0.02)


def test_sixteen_bits_keep_their_precision(tmp_path):
    values = np.array([[0, 1, 65535, 40000]], dtype=np.uint16)
    for name in ("a.png", "a.tif"):
        pixels = read_image(save(Image.fromarray(values), tmp_path / name))
        np.testing.assert_array_equal(pixels[0], values / np.float32(65535))


def test_one_bit_is_0_or_1(tmp_path):
    for name in ("a.png", "a.tif"):
        pixels = read_image(save(Image.fromarray(GREY > 100), tmp_path / name))
        np.testing.assert_array_equal(pixels[0], GREY > 100)


def test_a_palette_becomes_colour(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8)).convert("P")
    image.putpalette([255, 0, 0, 0, 0, 51])
    for name in ("a.png", "a.gif"):
        pixels = read_image(save(image, tmp_path / name))
        np.testing.assert_array_equal(pixels[:, 0, 0], np.float32([1, 0, 0]))
        np.testing.assert_array_equal(pixels[:, 0, 1], np.float32([0, 0, 0.2]))


def test_floating_point_pixels_are_taken_as_they_are(tmp_path):
    values = np.array([[-3.5, 1e6]], dtype=np.float32)
    np.testing.assert_array_equal(read_image(save(Image.fromarray(values), tmp_path / "a.tif"))[0], values)


def test_opaque_alpha_is_dropped(tmp_path):
    for mode, channels in (("LA", 1), ("RGBA", 3)):
        image = Image.fromarray(COLOUR).convert(mode)
        assert read_image(save(image, tmp_path / f"{mode}.png")).shape == (channels, 2, 3)


def test_of_several_frames_the_first_is_read(tmp_path):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    for name in ("a.gif", "a.tif"):
        path = save(frames[0], tmp_path / name, save_all=True, append_images=frames[1:])
        np.testing.assert_array_equal(read_image(path)[-1], GREY / np.float32(255))


def test_the_name_does_not_tell_the_format(tmp_path):
    save(Image.fromarray(GREY), tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert read_image(tmp_path / "a.jpg").shape == (1, 2, 3)


def test_a_large_image_is_read_without_touching_pillows_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert read_image(save(Image.fromarray(GREY), tmp_path / "a.png")).shape == (1, 2, 3)
    assert not caught
    assert Image.MAX_IMAGE_PIXELS == 4


def transparent(path):
    return save(Image.new("RGBA", (2, 2), (1, 2, 3, 254)), path.with_suffix(".png"))


def transparent_colour(path):
    return save(Image.new("L", (2, 2), 7), path.with_suffix(".png"), transparency=7)


def truncated(path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    data = save(Image.fromarray(noise), path.with_suffix(".png")).read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def flipped(path):
    data = bytearray(save(Image.fromarray(GREY), path.with_suffix(".png")).read_bytes())
    data[45] ^= 255
    path.write_bytes(data)
    return path


def bomb(path):
    return png(path, 100_000, 100_000, 8, 0, b"\0")


def written(data):
    def write(path):
        path.write_bytes(data)
        return path

    return write


def folder(path):
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda path: path, "no such file. Check the path"),
        (folder, "is a folder, not a file"),
        (written(b""), "the file is empty"),
        (written(b"hello, I am a text"), "not an image that can be read. Convert it to one of PNG, JPEG"),
        (written(b"RIFF\0\0\0\0WEBPVP8 "), "not an image that can be read"),
        (truncated, "damaged or truncated image"),
        (flipped, "damaged or truncated image"),
        (written(b"\xff\xd8\xff\xe0 no more"), "damaged or truncated image"),
        (written(b"GIF89a"), "damaged or truncated image"),
        (bomb, r"bytes would unpack to 10,000,000,000, more than 100 times as many"),
        (transparent, "parts of the image are transparent. Flatten it"),
        (transparent_colour, "parts of the image are transparent"),
        (lambda path: png(path, 1, 1, 16, 2, bytes(7)), "16 bits a colour would be cut to 8"),
        (lambda path: save(Image.new("CMYK", (2, 2)), path, format="TIFF"), "pixels of kind CMYK"),
        (lambda path: save(Image.new("I", (2, 2)), path, format="TIFF"), "pixels of kind I "),
        (
            lambda path: save(Image.new("F", (2, 2), np.nan), path, format="TIFF"),
            r"4 of 4 values are NaN.*\[0, 0, 0\]",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line_that_names_the_file(tmp_path, make, text):
    path = make(tmp_path / "image")
    with pytest.raises(DataError, match=text) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_may_not_be_opened_says_so(tmp_path, monkeypatch):
    path = save(Image.fromarray(GREY), tmp_path / "a.png")
    monkeypatch.setattr("pathlib.Path.open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "denied")))
    with pytest.raises(DataError, match=r"cannot be opened \(denied\). Check its name and permissions"):
        read_image(path)


@pytest.mark.parametrize("seed", range(60))
def test_damaged_bytes_never_raise_anything_else(tmp_path, seed):
    generator = np.random.default_rng(seed)
    name = ("a.png", "a.tif", "a.gif", "a.bmp", "a.jpg")[seed % 5]
    data = bytearray(save(Image.fromarray(COLOUR.repeat(5, axis=0)), tmp_path / name).read_bytes())
    for place in generator.integers(0, len(data), 1 + seed // 5):
        data[place] = generator.integers(0, 256)
    (tmp_path / name).write_bytes(data)
    try:
        assert read_image(tmp_path / name).dtype == np.float32
    except DataError as error:
        assert name in str(error)  # noqa: PT017 - either outcome is right
