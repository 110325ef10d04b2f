"""Recordings with labels, to learn from."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from scanwise.errors import ArgumentError, DataError
from scanwise.events import check_labels, in_samples
from scanwise.model._labels import Labels, failed, labels_of
from scanwise.sources import Reading, Signal, list_recordings, open_recording, read_recording
from scanwise.training import Marked

__all__ = ["Labelled", "read_labelled", "true_events"]


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
                failed(f"{name}: is shorter ({x.shape[1]} samples) than the window ({window}). Leave it out.")
        names = tuple(name for name, keep in zip(self.names, kept, strict=True) if keep)
        events = self.events[self.events["file"].isin(names)]
        if events.empty:
            raise DataError(
                f"recordings with labels must be at least as long as the window, {window} samples; got none that is. "
                "Give a smaller window."
            )
        recordings = [x for x, keep in zip(self.recordings, kept, strict=True) if keep]
        return replace(self, names=names, recordings=recordings, events=events)


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
        The rate all must have; without it that of most. They must have as many channels as most, too.
    label_column
        As `scanwise.events.parse_labels` takes it.

    Raises
    ------
    ArgumentError
        If `data` or `labels` are of another kind.
    DataError
        If nothing is left, or the labels cannot be read, or hold nothing.
    """
    arrays, paths = _named(data)
    table, refused = labels_of(labels, tuple(paths), label_column=label_column)
    rate, channels = _usual([paths[name] for name in paths if not arrays and name not in refused], reading)
    reading = replace(reading, rate_hz=rate)
    signals: dict[str, Signal] = {}
    parts = []
    for name, path in paths.items():
        try:
            if name in refused:
                raise DataError(f"{path}: {refused[name]}")
            signal = _of_array(arrays[name], name, reading) if arrays else read_recording(path, reading)
            channels = channels or len(signal.x)
            if len(signal.x) != channels:
                raise DataError(f"{path}: has {len(signal.x)} channels where others have {channels}. Convert it.")
            parts.append(_in_signal(table[table["file"] == name], signal, path))
        except DataError as error:
            if len(paths) == 1:
                raise
            failed(str(error))
        else:
            signals[name] = signal
    if not signals:
        raise DataError("recordings must have one that can be learnt from; got none. See above.")
    events = pd.concat(parts, ignore_index=True)
    if events.empty:
        raise DataError("labels must hold at least one event to learn from; got none. Label some.")
    return Labelled(tuple(signals), [signal.x for signal in signals.values()], events, reading.rate_hz)


def _named(
    data: str | os.PathLike[str] | Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays by name, if they are given; and the path of each name, of an array the name itself."""
    if isinstance(data, str | os.PathLike):
        return {}, dict(list_recordings(data))
    if not isinstance(data, Mapping) or not data:
        got = "none" if isinstance(data, Mapping) else type(data).__name__
        raise ArgumentError(f"data must be a path or arrays by name where there are labels; got {got}. Give one.")
    arrays = {str(name): array for name, array in data.items()}
    return arrays, {name: name for name in arrays}


def _usual(paths: Sequence[str], reading: Reading) -> tuple[float | None, int | None]:
    """The rate that is asked for, or that most of the files have, and the channels of most; None if none says."""
    rates: Counter[float] = Counter()
    channels: Counter[int] = Counter()
    for path in paths:
        with suppress(DataError), open_recording(path, columns=reading.columns) as recording:
            channels[recording.channels] += 1
            if recording.rate_hz is not None:
                rates[recording.rate_hz] += 1
    rate = reading.rate_hz or next((rate for rate, _ in rates.most_common(1)), None)
    return rate, next((number for number, _ in channels.most_common(1)), None)


def _in_signal(mine: pd.DataFrame, signal: Signal, name: str) -> pd.DataFrame:
    """A recording's events in samples of the signal, which may be resampled."""
    length, rate = signal.x.shape[1], signal.rate_hz
    if rate is None or signal.file_rate_hz in (None, rate):
        return true_events(mine, rate, length, name)
    scale = rate / signal.file_rate_hz
    events = true_events(mine, signal.file_rate_hz, round(length / scale), name)
    start, end = (np.rint(events[column] * scale).astype(np.int64) for column in ("start", "end"))
    return events.assign(start=start, end=np.maximum(end, start + 1))


def true_events(mine: pd.DataFrame, rate_hz: float | None, length: int, name: str) -> pd.DataFrame:
    """The events of the recording `name` in samples of its file, ``file, start, end, label``.

    Raises
    ------
    DataError
        If they cannot be true of a recording of that rate and length.
    """
    try:
        # Columns that other recordings have, labelled in another unit, are empty here.
        events = in_samples(mine.dropna(axis=1, how="all") if len(mine) else mine, rate_hz)
        check_labels(events, length)
    except (ArgumentError, DataError) as error:
        raise DataError(f"{name}: labels, {error}") from error
    return events.assign(start=events["start"].clip(lower=0), end=events["end"].clip(upper=length))


def _of_array(array: np.ndarray, name: str, reading: Reading) -> Signal:
    x = np.asarray(array)
    x = x[None] if x.ndim == 1 else x
    if x.ndim != 2 or x.dtype.kind not in "biuf" or not x.size or not np.isfinite(x).all():
        raise DataError(
            f"{name}: must be finite numbers (channels, samples) or (samples,); got {x.dtype} {x.shape}, or NaN or "
            "infinity in it. Reshape or repair it."
        )
    return Signal(x.astype(np.float32), reading.rate_hz)
