"""Tables as CSV, with the columns that are asked for or one clear line."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd

from scanwise.sources._atomic import atomic_write
from scanwise.sources._files import open_file, problem

__all__ = ["read_table", "write_table"]

_MOST = 2**53
"""Up to here a float64, and so a cell, is exactly a whole number."""


def read_table(path: str | os.PathLike[str], columns: Mapping[str, type]) -> pd.DataFrame:
    r"""Read a CSV table that has at least the given columns.

    Parameters
    ----------
    path
        UTF-8, comma-separated, the first line names the columns. A table without rows is a table: "looked,
        and there was nothing".
    columns
        What each column holds: `str` (never guessed: ``007`` and ``NA`` stay), `int` or `float`. Columns that
        are not named here are kept as text. ``scanwise.events.event_columns`` gives those of a truth table.

    Returns
    -------
    DataFrame
        The rows in the file's order, numbered from 0.

    Raises
    ------
    DataError
        When the file is missing, empty or no CSV, lacks a column, or a cell is blank, NaN or not of its
        column's kind; the message counts rows from 1.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "truth.csv")
    >>> _ = path.write_text("file,start,end,label\na.npy,10,20,007\n")
    >>> read_table(path, {"file": str, "start": int, "label": str}).label[0]
    '007'
    """
    with open_file(path) as stream, warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # cells beyond the columns would be lost
        try:
            frame = pd.read_csv(stream, dtype=str, keep_default_na=False, index_col=False, encoding="utf-8-sig")
        except (ValueError, pd.errors.ParserError, pd.errors.ParserWarning) as error:
            what = f"not a readable CSV table ({error})"
            raise problem(path, what, "Save it as UTF-8, comma-separated") from error
    missing = [name for name in columns if name not in frame]
    if missing:
        what = f"lacks the column {', '.join(missing)}; has {', '.join(frame.columns)}"
        raise problem(path, what, f"The first line must name {', '.join(columns)}")
    for name, kind in columns.items():
        frame[name] = _converted(frame[name], kind, path)
    return frame


def _converted(column: pd.Series, kind: type, path: str | os.PathLike[str]) -> pd.Series:
    if kind is str:
        good, values = column.str.strip() != "", column
    else:
        values = pd.to_numeric(column, errors="coerce").astype(np.float64)
        good = np.isfinite(values)
        if kind is int:
            good &= (values % 1 == 0) & (values.abs() <= _MOST)
    if not good.all():
        row = int(np.argmin(good.to_numpy()))
        noun = {str: "text", int: "a whole number", float: "a finite number"}[kind]
        what = f"row {row + 1}: {column.name} must be {noun}; got {column.iloc[row]!r}"
        raise problem(path, what, "Correct it or remove the row")
    return values.astype(np.int64) if kind is int else values


def write_table(path: str | os.PathLike[str], frame: pd.DataFrame) -> None:
    """Write a table as CSV, atomically, without its index. Raises `DataError` when it cannot be written."""
    text = io.StringIO()
    frame.to_csv(text, index=False, lineterminator="\n")
    atomic_write(path, text.getvalue())
