"""What the user names, whatever it is: one input of a scan, or clips to learn from."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from scanwise.sources._arrays import ARRAY_SUFFIXES, read_array
from scanwise.sources._clips import Clips, read_arrays
from scanwise.sources._files import finite_float32, open_file, problem
from scanwise.sources._images import IMAGE_SUFFIXES, read_image
from scanwise.sources._labelled import read_class_folder, read_labelled_manifest
from scanwise.sources._recordings import RECORDING_SUFFIXES
from scanwise.sources._signals import ANY_READING, Reading, Signal, read_recording

__all__ = ["read_clips", "read_input"]


def read_input(path: str | os.PathLike[str], *, axes: int | None = None, reading: Reading = ANY_READING) -> Signal:
    """Read an image, a recording or an array to be scanned.

    Parameters
    ----------
    path
        An image (`read_image`), a recording (`read_recording`), or a `.npy` or `.npz` file of one array; the
        suffix tells which.
    axes
        Axes of space the caller expects: 1 takes recordings, arrays among them; 2 takes images, and arrays
        `(height, width)` or `(channels, height, width)`. None takes all: an array as `(channels, *space)`, or
        as `(samples,)`.
    reading
        How recordings are to be read.

    Returns
    -------
    Signal
        Images are scaled to [0, 1], arrays are taken as they are.

    Raises
    ------
    DataError
        As those do, and when the suffix is of none of them, the file is no recording or no image where `axes`
        asks for one, or an array has the wrong number of dimensions, no values, or holds NaN or infinity.
    """
    suffix = Path(path).suffix.lower()
    if suffix in ARRAY_SUFFIXES and axes != 1:
        return Signal(_channels_first(read_array(path), axes, path))
    if suffix in RECORDING_SUFFIXES:
        if axes not in (None, 1):
            raise problem(path, "is a recording where an image is needed", "Name an image")
        return read_recording(path, reading)
    if suffix in IMAGE_SUFFIXES:
        if axes == 1:
            raise problem(path, "is an image where a recording is needed", "Name a recording")
        return Signal(read_image(path))
    open_file(path).close()
    fitting = {1: RECORDING_SUFFIXES, 2: IMAGE_SUFFIXES + ARRAY_SUFFIXES}
    known = " ".join(IMAGE_SUFFIXES + RECORDING_SUFFIXES if axes is None else fitting[axes])
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


def read_clips(path: str | os.PathLike[str], reading: Reading = ANY_READING) -> Clips:
    """Read clips that have a class each, or arrays.

    Parameters
    ----------
    path
        A folder with one folder per class, of images or of recordings: classes and files come in the order of
        their names, hidden files and those that are neither by their suffix are passed over. Or a manifest
        (`read_manifest`) with labels. Or a `.npz` of `x` and `y` (`read_arrays`).
    reading
        How recordings are to be read. Without a rate, that of most of them is needed.

    Returns
    -------
    Clips
        A file that cannot be read, stands outside a class folder, or has another rate or number of channels
        than is needed, is put into `failed`, and the others are read.

    Raises
    ------
    DataError
        When `path` is none of these or cannot be read, holds images as well as recordings, has no classes,
        or a class has no file that can be used.
    """
    path = Path(path)
    if path.is_dir():
        return read_class_folder(path, reading)
    if path.suffix.lower() == ".csv":
        return read_labelled_manifest(path, reading)
    if path.suffix.lower() == ".npz" or not path.exists():
        return read_arrays(path, reading.rate_hz)
    remedy = "Give a folder of images or recordings per class, a .csv that names them, or a .npz with x and y"
    raise problem(path, "neither a folder nor a .csv or .npz file", remedy)
