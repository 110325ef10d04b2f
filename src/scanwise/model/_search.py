"""Searching inputs for events, one after the other; a bad one never loses the good ones."""

from __future__ import annotations

import glob
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scanwise.errors import ArgumentError, DataError, InputFailed
from scanwise.events import Event, events_table, find_peaks
from scanwise.model._clips import checked_input, padded
from scanwise.model._layout import extent_of
from scanwise.sources import (
    ARRAY_SUFFIXES,
    IMAGE_SUFFIXES,
    Signal,
    is_folder,
    is_manifest,
    list_recordings,
    read_input,
    visible_files,
)

if TYPE_CHECKING:
    from scanwise.model._model import Model

__all__ = ["Inputs", "Searched", "collected", "empty_events", "named_inputs", "search"]

Input = str | os.PathLike[str] | np.ndarray
Inputs = Input | Sequence[Input]


@dataclass(frozen=True, eq=False)
class Searched:
    """What came of one input.

    Attributes
    ----------
    file
        Its name.
    number, total
        Its place among all inputs, from 1, and how many there are.
    events
        The table of what was found; empty if nothing was, or the input failed, or the model has no classes.
    scores
        Dense scores ``(outputs, *positions)``; None if the input failed.
    origin
        First sample of the window at position 0, per axis; negative, as inputs are padded by half a window.
    error
        Why the input failed, or None.
    length, rate_hz
        Samples of its file, and how many of them a second; 0 and None of images, and if it failed. The rate is None
        where nobody knows it.
    """

    file: str
    number: int
    total: int
    events: pd.DataFrame
    scores: np.ndarray | None
    origin: tuple[int, ...]
    error: str | None = None
    length: int = 0
    rate_hz: float | None = None

    @property
    def seconds(self) -> float | None:
        """Its duration, where the rate is known."""
        return None if self.rate_hz is None else self.length / self.rate_hz


def named_inputs(inputs: Inputs, *, axes: int) -> list[tuple[str, Input]]:
    """Every single input with its name; patterns, manifests and folders are expanded, in sorted order.

    Parameters
    ----------
    inputs
        What the user named.
    axes
        1 for recordings, 2 for images.

    Raises
    ------
    ArgumentError
        If a pattern or folder holds nothing that can be read, or there is no input at all.
    DataError
        If a folder of recordings or a manifest cannot be read, or holds nothing.
    """
    if isinstance(inputs, np.ndarray):
        return [("array", inputs)]
    if isinstance(inputs, str | os.PathLike):
        inputs = [inputs]
    named: list[tuple[str, Input]] = []
    for number, given in enumerate(inputs):
        if isinstance(given, str | os.PathLike):
            named += [(file, file) for file in _files(os.fspath(given), axes)]
        else:
            named.append((f"array[{number}]", given))
    if not named:
        raise ArgumentError("inputs must name at least one file or array; got none. Give one.")
    return list({name: (name, given) for name, given in named}.values())  # a file named twice is searched once


def _files(path: str, axes: int) -> list[str]:
    if not path:
        raise ArgumentError("inputs must be names of files or folders; got an empty one. Leave it out.")
    if axes == 1 and (is_folder(path) or is_manifest(path)):
        return [file for _, file in list_recordings(path)]
    if is_folder(path):
        suffixes = ARRAY_SUFFIXES + IMAGE_SUFFIXES
        found = sorted(str(file) for file in visible_files(Path(path)) if file.suffix.lower() in suffixes)
    elif glob.has_magic(path) and not os.path.exists(path):  # noqa: PTH110 - a name may be too long
        found = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - the pattern may be absolute
    else:
        return [path]
    if not found:
        raise ArgumentError(f"inputs must exist; got none for {path}. Check the path.")
    return found


