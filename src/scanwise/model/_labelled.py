"""Recordings with labels, to learn from."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from scanwise.errors import ArgumentError, DataError, InputFailed
from scanwise.events import check_labels, in_samples, parse_labels
from scanwise.sources import Reading, Signal, list_recordings, read_recording, read_text
from scanwise.training import Marked

__all__ = ["UNREVIEWED", "Labelled", "Labels", "labels_of", "read_labelled", "true_events"]

Labels: TypeAlias = "str | os.PathLike[str] | pd.DataFrame"
"""A table of events, a file of them, or a folder with a file for each recording."""

UNREVIEWED = "has no labels. If there is nothing in it, give it an empty file of labels."

_SUFFIXES = (".txt", ".tsv", ".csv")
"""Of label files in a folder, beside their recording's name."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Recordings of one rate and one number of channels, and what is where in them.

    Attributes
    ----------
    names
        A name for each recording, as `events` has them.
    recordings
        float32 ``(channels, samples)`` each.
    events
        ``file, start, end, label``, in samples.
    rate_hz
        Samples a second; None if nobody said.
    """

    names: tuple[str, ...]
    recordings: Sequence[np.ndarray]
    events: pd.DataFrame
    rate_hz: float | None

    def marked(self, classes: Sequence[str]) -> Marked:
        """The same in numbers."""
        numbers = {name: number for number, name in enumerate(self.names)}
        events = self.events
        return Marked(
            self.recordings,
            events["file"].map(numbers).to_numpy(np.int64),
            events["start"].to_numpy(np.int64),
            events["end"].to_numpy(np.int64),
            events["label"].map({name: k for k, name in enumerate(classes)}).to_numpy(np.int64),
        )

    def without_shorter(self, window: int) -> Labelled:
        """Only the recordings that hold a window; each other is an `InputFailed` warning."""
        kept = [x.shape[1] >= window for x in self.recordings]
        for name, x, keep in zip(self.names, self.recordings, kept, strict=True):
            if not keep:
                _failed(f"{name}: is shorter ({x.shape[1]} samples) than the window ({window}). Leave it out.")
        names = tuple(name for name, keep in zip(self.names, kept, strict=True) if keep)
        if not names:
            raise DataError(f"recordings must be at least as long as the window, {window} samples; got none that is.")
        return replace(
            self,
            names=names,
            recordings=[x for x, keep in zip(self.recordings, kept, strict=True) if keep],
            events=self.events[self.events["file"].isin(names)],
        )


def read_labelled(
    data: str | os.PathLike[str] | Mapping[str, np.ndarray],
    labels: Labels,
    *,
    reading: Reading,
    label_column: str | None = None,
) -> Labelled:
    """Read recordings and their labels.

    What is wrong with one recording or its labels is an `InputFailed` warning, and the recording is left out.

    Parameters
    ----------
    data
        A recording, a folder or a manifest of recordings; or arrays ``(channels, samples)`` or ``(samples,)`` by name.
    labels
        As `labels_of` takes them. An event belongs to the recording whose name it has, or whose file name, if only one
        is called so.
    reading
        The rate all must have; without it that of the first recording that states one.
    label_column
        As `scanwise.events.parse_labels` takes it.

    Raises
    ------
    DataError
        If nothing is left, or the labels cannot be read.
    """
    paths = {name: name for name in data} if isinstance(data, Mapping) else dict(list_recordings(data))
    table, reviewed = labels_of(labels, tuple(paths), label_column=label_column)
    signals: dict[str, Signal] = {}
    parts = []
    for name, path in paths.items():
        mine = table[table["file"] == name]
        try:
            if name not in reviewed:
                raise DataError(f"{path}: {UNREVIEWED}")
            given = data[name] if isinstance(data, Mapping) else None
            signal = read_recording(path, reading) if given is None else _of_array(given, name, reading)
            if reading.rate_hz is None:
                reading = replace(reading, rate_hz=signal.rate_hz)
            usual = next(iter(signals.values()), signal)
            if len(signal.x) != len(usual.x):
                raise DataError(f"{path}: has {len(signal.x)} channels where others have {len(usual.x)}. Convert it.")
            parts.append(_in_signal(mine, signal, name))
        except DataError as error:
            _failed(str(error))
        else:
            signals[name] = signal
    if not signals:
        raise DataError("recordings must have one that can be learnt from; got none. See above.")
    events = pd.concat(parts, ignore_index=True)
    return Labelled(tuple(signals), [signal.x for signal in signals.values()], events, reading.rate_hz)


def _in_signal(mine: pd.DataFrame, signal: Signal, name: str) -> pd.DataFrame:
    """A recording's events in samples of the signal, which may be resampled."""
    length, rate = signal.x.shape[1], signal.rate_hz
    if rate is None or signal.file_rate_hz in (None, rate):
        return true_events(mine, rate, length, name)
    scale = rate / signal.file_rate_hz
    events = true_events(mine, signal.file_rate_hz, round(length / scale), name)
    return events.assign(
        start=np.rint(events["start"] * scale).astype(np.int64),
        end=np.maximum(np.rint(events["end"] * scale).astype(np.int64), np.rint(events["start"] * scale) + 1),
    )


