"""WAV recordings, from their bytes: a header that promises more than the file holds is noticed."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from scanwise.sources._files import file_size, kept_open, problem
from scanwise.sources._readers import RawReader

__all__ = ["open_wav"]

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_MAX_CHUNKS = 10_000
_REMEDY = "Export it again, or remove it"


def open_wav(path: str | os.PathLike[str]) -> RawReader:
    """Open a WAV file: 8-, 16-, 24- or 32-bit integers, scaled to [-1, 1), or 32- or 64-bit floats as they are.

    Raises
    ------
    DataError
        When the file is missing, empty, no WAV, truncated, or coded in another way.
    """
    with kept_open(path) as stream:
        riff = stream.read(12)
        if riff[:4] not in (b"RIFF", b"RF64") or riff[8:] != b"WAVE":
            raise problem(path, "not a WAV file", "Convert it, or give it the suffix of what it is")
        chunks = _chunks(stream)
        if b"data" not in chunks:
            raise problem(path, "truncated or damaged: no samples follow its header", _REMEDY)
        coding = _coding(_start_of(stream, chunks.get(b"fmt ")), path)
        offset, size = chunks[b"data"]
        there = file_size(stream) - offset
        is_closed = int.from_bytes(riff[4:8], "little") + 8 == file_size(stream)
        if _is_open_ended(size) and not is_closed:
            long_size = _start_of(stream, chunks.get(b"ds64"))[8:16] if riff[:4] == b"RF64" else b""
            size = int.from_bytes(long_size, "little") or there
        frame = coding.width * coding.channels
        if size > there:
            what = f"truncated: {size // frame:,} samples are promised, {there // frame:,} are there"
            raise problem(path, what, "Copy or record it again")
        return RawReader(
            stream,
            path,
            channels=coding.channels,
            length=size // frame,
            rate_hz=coding.rate_hz,
            offset=offset,
            width=coding.width,
            decode=_DECODERS[coding.kind, coding.width],
            planar=False,
        )


def _chunks(stream: BinaryIO) -> dict[bytes, tuple[int, int]]:
    """Place and size of each chunk, up to the samples."""
    chunks: dict[bytes, tuple[int, int]] = {}
    offset = 12
    for _ in range(_MAX_CHUNKS):
        stream.seek(offset)
        head = stream.read(8)
        if len(head) < 8:
            break
        name, size = struct.unpack("<4sI", head)
        chunks.setdefault(name, (offset + 8, size))
        if name == b"data":
            break
        offset += 8 + size + size % 2
    return chunks


def _start_of(stream: BinaryIO, chunk: tuple[int, int] | None) -> bytes:
    """The first bytes of a chunk, none if there is no such chunk."""
    offset, size = chunk or (0, 0)
    stream.seek(offset)
    return stream.read(min(size, 40))


def _is_open_ended(size: int) -> bool:
    """Whether a size is one that programs write when they do not know it, as into a pipe."""
    return size == 0 or 0x7FFF_F000 <= size <= 0x8000_0000 or size >= 0xFFFF_FF00


@dataclass(frozen=True)
class _Coding:
    kind: int
    channels: int
    rate_hz: float
    width: int


def _coding(data: bytes, path: str | os.PathLike[str]) -> _Coding:
    """What the ``fmt`` chunk says."""
    if len(data) < 16:
        raise problem(path, "truncated or damaged: no format is told before the samples", _REMEDY)
    kind, channels, rate_hz, _, frame, bits = struct.unpack("<HHIIHH", data[:16])
    if kind == _EXTENSIBLE:
        kind = int.from_bytes(data[24:26], "little")
    if channels == 0 or rate_hz == 0:
        raise problem(path, f"damaged: its header tells of {channels} channels at {rate_hz} Hz", _REMEDY)
    width = (bits + 7) // 8
    if (kind, width) not in _DECODERS:
        what = f"its samples are of a kind that is not read (code {kind}, {bits} bits)"
        raise problem(path, what, "Convert it to 16-bit PCM")
    if frame != channels * width:
        what = f"damaged: {channels} samples of {bits} bits are said to fill {frame} bytes"
        raise problem(path, what, _REMEDY)
    return _Coding(kind, channels, float(rate_hz), width)


def _bytes(data: bytes) -> np.ndarray:
    return (np.frombuffer(data, "u1").astype(np.float32) - 128) / np.float32(2**7)


def _three_bytes(data: bytes) -> np.ndarray:
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, "u1").reshape(-1, 3)
    return _integers(4)(wide.tobytes())


def _integers(width: int) -> Callable[[bytes], np.ndarray]:
    def decode(data: bytes) -> np.ndarray:
        return np.frombuffer(data, f"<i{width}").astype(np.float32) / np.float32(2 ** (8 * width - 1))

    return decode


def _floats(width: int) -> Callable[[bytes], np.ndarray]:
    return lambda data: np.frombuffer(data, f"<f{width}")


_DECODERS: dict[tuple[int, int], Callable[[bytes], np.ndarray]] = {
    (_PCM, 1): _bytes,
    (_PCM, 2): _integers(2),
    (_PCM, 3): _three_bytes,
    (_PCM, 4): _integers(4),
    (_FLOAT, 4): _floats(4),
    (_FLOAT, 8): _floats(8),
}