def search(
    model: Model,
    inputs: Sequence[tuple[str, Input]],
    *,
    threshold: float | None,
    hop: float | Sequence[int] | None,
    merge_gap: float | None,
    resample: bool = False,
) -> Iterator[Searched]:
    """Search each input in turn; what is wrong with one is reported in its result."""
    info = model.info
    reading = info.reading(resample=resample)
    scanner = model.scanner(hop)
    origin = tuple(-(extent // 2) for extent in info.window)
    gap = None if merge_gap is None else extent_of("merge_gap", merge_gap, 1, info.sample_rate_hz)[0]
    if threshold is not None and not 0 <= threshold <= 1:
        raise ArgumentError(f"threshold must be from 0 to 1, as scores are; got {threshold}. The model has its own.")
    for number, (name, given) in enumerate(inputs, start=1):
        done = partial(Searched, name, number, len(inputs), origin=origin)
        try:
            signal = (
                Signal(given, info.sample_rate_hz)
                if isinstance(given, np.ndarray)
                else read_input(given, axes=len(info.window), reading=reading)
            )
            x = checked_input(signal.x, info, name)
            if any(size < extent for size, extent in zip(x.shape[1:], info.window, strict=True)):
                raise DataError(
                    f"{name}: must be at least as large as the window, {info.window}; got {x.shape[1:]}. "
                    "Ask for its one answer instead (predict)."
                )
            scores = np.asarray(scanner.scan(padded(x, [(-first, -first) for first in origin])))
            if not np.isfinite(scores).all():
                raise DataError(f"{name}: its values are too large for the network, scores overflow. Rescale it.")
        except DataError as error:
            yield done(events=empty_events(model), scores=None, error=str(error))
            continue
        except MemoryError:
            reason = f"{name}: does not fit in memory. Cut it into parts, or search at a larger hop."
            yield done(events=empty_events(model), scores=None, error=reason)
            continue
        table = empty_events(model)
        if info.classes is not None and info.thresholds is not None:
            events = find_peaks(
                scores,
                info.thresholds if threshold is None else threshold,
                window=info.window,
                hop=scanner.hop,
                labels=info.labels,
                origin=origin,
                merge_gap=gap,
            )
            table = _table(events, name, signal, axes=len(info.window))
        yield done(events=table, scores=scores, length=round(x.shape[1] * _scale(signal)), rate_hz=_rate(signal))


def collected(model: Model, results: Iterable[Searched]) -> pd.DataFrame:
    """All events in one table; inputs that fail are `InputFailed` warnings.

    Raises
    ------
    ArgumentError
        If the model has no classes.
    DataError
        If the only input fails.
    """
    if model.info.classes is None:
        raise ArgumentError(
            f"task must be classify to find patterns; got {model.info.task}. Scan for values instead: "
            "model.scanner().scan(x)."
        )
    tables = []
    for result in results:
        if result.error is not None and result.total == 1:
            raise DataError(result.error)
        if result.error is not None:
            warnings.warn(result.error, InputFailed, stacklevel=3)
        elif len(result.events):
            tables.append(result.events)
    return pd.concat(tables, ignore_index=True) if tables else empty_events(model)


def _rate(signal: Signal) -> float | None:
    """Samples a second of the file, not of what was made of it; None if nobody knows."""
    return signal.file_rate_hz or signal.rate_hz


def _scale(signal: Signal) -> float:
    """Samples of the file for one of the signal: 1, unless it was resampled."""
    return 1.0 if signal.file_rate_hz is None or signal.rate_hz is None else signal.file_rate_hz / signal.rate_hz


def _table(events: list[Event], name: str, signal: Signal, *, axes: int) -> pd.DataFrame:
    """The events of one input, in samples of its file."""
    scale = _scale(signal)
    if scale != 1:
        events = [
            replace(event, start=(round(event.start[0] * scale),), stop=(round(event.stop[0] * scale),))
            for event in events
        ]
    return events_table(events, name, axes=axes, rate_hz=_rate(signal))


def empty_events(model: Model) -> pd.DataFrame:
    """The table of an input in which nothing was found."""
    return events_table([], "", axes=len(model.info.window))
