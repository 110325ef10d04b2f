"""What the user names, whatever it is: one input of a scan, or clips to learn from."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from scanwise.sources._arrays import ARRAY_SUFFIXES, read_array
from scanwise.sources._clips import Clips, read_arrays
from scanwise.sources._files import finite_float32, problem
from scanwise.sources._folder import read_image_folder
from scanwise.sources._images import IMAGE_SUFFIXES, read_image

__all__ = ["read_clips", "read_input"]


def read_input(path: str | os.PathLike[str], *, axes: int | None = None) -> tuple[np.ndarray, str]:
    """Read an image or an array to be scanned.

    Parameters
    ----------
    path
        An image (`read_image`) or a `.npy` or `.npz` file of one array; the suffix tells which.
    axes
        Axes of space the caller expects. An array of that many dimensions gets a channel axis; one more is
        taken to be `(channels, *space)`. None takes every array as `(channels, *space)`, and one dimension as
        `(space,)`.

    Returns
    -------
    ndarray
        float32, `(channels, *space)`. Images are scaled to [0, 1], arrays are taken as they are.
    str
        ``"image"`` or ``"array"``.

    Raises
    ------
    DataError
        As `read_image` and `read_array` do, and when the suffix is of neither, or the array has the wrong
        number of dimensions, no values, or holds NaN or infinity.
    """
    suffix = Path(path).suffix.lower()
    if suffix in ARRAY_SUFFIXES:
        return _channels_first(read_array(path), axes, path), "array"
    if suffix in IMAGE_SUFFIXES or not Path(path).exists():
        return read_image(path), "image"
    known = " ".join(ARRAY_SUFFIXES + IMAGE_SUFFIXES)
    raise problem(path, f"files of kind {suffix or '(no suffix)'!r} are not read", f"Convert it to one of {known}")


def _channels_first(array: np.ndarray, axes: int | None, path: str | os.PathLike[str]) -> np.ndarray:
    if array.dtype.kind not in "biuf":
        raise problem(path, f"holds {array.dtype}, not numbers", "Save numbers")
    if array.ndim == (1 if axes is None else axes):
        array = array[None]
    if array.ndim - 1 != (axes or array.ndim - 1) or array.ndim not in (2, 3):
        wanted = "one or two" if axes is None else axes
        what = f"must be (channels, *space) with {wanted} axes of space; has shape {array.shape}"
        raise problem(path, what, "Reshape it")
    if array.size == 0:
        raise problem(path, f"holds no values, shape {array.shape}", "Save it again")
    return finite_float32(array, path)


def read_clips(path: str | os.PathLike[str]) -> Clips:
    """Read clips from a folder of images per class (`read_image_folder`) or a `.npz` archive (`read_arrays`).

    Raises
    ------
    DataError
        When `path` is neither, or as those do.
    """
    path = Path(path)
    if path.is_dir():
        return read_image_folder(path)
    if path.suffix.lower() == ".npz" or not path.exists():
        return read_arrays(path)
    remedy = "Give a folder of images per class, or a .npz with x and y"
    raise problem(path, "neither a folder nor a .npz file", remedy)
