"""Labels of recordings, from the formats that programs for annotation write."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from scanwise.errors import ArgumentError, DataError
from scanwise.events._cells import Cells, check_order, first_line, is_number, read_rows

__all__ = ["parse_labels"]

_RAVEN_TIMES = ("Begin Time (s)", "End Time (s)")
_SAMPLES, _SECONDS = ("start", "end"), ("start_s", "end_s")
_CSV_COLUMNS = "file, start_s, end_s, label or file, start, end, label"


def parse_labels(text: str, *, label_column: str | None = None, file: str | None = None) -> pd.DataFrame:
    r"""Read labels of recordings from the text of a file.

    The format is told by the first line that is not blank. Each row becomes an event, or the text is refused.

    * *Nothing but blank lines*: an empty table, "reviewed, and there was nothing".
    * *Raven selection table* [1]_: tabs, and one of the names is ``Begin Time (s)`` or ``End Time (s)``. Raven
      writes a row for each view of a selection, so rows that agree in ``Selection``, recording, times and
      label are one event.
    * *Audacity label track* [2]_: tabs, and the first cell is a number. A row is start, end and label; lines
      that begin with a backslash hold the frequencies of the label before and are passed over.
    * *CSV*: no tab, commas, and the names are ``file, start_s, end_s, label`` (seconds) or ``file, start, end,
      label`` (samples), in any order, or all of these. Other columns are dropped. This is how events are
      written, too. Seconds beside samples are kept only if all of them are filled in.

    Labels, and names of recordings, are kept as they are written, spaces included.

    Parameters
    ----------
    text
        With line ends of any kind, with or without a byte order mark.
    label_column
        Column of the labels in Raven selection tables. None means ``Annotation``.
    file
        The recording, where the text does not name it: an Audacity label track never does. A Raven selection
        table does if it has a column ``Begin File``, or ``Begin Path``, of which the last part is taken; its
        times are then those in ``File Offset (s)``, if there, because Raven counts ``Begin Time (s)`` from the
        start of the first of the files that are open together.

    Returns
    -------
    DataFrame
        ``file, start_s, end_s, label``, in seconds; or from CSV with ``start, end``, integer samples, instead
        or beside. The index is the number of the row, counted from 0 without the line of names, so that
        `check_labels` can name it. A start in CSV may be negative, as of events found at the edge of a
        recording.

    Raises
    ------
    DataError
        When the format is none of these, a column is missing or there twice, a row has more cells than there
        are columns, or a cell is blank, no finite number with a decimal point, a negative time or an end
        before its start; or when a Raven selection table is of several files and lacks ``File Offset (s)``. The
        message names the row, counted from 1, but not the file that the text is from.
    ArgumentError
        When the text does not name the recording and `file` does not either.

    References
    ----------
    .. [1] Raven Pro User's Manual, Cornell Lab of Ornithology. On ``File Offset (s)``:
       https://github.com/maRce10/Rraven/issues/3
    .. [2] https://manual.audacityteam.org/man/importing_and_exporting_labels.html

    Examples
    --------
    >>> parse_labels("0.5\t1.25\tcall\n\\\t1000\t4000\n2.0\t2.0\tclick\n", file="night1.wav")
             file  start_s  end_s  label
    0  night1.wav      0.5   1.25   call
    1  night1.wav      2.0   2.00  click
    """
    text = text.removeprefix("\ufeff")
    line = first_line(text)
    if not line:
        return _table([], dict.fromkeys(_SECONDS, np.empty(0)), [])
    delimiter = "\t" if "\t" in line else ","
    rows = read_rows(text, delimiter)
    names = rows[0] if rows else []
    if delimiter == "\t" and is_number(names[0]):
        return _audacity(rows, file)
    if delimiter == "\t" and not set(names).isdisjoint(_RAVEN_TIMES):
        return _raven(Cells(names, rows[1:]), "Annotation" if label_column is None else label_column, file)
    if delimiter == "," and not set(names).isdisjoint({"file", "label", *_SAMPLES, *_SECONDS}):
        return _csv(Cells(names, rows[1:]))
    raise DataError(
        "the first line must be that of an Audacity label track, of a Raven selection table, or of a CSV with the "
        f"columns {_CSV_COLUMNS}; got {line[:80]!r}. Export it in one of these."
    )


def _csv(cells: Cells) -> pd.DataFrame:
    has_samples, has_seconds = (set(pair) <= set(cells.names) for pair in (_SAMPLES, _SECONDS))
    cells.need(["file", *(_SAMPLES if has_samples else _SECONDS), "label"], f"The first line must name {_CSV_COLUMNS}")
    times = {}
    if has_samples:
        times = {name: cells.numbers(name, whole=True).astype(np.int64) for name in _SAMPLES}
        check_order(times["start"], times["end"], _SAMPLES, range(len(cells.rows)))
    if not has_samples or (has_seconds and all(cell.strip() for name in _SECONDS for cell in cells.column(name))):
        times |= {name: cells.numbers(name) for name in _SECONDS}
        check_order(times["start_s"], times["end_s"], _SECONDS, range(len(cells.rows)))
    return _table(cells.texts("file"), times, cells.texts("label"))


def _audacity(rows: list[list[str]], file: str | None) -> pd.DataFrame:
    cells = Cells(["start", "end", "label"], [row for row in rows if not row[0].startswith("\\")])
    start, end = cells.numbers("start", least=0), cells.numbers("end", least=0)
    check_order(start, end, ("start", "end"), range(len(start)))
    return _table(_one_file(file, len(start)), {"start_s": start, "end_s": end}, cells.texts("label"))


def _raven(cells: Cells, label_column: str, file: str | None) -> pd.DataFrame:
    cells.need(_RAVEN_TIMES, "Export the selection table from Raven with these columns")
    cells.need([label_column], "Say which column holds the labels (label_column)")
    start, end = (cells.numbers(name, least=0) for name in _RAVEN_TIMES)
    check_order(start, end, _RAVEN_TIMES, range(len(start)))
    files = _raven_files(cells)
    if files is not None and "File Offset (s)" in cells.names:
        offset = cells.numbers("File Offset (s)", least=0)
        start, end = offset, offset + (end - start)
    elif files is not None and len(set(files)) > 1:
        raise DataError(
            f"is of {len(set(files))} files, and its times count from the start of the first. In Raven, add the "
            "measurement File Offset (s) to the table, or export one table per file."
        )
    files = _one_file(file, len(start)) if files is None else files
    table = _table(files, {"start_s": start, "end_s": end}, cells.texts(label_column))
    if "Selection" not in cells.names:
        return table
    return table[~table.assign(selection=cells.column("Selection")).duplicated()]


def _raven_files(cells: Cells) -> list[str] | None:
    """The recording of each row, if the table names it."""
    if "Begin File" in cells.names:
        return cells.texts("Begin File")
    if "Begin Path" in cells.names:
        return [re.split(r"[\\/]", path)[-1] for path in cells.texts("Begin Path")]
    return None


def _one_file(file: str | None, rows: int) -> list[str]:
    if file is None and rows:
        raise ArgumentError("file must name the recording, as the labels themselves do not; got None. Name it.")
    return [str(file)] * rows


def _table(files: list[str], times: dict[str, np.ndarray], labels: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"file": pd.Series(files, dtype="str"), **times, "label": pd.Series(labels, dtype="str")})
