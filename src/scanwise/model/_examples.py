"""Examples to train on or to be judged by, from whatever the user has."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from scanwise.errors import ArgumentError, DataError, InputFailed
from scanwise.model._clips import cropped, padded_to_window
from scanwise.model._info import ModelInfo
from scanwise.sources import Clips, Reading, read_clips

__all__ = ["Data", "check_task", "examples", "matched_classes", "windows"]

TASKS = ("classify", "regress", "verify")

Data = str | os.PathLike[str] | Clips | tuple[ArrayLike, ArrayLike]


def examples(data: Data, task: str | None, reading: Reading) -> Clips:
    """`data` as clips that fit `task` (None: whatever they fit); `reading` is how recordings are read.

    Arrays are given as ``(x, y)``: `x` is ``(clips, channels, *space)`` or ``(clips, length)``, `y` is class
    names, class numbers, or floats to regress. Files that a path holds and that cannot be used are
    `InputFailed` warnings.
    """
    clips = data if isinstance(data, Clips) else _read(data, reading)
    check_task(task, ("regress",) if clips.classes is None else ("classify", "verify"))
    return clips


def check_task(task: str | None, fit: tuple[str, ...] = TASKS) -> None:
    """Refuse an unknown task, and one that is none of those that the data are `fit` for."""
    if task not in (None, *TASKS):
        raise ArgumentError(
            f"task must be {', '.join(TASKS[:-1])} or {TASKS[-1]}; got {task!r}. Choose one of these, or leave it out."
        )
    if task is not None and task not in fit:
        raise ArgumentError(
            f"task must suit the data, which is to {' or '.join(fit)}; got {task}. "
            "Classes are whole numbers or names; values to regress are floats."
        )


def _read(data: str | os.PathLike[str] | tuple[ArrayLike, ArrayLike], reading: Reading) -> Clips:
    if isinstance(data, str | os.PathLike):
        clips = read_clips(data, reading)
        for file, reason in clips.failed:
            warnings.warn(f"{file}: {reason}", InputFailed, stacklevel=4)
        return clips
    if not isinstance(data, tuple) or len(data) != 2:
        raise ArgumentError(
            f"data must be a path, Clips or (x, y); got {type(data).__name__}. Give a tuple of two arrays."
        )
    return _of_arrays(*map(np.asarray, data), rate_hz=reading.rate_hz)


def _of_arrays(x: np.ndarray, y: np.ndarray, *, rate_hz: float | None) -> Clips:
    x = x[:, None] if x.ndim == 2 else x
    if x.ndim not in (3, 4) or x.dtype.kind not in "biuf" or not x.size or not np.isfinite(x).all():
        raise DataError(
            "x must be finite numbers (clips, channels, *space) or (clips, length); "
            f"got {x.dtype} {x.shape}, or NaN or infinity in it. Reshape or repair it."
        )
    if y.shape[:1] != x.shape[:1] or y.dtype.kind not in "biufUT" or (y.dtype.kind != "f" and y.ndim != 1):
        raise DataError(
            f"y must have one class or target per clip, {len(x)}; got {y.dtype} {y.shape}. "
            "Give names, whole numbers, or floats to regress."
        )
    names = tuple(f"x[{i}]" for i in range(len(x)))
    rate_hz = rate_hz if x.ndim == 3 else None
    if y.dtype.kind == "f":
        return Clips(x.astype(np.float32), y.astype(np.float64), None, names, rate_hz=rate_hz)
    values, index = np.unique(y, return_inverse=True)
    return Clips(x.astype(np.float32), index.astype(np.int64), tuple(map(str, values)), names, rate_hz=rate_hz)


def matched_classes(clips: Clips, info: ModelInfo) -> np.ndarray:
    """The clips' class numbers, in the numbering of the model."""
    classes, known = clips.classes or (), info.classes or ()
    strange = sorted(set(classes) - set(known))
    if strange:
        raise DataError(
            f"classes must be among the model's, {', '.join(known)}; got {strange[0]!r}. "
            "Leave it out, or train with it."
        )
    return np.asarray(np.array([known.index(name) for name in classes])[clips.y])


def windows(clips: Clips, extent: Sequence[int]) -> np.ndarray:
    """All clips as windows ``(clips, channels, *extent)``.

    Shorter ones are centred in their own background level, of longer ones the middle is taken.
    """
    return np.stack([cropped(padded_to_window(clip, extent), extent) for clip in clips.x])
