"""Images as float32 arrays in [0, 1], `(channels, height, width)`, by Pillow."""

from __future__ import annotations

import os
from typing import BinaryIO

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
)

from scanwise.errors import DataError
from scanwise.sources._files import check_unpacked, file_size, finite_float32, open_file, problem

__all__ = ["IMAGE_SUFFIXES", "read_image"]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif")
_PLUGINS = (PngImagePlugin, JpegImagePlugin, TiffImagePlugin, BmpImagePlugin, GifImagePlugin)
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF")
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "F")
_ALPHA = ("LA", "RGBA", "PA")


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a PNG, JPEG, TIFF, BMP or GIF image.

    Pixels stand in the file's own grid: a camera's orientation tag turns nothing. Of several frames or pages
    the first is read.

    Parameters
    ----------
    path
        The file; its first bytes, not its name, tell the format.

    Returns
    -------
    ndarray
        float32, `(channels, height, width)`, one channel for grey, three for colour, palettes and GIF.
        1-, 8- and 16-bit integers are scaled to [0, 1]; floating-point TIFFs are taken as they are. An alpha
        channel that is opaque everywhere is dropped.

    Raises
    ------
    DataError
        When the file is missing, empty, truncated or none of these formats; when it is transparent somewhere,
        when its colours are not grey or RGB, when Pillow would cut its precision or has no scale for its
        integers, when it holds NaN or infinity, or unpacks to far more than its own size.
    """
    with open_file(path) as stream:
        try:
            image = _open(stream, path)
            _check_readable(image, path)
            check_unpacked(path, file_size(stream), image.width * image.height * _bytes_a_pixel(image))
            pixels = _pixels(image, path)
        except (DataError, MemoryError):
            raise
        except Exception as error:  # a decoder given damaged bytes may raise nearly anything
            what = f"damaged or truncated image ({error})"
            raise problem(path, what, "Export it again or remove it") from error
    return finite_float32(pixels, path)


def _open(stream: BinaryIO, path: str | os.PathLike[str]) -> ImageFile.ImageFile:
    """What `Image.open` does, without its limit on pixels, which only a global setting could move."""
    prefix = stream.read(16)
    stream.seek(0)
    for name in _FORMATS:
        factory, accepts = Image.OPEN[name]
        if accepts is not None and accepts(prefix):
            return factory(stream, os.fspath(path))
    raise problem(path, "not an image that can be read", f"Convert it to one of {', '.join(_FORMATS)}")


def _check_readable(image: ImageFile.ImageFile, path: str | os.PathLike[str]) -> None:
    raw = _raw_mode(image)
    if image.mode not in _MODES and not raw.startswith("I;16"):
        what = f"pixels of kind {image.mode} ({raw}) are not read"
        raise problem(path, what, "Convert it to 8-bit grey or RGB, or save it as .npy")
    if raw.endswith("S"):
        raise problem(path, "signed integers have no agreed scale", "Save it as .npy")
    if ";16" in raw and not image.mode.startswith("I;16"):
        raise problem(path, "16 bits a colour would be cut to 8", "Convert it to 8 bits, or save it as .npy")


def _raw_mode(image: ImageFile.ImageFile) -> str:
    """How Pillow names the pixels as stored, such as ``RGB;16B``; `image.mode` is how it gives them."""
    if not image.tile:
        return image.mode
    arguments = image.tile[0].args
    raw = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return raw if isinstance(raw, str) else image.mode


def _bytes_a_pixel(image: ImageFile.ImageFile) -> int:
    if image.mode == "F":
        return 4
    return 2 if image.mode.startswith("I;16") else len(image.getbands())


def _pixels(image: ImageFile.ImageFile, path: str | os.PathLike[str]) -> np.ndarray:
    """Decode to `(channels, height, width)`, scaled."""
    image.load()
    plain: Image.Image = image
    if image.mode == "P" or image.format == "GIF":
        plain = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode == "PA" or "transparency" in image.info:
        plain = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    values = np.asarray(plain)
    if plain.mode in _ALPHA:
        if (values[..., -1] != 255).any():
            raise problem(path, "parts of the image are transparent", "Flatten it onto a background")
        values = values[..., :-1]
    if values.ndim == 2:
        values = values[..., None]
    scale = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1
    pixels = np.array(values.transpose(2, 0, 1), dtype=np.float32, order="C")
    pixels /= np.float32(scale)
    return pixels
