"""Events as tables: one row an event, the same columns for what is found and for the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from scanwise.errors import ArgumentError
from scanwise.events._event import Event

__all__ = ["bounds_columns", "event_columns", "events_table"]

# First and last of each axis, in the order of the array: rows (y) before columns (x).
_BOUNDS = {1: (("start", "end"),), 2: (("y0", "y1"), ("x0", "x1"))}
_COLUMNS: dict[int, dict[str, type]] = {
    1: {
        "file": str,
        "start": int,
        "end": int,
        "start_s": float,
        "end_s": float,
        "label": str,
        "score": float,
    },
    2: {"file": str, "x0": int, "y0": int, "x1": int, "y1": int, "label": str, "score": float},
}
_FOUND_ONLY = ("start_s", "end_s", "score")


def event_columns(axes: int) -> dict[str, type]:
    """Columns that a table of true events must have, with their types, to read it by.

    Parameters
    ----------
    axes
        1 for signals: ``file, start, end, label``, in samples. 2 for images: ``file, x0, y0, x1, y1, label``,
        in pixels. All intervals are half-open.

    Raises
    ------
    ArgumentError
        When `axes` is neither.

    Examples
    --------
    >>> list(event_columns(2))
    ['file', 'x0', 'y0', 'x1', 'y1', 'label']
    """
    return {name: kind for name, kind in _COLUMNS[_checked(axes)].items() if name not in _FOUND_ONLY}


def events_table(events: Sequence[Event], file: str, *, axes: int, rate_hz: float | None = None) -> pd.DataFrame:
    """Put the events of one input into a table.

    Parameters
    ----------
    events
        As `find_peaks` gives them.
    file
        Name of the input, the same in every row.
    axes
        1 for signals, 2 for images.
    rate_hz
        Samples a second. None leaves the columns in seconds empty. Signals only.

    Returns
    -------
    DataFrame
        For signals ``file, start, end, start_s, end_s, label, score``, for images ``file, x0, y0, x1, y1,
        label, score``; with these columns and types also when there are no events.

    Raises
    ------
    ArgumentError
        When `axes` is neither 1 nor 2 or not that of the events.
    """
    columns: dict[str, list[object]] = {name: [] for name in _COLUMNS[_checked(axes)]}
    for event in events:
        if len(event.start) != axes:
            raise ArgumentError(f"events must have {axes} axes; got {event}. Give the axes of the input.")
        for (first, last), start, stop in zip(_BOUNDS[axes], event.start, event.stop, strict=True):
            columns[first].append(start)
            columns[last].append(stop)
        if axes == 1:
            columns["start_s"].append(np.nan if rate_hz is None else event.start[0] / rate_hz)
            columns["end_s"].append(np.nan if rate_hz is None else event.stop[0] / rate_hz)
        columns["file"].append(file)
        columns["label"].append(event.label)
        columns["score"].append(event.score)
    kinds = {name: {str: "str", int: "int64", float: "float64"}[kind] for name, kind in _COLUMNS[axes].items()}
    return pd.DataFrame({name: pd.Series(values, dtype=kinds[name]) for name, values in columns.items()})


def bounds_columns(table: pd.DataFrame, argument: str) -> tuple[tuple[str, str], ...]:
    """Names of the first and last column of each axis of a table of events, told by the columns it has."""
    for axes, bounds in _BOUNDS.items():
        if set(event_columns(axes)) <= set(table.columns):
            return bounds
    raise ArgumentError(
        f"{argument} must have the columns {', '.join(event_columns(1))} or {', '.join(event_columns(2))}; "
        f"got {', '.join(map(str, table.columns))}. Rename them."
    )


def _checked(axes: int) -> int:
    if axes not in _BOUNDS:
        raise ArgumentError(f"axes must be 1 (signals) or 2 (images); got {axes}. Search one input at a time.")
    return axes
