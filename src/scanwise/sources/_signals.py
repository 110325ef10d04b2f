"""Whole recordings at the rate that is needed."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from scanwise._checks import flag, real
from scanwise.errors import ArgumentError
from scanwise.sources._files import problem
from scanwise.sources._recordings import open_recording

__all__ = ["ANY_READING", "Reading", "Signal", "at_rate", "read_recording"]

_SAME_RATE = 1e-6
_MAX_RATIO = 10_000


@dataclass(frozen=True)
class Reading:
    """How recordings are to be read.

    Parameters
    ----------
    rate_hz
        Samples a second that a recording must have, to one part in a million. A file that states no rate
        (`.npy`, `.npz`, CSV without times) is taken to have it. None accepts any.
    resample
        Whether a file of another rate is resampled to `rate_hz` instead of being refused.
    columns
        Of a CSV, the columns that are the channels, in this order; None means all but the time.

    Raises
    ------
    ArgumentError
        When `rate_hz` is not above 0, `resample` is no bool, or `columns` are not different names.
    """

    rate_hz: float | None = None
    resample: bool = False
    columns: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.rate_hz is not None:
            object.__setattr__(self, "rate_hz", real("rate_hz", self.rate_hz, above=0))
        flag("resample", self.resample)
        if self.columns is not None:
            object.__setattr__(self, "columns", _names(self.columns))


def _names(columns: Sequence[str]) -> tuple[str, ...]:
    names = tuple(columns) if isinstance(columns, Sequence) and not isinstance(columns, str) else ()
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ArgumentError(f"columns must be different names, at least one; got {columns!r}. Give a tuple of names.")
    return names


ANY_READING = Reading()
"""Recordings as they are."""


@dataclass(frozen=True, eq=False)
class Signal:
    """An input and its rate.

    Parameters
    ----------
    x
        float32 `(channels, samples)`; of an image `(channels, height, width)`.
    rate_hz
        Samples a second; None when nobody said, and of an image.
    file_rate_hz
        What the file had before it was resampled; None when it does not say.
    """

    x: np.ndarray
    rate_hz: float | None = None
    file_rate_hz: float | None = None


def read_recording(path: str | os.PathLike[str], reading: Reading = ANY_READING) -> Signal:
    r"""Read a whole recording (`open_recording`).

    Parameters
    ----------
    path
        The file.
    reading
        The rate it must have, and its columns; by default any rate.

    Returns
    -------
    Signal
        Resampled if `reading` asks for it, by a polyphase filter that keeps the level and repeats the
        values at both ends.

    Raises
    ------
    DataError
        As `open_recording` and `Recording.read` do, and when the rate is another and may not, or cannot, be
        changed.

    Examples
    --------
    >>> import numpy as np, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "a.csv")
    >>> _ = path.write_text("time_s,left\n0.0,1\n0.5,2\n1.0,3\n")
    >>> read_recording(path)
    Signal(x=array([[1., 2., 3.]], dtype=float32), rate_hz=2.0, file_rate_hz=2.0)
    """
    with open_recording(path, columns=reading.columns) as recording:
        _ratio(recording.rate_hz, reading, path)  # refuse before an hour is read
        x = recording.read()
    return at_rate(Signal(x, recording.rate_hz, recording.rate_hz), reading, path)


def at_rate(signal: Signal, reading: Reading, path: str | os.PathLike[str]) -> Signal:
    """The signal of a file at the rate of `reading`. Raises `DataError` when that may not or cannot be."""
    ratio, x = _ratio(signal.rate_hz, reading, path), signal.x
    if ratio != 1:
        from scipy.signal import resample_poly  # a second of loading that most readers do not need

        level = x.mean(axis=-1, keepdims=True, dtype=np.float64).astype(np.float32)
        x = resample_poly(x - level, ratio.numerator, ratio.denominator, axis=-1, padtype="edge") + level
    return Signal(x, reading.rate_hz or signal.rate_hz, signal.file_rate_hz)


def _ratio(rate_hz: float | None, reading: Reading, path: str | os.PathLike[str]) -> Fraction:
    """Samples that come out for one that goes in; 1 where the rate fits."""
    needed = reading.rate_hz
    if needed is None or rate_hz is None or math.isclose(rate_hz, needed, rel_tol=_SAME_RATE):
        return Fraction(1)
    if not reading.resample:
        what = f"has {rate_hz:.9g} Hz where {needed:.9g} Hz is needed"
        raise problem(path, what, "Convert it, or allow resampling (--resample)")
    exact = Fraction(needed) / Fraction(rate_hz)
    ratio = exact.limit_denominator(_MAX_RATIO)
    if ratio.numerator > _MAX_RATIO or not math.isclose(ratio, exact, rel_tol=_SAME_RATE):
        what = f"cannot be resampled from {rate_hz:.9g} Hz to {needed:.9g} Hz: no ratio of numbers to {_MAX_RATIO:,}"
        raise problem(path, what, "Convert it to a rate nearer or rounder")
    return ratio
