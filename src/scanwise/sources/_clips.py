"""Examples to learn from: clips of a pattern and what each shows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scanwise._checks import real
from scanwise.errors import ArgumentError
from scanwise.sources._arrays import read_members
from scanwise.sources._files import finite_float32, problem

__all__ = ["Clips", "read_arrays"]


@dataclass(frozen=True, eq=False)
class Clips:
    """Clips with their answers.

    Parameters
    ----------
    x
        float32; one array `(clips, channels, *space)` when all clips have one size, else a list of
        `(channels, *space)`. All have the same number of channels.
    y
        `(clips,)` int64 indices into `classes`; for regression float64, `(clips,)` or `(clips, outputs)`.
    classes
        Names of the classes, or None for regression.
    names
        One name a clip, for messages: its path within the folder, or ``file.npz[3]``.
    failed
        Files that could not be used, each with the reason.
    rate_hz
        Samples a second of all of them; None when nobody said, and of images.

    Raises
    ------
    ArgumentError
        When `x`, `y` and `names` differ in length, or `rate_hz` is not above 0.
    """

    x: np.ndarray | list[np.ndarray]
    y: np.ndarray
    classes: tuple[str, ...] | None
    names: tuple[str, ...]
    failed: tuple[tuple[str, str], ...] = ()
    rate_hz: float | None = None

    def __post_init__(self) -> None:
        lengths = (len(self.x), len(self.y), len(self.names))
        if len(set(lengths)) != 1:
            raise ArgumentError(f"x, y and names must have one length; got {lengths}. Give one of each a clip.")
        if self.rate_hz is not None:
            real("rate_hz", self.rate_hz, above=0)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def channels(self) -> int:
        """Channels of every clip."""
        return int(self.x[0].shape[0])


def read_arrays(path: str | os.PathLike[str], rate_hz: float | None = None) -> Clips:
    """Read clips from the arrays `x` and `y` of a `.npz` archive.

    Parameters
    ----------
    path
        The archive. `x` is `(clips, channels, *space)` with one or two axes of space, or `(clips, length)`
        for one channel; its numbers are taken as they are. `y` has a row for each clip: strings, integers or
        Booleans are classes (named and ordered by their values), floats are targets of a regression,
        `(clips,)` or `(clips, outputs)`.
    rate_hz
        Samples a second that clips of signals are taken to have; the archive does not say.

    Raises
    ------
    DataError
        As `read_array` does, and when `x` or `y` is missing, of a wrong shape or kind, empty, not equally
        long, or holds NaN or infinity.
    """
    arrays = read_members(path, names=("x", "y"))
    for name in ("x", "y"):
        if name not in arrays:
            remedy = "Save it with numpy.savez(path, x=..., y=...)"
            raise problem(path, f"holds no array named {name}", remedy)
    x, y = _examples(arrays["x"], path), arrays["y"]
    if y.ndim == 0 or len(y) != len(x):
        raise problem(path, f"x holds {len(x)} clips, but y has shape {y.shape}", "Give one row of y a clip")
    classes: tuple[str, ...] | None = None
    if y.dtype.kind == "f":
        y = _targets(y, path)
    else:
        y, classes = _labels(y, path)
    names = tuple(f"{Path(path).name}[{i}]" for i in range(len(x)))
    return Clips(x, y, classes, names, rate_hz=rate_hz if x.ndim == 3 else None)


def _examples(x: np.ndarray, path: str | os.PathLike[str]) -> np.ndarray:
    if x.dtype.kind not in "biuf":
        raise problem(path, f"x holds {x.dtype}, not numbers", "Save numbers")
    if not 2 <= x.ndim <= 4:
        what = f"x must be (clips, length) or (clips, channels, *space), one or two axes; got {x.shape}"
        raise problem(path, what, "Reshape it")
    if 0 in x.shape:
        raise problem(path, f"x is empty, of shape {x.shape}", "Save at least one clip")
    return finite_float32(x if x.ndim > 2 else x[:, None], path)


def _targets(y: np.ndarray, path: str | os.PathLike[str]) -> np.ndarray:
    if y.ndim > 2:
        raise problem(path, f"targets y must be (clips,) or (clips, outputs); got {y.shape}", "Reshape y")
    with np.errstate(over="ignore"):
        good = np.isfinite(y.astype(np.float32)).all()
    if not good:
        raise problem(path, "y holds NaN or infinity (as float32)", "Leave those clips out")
    return y.astype(np.float64)


def _labels(y: np.ndarray, path: str | os.PathLike[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    if y.ndim != 1:
        raise problem(path, f"labels y must be (clips,); got {y.shape}", "Give one label a clip")
    if y.dtype.kind == "S":
        try:
            y = np.char.decode(y, "utf-8")
        except UnicodeDecodeError as error:
            raise problem(path, f"names in y are not UTF-8 ({error})", "Save them as text") from error
    values, index = np.unique(y.astype(np.int64) if y.dtype.kind == "b" else y, return_inverse=True)
    return index.astype(np.int64), tuple(str(value) for value in values)