def true_events(mine: pd.DataFrame, rate_hz: float | None, length: int, name: str) -> pd.DataFrame:
    """The events of the recording `name` in samples of its file, ``file, start, end, label``.

    Raises
    ------
    DataError
        If they cannot be true of a recording of that rate and length.
    """
    try:
        events = in_samples(mine, rate_hz)
        check_labels(events, length)
    except (ArgumentError, DataError) as error:
        raise DataError(f"{name}: labels, {error}") from error
    return events


def _of_array(array: np.ndarray, name: str, reading: Reading) -> Signal:
    x = np.asarray(array)
    x = x[None] if x.ndim == 1 else x
    if x.ndim != 2 or x.dtype.kind not in "biuf" or not x.size or not np.isfinite(x).all():
        raise DataError(
            f"{name}: must be finite numbers (channels, samples) or (samples,); got {x.dtype} {x.shape}, or NaN or "
            "infinity in it. Reshape or repair it."
        )
    return Signal(x.astype(np.float32), reading.rate_hz)


def labels_of(
    labels: Labels, names: tuple[str, ...], *, label_column: str | None = None
) -> tuple[pd.DataFrame, set[str]]:
    """The labels of the recordings `names`, as `scanwise.events.parse_labels` gives them.

    Parameters
    ----------
    labels
        A table; or a file of one (`parse_labels`), which is reviewed for all of them; or a folder with a file for each
        recording, such as ``night1.txt`` or ``night1.Table.1.selections.txt`` for ``night1.wav``. A recording without
        a file there has not been reviewed.
    names
        Of the recordings. Rows of others are an `InputFailed` warning.
    label_column
        As `parse_labels` takes it.

    Returns
    -------
    table : DataFrame
        The labels.
    reviewed : set of str
        The names of the recordings that somebody has listened to: all, unless the labels are a folder.

    Raises
    ------
    DataError
        If a file cannot be read, with its name.
    """
    reviewed = set(names)
    if isinstance(labels, pd.DataFrame):
        table = labels
    elif Path(labels).is_dir():
        files = {name: _label_file(Path(labels), name) for name in names}
        reviewed = {name for name, file in files.items() if file is not None}
        tables = [_parsed(file, name, label_column) for name, file in files.items() if file is not None]
        if not tables:
            raise DataError(f"{labels}: holds no file of labels for any recording, such as {_stem(names[0])}.txt.")
        filled = [table for table in tables if len(table)]
        table = pd.concat(filled or tables[:1], ignore_index=not filled)
    else:
        table = _parsed(Path(labels), names[0] if len(names) == 1 else None, label_column)
    if not {"file", "label"} <= set(table.columns):
        raise DataError(f"labels must have the columns file and label; got {', '.join(map(str, table.columns))}.")
    table = table.assign(file=_known_names(table["file"], names))
    for stranger in sorted(set(table["file"]) - set(names)):
        _failed(f"{stranger}: is named in the labels, but there is no such recording.")
    return table, reviewed


def _known_names(files: pd.Series, names: tuple[str, ...]) -> pd.Series:
    """Names as they are, or those of the only recordings that are called so in some folder."""
    short: dict[str, list[str]] = {}
    for name in names:
        short.setdefault(Path(name).name, []).append(name)
    known = {file: file for file in names} | {
        file: found[0] for file, found in short.items() if len(found) == 1 and file not in names
    }
    return files.map(lambda file: known.get(file, known.get(Path(file).name, file)))


def _label_file(folder: Path, name: str) -> Path | None:
    """The file of labels of one recording; two are one too many."""
    stem = _stem(name)
    candidates = [folder / f"{stem}{suffix}" for suffix in _SUFFIXES]
    beside = (folder / stem).parent
    pattern = f"{Path(stem).name}.Table.*.selections.txt"
    found = [file for file in candidates if file.is_file()]
    found += [file for file in (beside.iterdir() if beside.is_dir() else ()) if file.match(pattern)]
    if len(found) > 1:
        raise DataError(f"{found[0]}: must be the only file of labels of {name}; {found[1].name} is another. Move one.")
    return found[0] if found else None


def _stem(name: str) -> str:
    return str(Path(name).with_suffix(""))


def _parsed(path: Path, file: str | None, label_column: str | None) -> pd.DataFrame:
    try:
        return parse_labels(read_text(path), label_column=label_column, file=file)
    except ArgumentError as error:
        remedy = "Give a folder with a file of labels for each recording."
        raise DataError(f"{path}: names no recordings, and there are several. {remedy}") from error
    except DataError as error:
        message = str(error)
        raise DataError(message if message.startswith(f"{path}: ") else f"{path}: {message}") from error


def _failed(message: str) -> None:
    warnings.warn(message, InputFailed, stacklevel=4)
