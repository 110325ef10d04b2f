"""How the samples of a recording are reached: held in memory, or read from their place in the file."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import BinaryIO, Protocol

import numpy as np

from scanwise.sources._files import problem

__all__ = ["HeldReader", "RawReader", "Reader"]


class Reader(Protocol):
    """What each format provides; `Recording` checks the arguments and the values for all of them."""

    @property
    def channels(self) -> int: ...

    @property
    def length(self) -> int: ...

    @property
    def rate_hz(self) -> float | None: ...

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples `(channels, stop - start)`, at least one; an array that the reader keeps is not writeable."""

    def close(self) -> None:
        """Release the file."""


class HeldReader:
    """Of an array `(channels, samples)` in memory."""

    def __init__(self, x: np.ndarray, rate_hz: float | None) -> None:
        self.channels, self.length = x.shape
        self.rate_hz = rate_hz
        self._x = x.view()
        self._x.flags.writeable = False

    def read(self, start: int, stop: int) -> np.ndarray:
        return self._x[:, start:stop]

    def close(self) -> None:
        """There is no file."""


class RawReader:
    """Of samples of equal width that stand one after the other in an open file.

    They are read, not mapped: a file that is cut while it is mapped ends the process.

    Parameters
    ----------
    stream, path
        The file, closed with the reader, and its name for messages.
    offset
        Bytes before the first sample.
    width, decode
        Bytes of a sample, and what turns bytes into an array of samples.
    planar
        Whether each channel stands by itself (else the channels of one moment stand together).
    """

    def __init__(
        self,
        stream: BinaryIO,
        path: str | os.PathLike[str],
        *,
        channels: int,
        length: int,
        rate_hz: float | None,
        offset: int,
        width: int,
        decode: Callable[[bytes], np.ndarray],
        planar: bool,
    ) -> None:
        self.channels, self.length, self.rate_hz = channels, length, rate_hz
        self._stream, self._path = stream, path
        self._offset, self._width, self._decode, self._planar = offset, width, decode, planar

    def read(self, start: int, stop: int) -> np.ndarray:
        if self._planar:
            firsts = range(start, self.channels * self.length, self.length)
            return np.stack([self._samples(first, stop - start) for first in firsts])
        samples = self._samples(start * self.channels, (stop - start) * self.channels)
        return samples.reshape(-1, self.channels).T

    def _samples(self, first: int, count: int) -> np.ndarray:
        self._stream.seek(self._offset + first * self._width)
        data = self._stream.read(count * self._width)
        if len(data) < count * self._width:
            raise problem(self._path, "became shorter while it was read", "Read it when it is complete")
        return self._decode(data)

    def close(self) -> None:
        self._stream.close()
