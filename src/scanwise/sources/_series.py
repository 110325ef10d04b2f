"""Recordings as CSV: a row a moment, a column a channel."""

from __future__ import annotations

import csv
import io
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from math import inf, isfinite, nan

import numpy as np

from scanwise.sources._files import finite_float32, open_file, problem
from scanwise.sources._readers import HeldReader

__all__ = ["open_series"]

_TIME = "time_s"
_NAMING = "The first line names the columns"
_REMEDY = "Correct it, or remove the row"


def open_series(path: str | os.PathLike[str], columns: Sequence[str] | None = None) -> HeldReader:
    """Load a CSV file as a recording.

    The first line names the columns; a line of numbers is the first row instead, and the columns are called
    1, 2, and so on. Every column is a channel, or those of `columns` in that order. A column ``time_s`` is
    none: its seconds must lie within a quarter of a step of an even clock, so that a row too few or too many
    is noticed even if the times are rounded.

    Raises
    ------
    DataError
        When the file is missing, empty or no CSV, lacks a column, a line has too many or too few cells, a cell
        is no finite number, or the times are uneven.
    """
    with open_file(path) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        try:
            rows = _without_end(csv.reader(text, strict=True))
            head = [cell.strip() for cell in next(rows, [])]
            is_row = all(isfinite(_number(cell)) for cell in head)
            names = [str(i + 1) for i in range(len(head))] if is_row else head
            channels = _channels(names, columns, path)
            timed = [_TIME] if _TIME in names else []
            x = _numbers(chain([head] if is_row else [], rows), names, channels + timed, path)
        except (csv.Error, UnicodeDecodeError) as error:
            raise problem(path, f"not a readable CSV table ({error})", "Save it as UTF-8, comma-separated") from error
    return HeldReader(finite_float32(x[: len(channels)], path), _rate_hz(x[-1], path) if timed else None)


def _without_end(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    """The rows without the blank lines after the last; those between rows are rows that lack their cells."""
    blank = 0
    for row in rows:
        if row:
            yield from ([] for _ in range(blank))
            yield row
        blank = 0 if row else blank + 1


def _channels(names: list[str], columns: Sequence[str] | None, path: str | os.PathLike[str]) -> list[str]:
    """Names of the columns that are channels."""
    listed = ", ".join(names)
    if len(set(names)) < len(names):
        raise problem(path, f"two of its columns have one name ({listed})", "Rename one")
    channels = [name for name in names if name != _TIME] if columns is None else list(columns)
    for name in channels:
        if name not in names:
            raise problem(path, f"lacks the column {name}; has {listed}", _NAMING)
    if not channels:
        raise problem(path, f"has no column that is a channel; has {listed or 'none'}", _NAMING)
    return channels


def _numbers(
    rows: Iterable[list[str]], names: list[str], wanted: list[str], path: str | os.PathLike[str]
) -> np.ndarray:
    """The wanted columns, float64 `(wanted, rows)`."""
    places = [(name, names.index(name)) for name in wanted]
    values = array("d")
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise problem(path, f"row {number} has {len(row)} cells; there are {len(names)} columns", _REMEDY)
        for name, place in places:
            value = _number(row[place])
            if not isfinite(value):
                what = f"row {number}: {name} must be a finite number; got {row[place]!r}"
                raise problem(path, what, _REMEDY)
            values.append(value)
    return np.array(values).reshape(-1, len(wanted)).T


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return nan


def _rate_hz(times: np.ndarray, path: str | os.PathLike[str]) -> float | None:
    """Samples a second, of times in seconds; None of a single one."""
    if len(times) < 2:
        return None
    first, last = float(times[0]), float(times[-1])
    step = (last - first) / (len(times) - 1)
    rate, row = (1 / step if step else 0), len(times)
    if 0 < rate < inf:
        with np.errstate(over="ignore", invalid="ignore"):
            off = np.abs(times - first - step * np.arange(len(times)))
        if off.max() <= step / 4:
            # Times that were rounded tell the rate only roughly: within that, it is taken to be whole.
            known_to = 2 * float(off.max()) / (last - first) * rate
            return float(round(rate)) if abs(rate - round(rate)) <= known_to < rate else float(f"{rate:.9g}")
        row = int(off.argmax()) + 1
    what = f"{_TIME} must increase evenly; row {row} is off, at {times[row - 1]:g} s"
    raise problem(path, what, "Resample it, or leave the column out and give the rate")
