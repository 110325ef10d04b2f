"""Events for programs in which people look at them: Audacity and Raven."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from scanwise._checks import real
from scanwise.errors import ArgumentError

__all__ = ["format_audacity", "format_raven"]

_RAVEN = ("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)")
_TAKEN = (*_RAVEN, "Score", "Begin File", "Begin Path", "File Offset (s)")
"""What means something else in a selection table than a label."""


def format_audacity(table: pd.DataFrame) -> str:
    r"""Write events of one recording as an Audacity label track.

    A line is start, end and label, with tabs between, in seconds with six decimals, as Audacity writes them:
    https://manual.audacityteam.org/man/importing_and_exporting_labels.html

    Parameters
    ----------
    table
        With the columns ``start_s, end_s, label``, of one recording. Times before its start, which windows
        found at its edge have, become 0.

    Returns
    -------
    str
        By rising start. `parse_labels` reads it back, to the microsecond.

    Raises
    ------
    ArgumentError
        When a column is missing, a time is not finite (as of a recording without a rate), the events are of
        several recordings, or a label is blank or holds a tab or a line break, for which neither format has a
        way.

    Examples
    --------
    >>> format_audacity(pd.DataFrame({"start_s": [0.5], "end_s": [1.25], "label": ["call"]}))
    '0.500000\t1.250000\tcall\n'
    """
    return _lines(zip(*_times_and_labels(table), strict=True))


def format_raven(table: pd.DataFrame, *, high_hz: float, label_column: str = "Annotation") -> str:
    r"""Write events of one recording as a Raven selection table.

    It has the seven columns that Raven needs to open it, then the labels and, if the events have scores, a
    column ``Score``. As a selection in Raven is a box, and events have no frequencies, boxes span all of them.

    Parameters
    ----------
    table
        As in `format_audacity`; ``score`` is optional.
    high_hz
        Upper edge of the boxes: half the rate of the recording. The lower edge is 0.
    label_column
        Name of the column of the labels.

    Returns
    -------
    str
        By rising start, in seconds with six decimals. `parse_labels` reads it back, to the microsecond.

    Raises
    ------
    ArgumentError
        As `format_audacity` does, or when `high_hz` is not positive, or `label_column` cannot be the name of a
        column or is that of one with another meaning.

    Examples
    --------
    >>> table = pd.DataFrame({"start_s": [0.5], "end_s": [1.25], "label": ["call"]})
    >>> print(format_raven(table, high_hz=4000).replace("\t", "|"), end="")
    Selection|View|Channel|Begin Time (s)|End Time (s)|Low Freq (Hz)|High Freq (Hz)|Annotation
    1|Spectrogram 1|1|0.500000|1.250000|0|4000|call
    """
    top = f"{real('high_hz', high_hz, above=0):.12g}"
    names = [*_RAVEN, label_column]
    if not _fits_a_cell(label_column) or label_column in _TAKEN:
        raise ArgumentError(
            f"label_column must be a name without tabs, of no column of Raven; got {label_column!r}. Leave it out."
        )
    starts, ends, labels = _times_and_labels(table)
    columns = [map(str, range(1, len(labels) + 1)), starts, ends, labels]
    rows = [
        [row, "Spectrogram 1", "1", start, end, "0", top, label]
        for row, start, end, label in zip(*columns, strict=True)
    ]
    if "score" in table:
        names.append("Score")
        scores = _by_start(table)["score"]
        rows = [[*row, f"{score:.6g}"] for row, score in zip(rows, scores, strict=True)]
    return _lines([names, *rows])


def _times_and_labels(table: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    missing = [name for name in ("start_s", "end_s", "label") if name not in table]
    if missing:
        raise ArgumentError(
            f"table must have the columns start_s, end_s, label; got {', '.join(map(str, table.columns))}. Rename them."
        )
    if "file" in table and table["file"].nunique() > 1:
        raise ArgumentError(f"table must be of one recording; got {table['file'].nunique()}. Write one text for each.")
    seconds = table[["start_s", "end_s"]].to_numpy(np.float64)
    if not np.isfinite(seconds).all():
        bad = int((~np.isfinite(seconds)).any(axis=1).sum())
        raise ArgumentError(f"table must have finite times; got {bad} rows without. Give the rate of the recording.")
    for label in table["label"].unique().tolist():
        if not _fits_a_cell(label):
            raise ArgumentError(f"label must be text without tabs and line breaks; got {label!r}. Rename it.")
    table = _by_start(table)
    # Adding 0 makes of -0.0, which would be written with its sign, 0.0.
    times = [[f"{max(time, 0) + 0.0:.6f}" for time in table[name].tolist()] for name in ("start_s", "end_s")]
    return times[0], times[1], table["label"].tolist()


def _by_start(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("start_s", kind="stable")


def _fits_a_cell(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip()) and not set("\t\n\r") & set(text)


def _lines(rows: Iterable[Iterable[str]]) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)
