"""Compressed recordings, FLAC and OGG Vorbis, by libsndfile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from scanwise.sources._files import check_unpacked, file_size, open_file, problem

__all__ = ["FlacReader", "OggReader"]

_MAX_LENGTH = 2**48
_SKIP_SAMPLES = 2**16
_REMEDY = "Export it again, or remove it"


class FlacReader:
    """Of a FLAC file: each interval is sought and decoded by itself.

    The last sample is decoded at once: that fails if the file is truncated.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        _check_magic(path, b"fLaC", "FLAC")
        self._decoder = _Decoder(path, "FLAC")
        self.channels, self.length, self.rate_hz = self._decoder.layout
        try:
            if self.length:
                self.read(self.length - 1, self.length)
        except BaseException:
            self.close()
            raise

    def read(self, start: int, stop: int) -> np.ndarray:
        self._decoder.seek(start)
        return self._decoder.next(stop - start)

    def close(self) -> None:
        self._decoder.close()


class OggReader:
    """Of an OGG Vorbis file: decoded forward, because libsndfile does not seek to the exact sample there.

    The interval read last is kept: one that overlaps it costs no more than its new part; one that begins
    before it is decoded from the beginning of the file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        _check_pages(path)
        self._rewind()
        self.channels, self.length, self.rate_hz = self._decoder.layout

    def read(self, start: int, stop: int) -> np.ndarray:
        if start < self._start or self._is_lost:
            self.close()
            self._rewind()
        while (end := self._start + self._kept.shape[1]) < start:
            self._keep(end, self._forward(min(_SKIP_SAMPLES, start - end)))
        held = self._kept[:, start - self._start :]
        if stop > end:
            held = np.concatenate([held, self._forward(stop - end)], axis=1)
            self._keep(start, held)
        return held[:, : stop - start]

    def _rewind(self) -> None:
        self._decoder = _Decoder(self._path, "OGG", "VORBIS")
        self._keep(0, np.empty((self._decoder.layout[0], 0), np.float32))

    def _forward(self, count: int) -> np.ndarray:
        self._is_lost = True  # until what is decoded is kept: after an error nobody knows where the decoder stands
        return self._decoder.next(count)

    def _keep(self, start: int, samples: np.ndarray) -> None:
        """Remember the samples that end where the decoder stands."""
        samples.flags.writeable = False
        self._start, self._kept, self._is_lost = start, samples, False

    def close(self) -> None:
        self._decoder.close()


class _Decoder:
    """libsndfile on one file, with its errors explained."""

    def __init__(self, path: str | os.PathLike[str], kind: str, subtype: str | None = None) -> None:
        self._path, self._bytes = path, Path(path).stat().st_size
        # Names need not be Unicode, which soundfile's own encoding asks for.
        name = os.fspath(path) if os.name == "nt" else os.fsencode(path)
        with self._explaining():
            self._file = soundfile.SoundFile(name)
        file, what = self._file, ""
        if file.format != kind or subtype not in (None, file.subtype):
            what = f"holds {file.format} of kind {file.subtype}, which is not read"
        elif file.frames > _MAX_LENGTH:
            what = "does not say how long it is"
        if what:
            file.close()
            raise problem(path, what, "Convert it to WAV")
        self.layout = file.channels, file.frames, float(file.samplerate)

    def seek(self, start: int) -> None:
        with self._explaining():
            self._file.seek(start)

    def next(self, count: int) -> np.ndarray:
        """The next samples, `(channels, count)`."""
        check_unpacked(self._path, self._bytes, 4 * count * self.layout[0])
        with self._explaining():
            samples = np.asarray(self._file.read(count, dtype="float32", always_2d=True)).T
        if samples.shape[1] < count:
            raise problem(self._path, "truncated or damaged: it holds fewer samples than it promises", _REMEDY)
        return samples

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            reason = str(getattr(error, "error_string", error)).strip(".")
            raise problem(self._path, f"truncated, damaged or no audio ({reason})", _REMEDY) from error


def _check_magic(path: str | os.PathLike[str], magic: bytes, kind: str) -> None:
    """See that nothing but the one decoder is tried: libsndfile guesses among two dozen formats."""
    with open_file(path) as stream:
        if stream.read(len(magic)) != magic:
            raise problem(path, f"is no {kind} file", "Convert it, or give it the suffix of what it is")


def _check_pages(path: str | os.PathLike[str]) -> None:
    """Follow the pages of an OGG file to its end; libsndfile takes the last that it finds for the end."""
    _check_magic(path, b"OggS", "OGG")
    with open_file(path) as stream:
        size, offset, number, is_last, serials = file_size(stream), 0, 0, False, set()
        while offset < size:
            stream.seek(offset)
            head = stream.read(27)
            lengths = stream.read(head[26]) if len(head) == 27 else b""
            page, offset = offset, offset + 27 + len(lengths) + sum(lengths)
            if len(head) < 27 or len(lengths) < head[26] or offset > size:
                raise problem(path, f"truncated: it ends within the page at byte {page:,}", "Copy or export it again")
            if head[:4] != b"OggS":
                raise problem(path, f"damaged: no page begins at byte {page:,}", _REMEDY)
            is_last = bool(head[5] & 4)
            serials.add(head[14:18])
            if len(serials) > 1:
                raise problem(path, "holds several streams", "Separate them")
            if int.from_bytes(head[18:22], "little") != number:
                raise problem(path, f"damaged: a page is missing before byte {page:,}", _REMEDY)
            number += 1
        if not is_last:
            raise problem(path, "truncated: its last page is missing", "Copy or export it again")
