"""Labels of a recording in samples, and whether they can be true of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scanwise._checks import real, whole
from scanwise.errors import ArgumentError, DataError
from scanwise.events._cells import check_order

__all__ = ["check_labels", "in_samples"]

_MOST = 2**53
"""Up to here a float64 is exactly a whole number."""


def in_samples(table: pd.DataFrame, rate_hz: float | None) -> pd.DataFrame:
    """Give the events of recordings in samples.

    Parameters
    ----------
    table
        With the columns ``file, label`` and ``start, end`` (samples) or ``start_s, end_s`` (seconds), as
        `parse_labels` gives it. Samples win where there are both.
    rate_hz
        Samples a second. Not needed for a table in samples.

    Returns
    -------
    DataFrame
        ``file, start, end, label``, int64 samples, half-open, with the index of `table`. A time in seconds
        becomes the nearest sample, of two the even one. An event shorter than a sample, such as a point label,
        becomes one sample long.

    Raises
    ------
    ArgumentError
        When columns are missing, or the table is in seconds and the rate is unknown or not positive.
    DataError
        When a start or an end is no whole number of samples, no number, or beyond 2**53 samples, or an end is
        before its start. Rows are named by the index, counted from 1.

    Examples
    --------
    >>> table = pd.DataFrame({"file": ["a", "a"], "start_s": [0.5, 2.0], "end_s": [1.25, 2.0], "label": ["b", "c"]})
    >>> in_samples(table, 8000)
      file  start    end label
    0    a   4000  10000     b
    1    a  16000  16001     c
    """
    is_timed = not {"start", "end"} <= set(table.columns)
    names = ("start_s", "end_s") if is_timed else ("start", "end")
    if not {"file", *names, "label"} <= set(table.columns):
        raise ArgumentError(
            "table must have the columns file, start, end, label or file, start_s, end_s, label; "
            f"got {', '.join(map(str, table.columns))}. Take it from parse_labels."
        )
    if is_timed and rate_hz is None:
        raise ArgumentError(
            "rate_hz must be given for labels in seconds; got None. Give the recording's rate, or labels in samples."
        )
    rate_hz = real("rate_hz", rate_hz, above=0) if is_timed else None
    start, end = (_whole(table, name, rate_hz) for name in names)
    check_order(start, end, names, table.index)
    return table[["file"]].assign(start=start, end=np.maximum(end, start + 1), label=table["label"])


def _whole(table: pd.DataFrame, name: str, rate_hz: float | None) -> np.ndarray:
    values: np.ndarray = table[name].to_numpy(np.float64)
    with np.errstate(over="ignore"):
        samples = values if rate_hz is None else np.rint(values * rate_hz)
    good = (np.abs(samples) <= _MOST) & (samples == np.rint(samples))  # false for NaN
    if not good.all():
        row = int(np.argmin(good))
        rule = "a whole number of samples" if rate_hz is None else "a time of at most 2**53 samples"
        raise DataError(f"row {_number(table, row)}: {name} must be {rule}; got {values[row]}. Correct it.")
    return samples.astype(np.int64)


def check_labels(table: pd.DataFrame, length: int) -> None:
    """Refuse labels that cannot be true of a recording.

    The middle of an event must lie within the recording; what reaches beyond it, as events found at the edge do,
    is the caller's to clip. Two events of different labels
    must not overlap by more than half of the shorter one. All other overlaps are allowed.

    Parameters
    ----------
    table
        Events of one recording, as `in_samples` gives them: ``start, end, label``. Rows are named by the
        index, counted from 1.
    length
        Samples of the recording.

    Raises
    ------
    ArgumentError
        When columns are missing, or `length` is no whole number or negative.
    DataError
        When an event does not lie within the recording, or two contradict each other; names rows and times.

    Examples
    --------
    >>> table = pd.DataFrame({"start": [10, 15], "end": [20, 30], "label": ["call", "song"]})
    >>> check_labels(table, length=30)
    >>> check_labels(table.assign(start=[10, 12]), length=30)
    Traceback (most recent call last):
    scanwise.errors.DataError: rows 1 and 2 must not both hold; got call from 10 to 20 and song from 12 to 30, which \
overlap by more than half of the shorter one. Correct one of them, or remove it.
    """
    length = whole("length", length, least=0)
    if not {"start", "end", "label"} <= set(table.columns):
        raise ArgumentError(
            f"table must have the columns start, end, label; got {', '.join(map(str, table.columns))}. "
            "Take it from in_samples."
        )
    start, end = table["start"].to_numpy(np.int64), table["end"].to_numpy(np.int64)
    outside = (start + end < 0) | (start + end > 2 * length) | (length == 0)
    if outside.any():
        row = int(np.argmax(outside))
        raise DataError(
            f"row {_number(table, row)} must lie within the recording, samples 0 to {length}; "
            f"got {_words(table, row)}. Correct it, or see whether the labels are of this recording."
        )
    # Two events overlap by more than half of the shorter one exactly where one of them spans the middle of the
    # other. So count the events across every middle, and of these the ones of its own label, by laying the labels
    # out one after the other. All is doubled, so there are no halves.
    middle, start, end = start + end, 2 * start, 2 * end
    labels, _ = pd.factorize(table["label"])
    away = labels * (np.ptp(np.concatenate([start, end])) + 1 if len(start) else 1)
    contradicted = _across(middle, start, end) > _across(middle + away, start + away, end + away)
    if contradicted.any():
        row = int(np.argmax(contradicted))
        other = int(np.argmax((start < middle[row]) & (middle[row] < end) & (labels != labels[row])))
        row, other = sorted((row, other))
        raise DataError(
            f"rows {_number(table, row)} and {_number(table, other)} must not both hold; got {_words(table, row)} and "
            f"{_words(table, other)}, which overlap by more than half of the shorter one. Correct one of them, or "
            "remove it."
        )


def _across(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """How many of the open intervals each point lies in."""
    return np.searchsorted(np.sort(start), points, "left") - np.searchsorted(np.sort(end), points, "right")


def _number(table: pd.DataFrame, row: int) -> int:
    return int(table.index[row]) + 1


def _words(table: pd.DataFrame, row: int) -> str:
    label, start, end = (table[name].iloc[row] for name in ("label", "start", "end"))
    return f"{label} from {start} to {end}"
