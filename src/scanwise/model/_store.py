"""Embeddings of files, kept between runs."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as bytes_of

from scanwise.errors import DataError
from scanwise.model._embed import clip_embeddings
from scanwise.model._given import read_clip
from scanwise.sources import atomic_write

if TYPE_CHECKING:
    from scanwise.model._model import Model

__all__ = ["EmbeddingStore", "Stored"]

_AT_A_TIME = 64  # files
_SECONDS = 30  # after which what was embedded is written
_FORMAT = "scanwise embeddings 1"


@dataclass(frozen=True, eq=False)
class Stored:
    """What is kept of a file.

    Attributes
    ----------
    embedding
        ``(features,)``.
    digest
        Of what was read from it: equal for equal samples, whatever their files are called.
    """

    embedding: np.ndarray
    digest: str


class EmbeddingStore:
    """Embeddings of files by one model, in memory and, where a path is given, in a safetensors file.

    A file counts as known while its size, its times and its place on the disk are the same.

    Parameters
    ----------
    model
        Whose embeddings they are.
    path
        Where they are kept; None for nowhere.

    Raises
    ------
    DataError
        If `path` holds something else, or another model's embeddings.
    """

    def __init__(self, model: Model, path: str | os.PathLike[str] | None = None) -> None:
        self._model = model
        self._path = None if path is None else Path(path)
        self._known: dict[str, tuple[str, Stored]] = {}
        self._fingerprint = fingerprint(model)
        if self._path is not None and self._path.exists():
            self._known = self._read(self._path)

    def of(
        self,
        files: Sequence[str],
        *,
        resample: bool = False,
        on_done: Callable[[int, int], None] | None = None,
        refuse: Callable[[str, DataError], DataError] | None = None,
    ) -> list[Stored]:
        """Return what is kept of files; those that are new or changed are read first, and kept.

        Parameters
        ----------
        files
            Their paths.
        resample
            As in `Model.find`.
        on_done
            Told how many of those to be read are done.
        refuse
            Makes of a file, and what is wrong with it, what is raised.

        Raises
        ------
        DataError
            If one cannot be read or does not fit the model; what was done before is kept.
        """
        stamps = {file: _stamp(file, resample) for file in files}
        new = [file for file, stamp in stamps.items() if self._known.get(_key(file), (None, None))[0] != stamp]
        written = time.monotonic()
        try:
            for start in range(0, len(new), _AT_A_TIME):
                self._embed({file: stamps[file] for file in new[start : start + _AT_A_TIME]}, resample, refuse)
                if on_done is not None:
                    on_done(min(start + _AT_A_TIME, len(new)), len(new))
                if time.monotonic() - written > _SECONDS:
                    self._write()
                    written = time.monotonic()
        finally:
            if new and self._known:
                self._write()
        return [self._known[_key(file)][1] for file in files]

    def _embed(
        self, stamps: Mapping[str, str], resample: bool, refuse: Callable[[str, DataError], DataError] | None
    ) -> None:
        """Embed some files; if one cannot be read, those before it."""
        clips: dict[str, np.ndarray] = {}
        try:
            for file in stamps:
                clips[file] = self._clip(file, resample, refuse)
        finally:
            if clips:
                embeddings = clip_embeddings(self._model, list(clips.values()))
                for (file, clip), embedding in zip(clips.items(), embeddings, strict=True):
                    self._known[_key(file)] = stamps[file], Stored(embedding, _digest(clip))

    def _clip(self, file: str, resample: bool, refuse: Callable[[str, DataError], DataError] | None) -> np.ndarray:
        try:
            return read_clip(file, self._model.info, resample=resample)
        except DataError as error:
            raise (refuse(file, error) if refuse else error) from error

    def _write(self) -> None:
        if self._path is None:
            return
        rows = [[key, stamp, kept.digest] for key, (stamp, kept) in self._known.items()]
        files = np.frombuffer(json.dumps(rows).encode(), np.uint8)
        embeddings = np.stack([kept.embedding for _, kept in self._known.values()])
        facts = {"format": _FORMAT, "model": self._fingerprint}
        atomic_write(self._path, bytes_of({"embeddings": embeddings, "files": files}, facts))

    def _read(self, path: Path) -> dict[str, tuple[str, Stored]]:
        remedy = "Name another file, or remove it."
        try:
            with safe_open(path, framework="numpy") as stream:
                facts = stream.metadata() or {}
                if facts.get("format") != _FORMAT:
                    raise DataError(f"{path}: must hold embeddings that Scanwise kept; got something else. {remedy}")
                if facts.get("model") != self._fingerprint:
                    raise DataError(f"{path}: must hold embeddings of this model; got another one's. {remedy}")
                embeddings = stream.get_tensor("embeddings")
                rows = json.loads(stream.get_tensor("files").tobytes())
            return {
                str(key): (str(stamp), Stored(embedding, str(digest)))
                for (key, stamp, digest), embedding in zip(rows, embeddings, strict=True)
            }
        except (OSError, SafetensorError, ValueError, TypeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path}: cannot be read as embeddings ({error}). {remedy}") from error


def fingerprint(model: Model) -> str:
    """Hash everything on which a model's embeddings depend."""
    info = model.info
    pooling = None if info.verification is None else info.verification.pooling
    parts = (info.architecture, info.arguments, info.window, info.hop, info.features, info.mean, info.std, pooling)
    found = hashlib.sha256(json.dumps([*parts, info.sample_rate_hz, info.columns], sort_keys=True).encode())
    for name, tensor in sorted(model.net.state_dict().items()):
        found.update(name.encode())
        found.update(np.ascontiguousarray(tensor.cpu().numpy()).tobytes())
    return found.hexdigest()


def _key(file: str) -> str:
    return os.path.realpath(file)


def _stamp(file: str, resample: bool) -> str:
    """Of a file's state, and of how it is read; nothing of one that cannot be seen, which reading will say."""
    try:
        found = os.stat(file)  # noqa: PTH116 - a path may be too long for a Path's own checks
    except (OSError, ValueError):
        return ""
    state = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, int(resample))
    return " ".join(map(str, state))


def _digest(clip: np.ndarray) -> str:
    return hashlib.sha256(repr(clip.shape).encode() + np.ascontiguousarray(clip).tobytes()).hexdigest()
