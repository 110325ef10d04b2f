"""Open recordings: any interval of samples, whatever the format."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType

import numpy as np

from scanwise._checks import whole
from scanwise.errors import ArgumentError
from scanwise.sources._arrays import ARRAY_SUFFIXES, open_array
from scanwise.sources._codecs import FlacReader, OggReader
from scanwise.sources._files import finite_float32, open_file, problem
from scanwise.sources._readers import Reader
from scanwise.sources._series import open_series
from scanwise.sources._wav import open_wav

__all__ = ["AUDIO_SUFFIXES", "RECORDING_SUFFIXES", "Recording", "open_recording"]

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg")
RECORDING_SUFFIXES = (*AUDIO_SUFFIXES, ".csv", *ARRAY_SUFFIXES)


class Recording:
    """An open recording, made by `open_recording`; a context manager that closes it.

    Attributes
    ----------
    path : str
        The file.
    channels, length : int
        Channels, and samples of each.
    rate_hz : float or None
        Samples a second; None when the file does not say.
    """

    def __init__(self, path: str | os.PathLike[str], reader: Reader) -> None:
        self.path = os.fspath(path)
        self.channels, self.length, self.rate_hz = reader.channels, reader.length, reader.rate_hz
        self._reader: Reader | None = reader

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Samples `[start, stop)` of every channel: exactly those that a read of the whole file has there.

        Parameters
        ----------
        start, stop
            First sample, and the one after the last; None is the end.

        Returns
        -------
        ndarray
            float32 `(channels, stop - start)`, the caller's own.

        Raises
        ------
        ArgumentError
            When the interval does not lie within the recording, or the recording is closed.
        DataError
            When these samples are damaged, or hold NaN or infinity.
        """
        start = whole("start", start, 0)
        stop = self.length if stop is None else whole("stop", stop, 0)
        if not start <= stop <= self.length:
            raise ArgumentError(
                f"start and stop must be in order and at most {self.length}, the recording's length; "
                f"got {start} and {stop}. Count in samples."
            )
        if self._reader is None:
            raise ArgumentError(f"path must be open to be read; got {self.path}, closed. Open it again.")
        if start == stop:
            return np.empty((self.channels, 0), np.float32)
        try:
            samples = self._reader.read(start, stop)
        except OSError as error:
            raise problem(self.path, f"cannot be read ({error.strerror})", "Check its permissions") from error
        return np.require(finite_float32(samples, self.path, start), requirements=["C", "W"])

    def close(self) -> None:
        """Close the file. Closing twice does no harm."""
        if self._reader is not None:
            self._reader.close()
        self._reader = None

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_recording(path: str | os.PathLike[str], *, columns: Sequence[str] | None = None) -> Recording:
    """Open a recording; of WAV, FLAC, OGG and `.npy` nothing but the header is loaded.

    Parameters
    ----------
    path
        WAV (integers of 8 to 32 bits are scaled to [-1, 1), floats are taken as they are), FLAC, OGG Vorbis;
        `.npy` or `.npz` of one array, `(samples,)` or `(channels, samples)`; or CSV, whose first line names
        the columns (or is the first row, if it holds numbers: the columns are called 1, 2, ... then). A
        column ``time_s`` has the times in seconds, all others are channels. The suffix tells which.
    columns
        Of a CSV, the columns that are the channels, in this order.

    Returns
    -------
    Recording
        To be read interval by interval, and closed.

    Raises
    ------
    DataError
        When the file is missing, empty, truncated, damaged, or of another kind; or holds no samples.

    Examples
    --------
    >>> import numpy as np, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "a.npy")
    >>> np.save(path, np.arange(10.0))
    >>> with open_recording(path) as recording:
    ...     recording.channels, recording.length, recording.rate_hz, recording.read(7)
    (1, 10, None, array([[7., 8., 9.]], dtype=float32))
    """
    opener = _openers(columns).get(Path(path).suffix.lower())
    if opener is None:
        open_file(path).close()
        what = f"files of kind {Path(path).suffix or '(no suffix)'!r} are not read as recordings"
        raise problem(path, what, f"Convert it to one of {' '.join(RECORDING_SUFFIXES)}")
    reader = opener(path)
    if not reader.channels or not reader.length:
        reader.close()
        raise problem(path, "holds no samples", "Record it again, or remove it")
    return Recording(path, reader)


def _openers(columns: Sequence[str] | None) -> Mapping[str, Callable[[str | os.PathLike[str]], Reader]]:
    return {
        ".wav": open_wav,
        ".flac": FlacReader,
        ".ogg": OggReader,
        ".csv": partial(open_series, columns=columns),
        ".npy": open_array,
        ".npz": open_array,
    }
