"""Text as rows of cells under named columns; what is wrong with one names its row."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scanwise.errors import DataError

__all__ = ["Cells", "check_order", "first_line", "is_number", "read_rows"]

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
"""Narrower than `float`, which takes ``nan``, ``1_000`` and digits of any script."""

_MOST = 2**53
"""Up to here a float64, and so a cell, is exactly a whole number."""


@dataclass(frozen=True)
class Cells:
    """Rows under named columns, counted from 1 in messages; a cell that is missing at the end of a row is empty."""

    names: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, start=1):
            if len(row) > len(self.names):
                raise DataError(
                    f"row {number} must have at most {len(self.names)} cells; got {len(row)}. Remove what is too much, "
                    "or quote a cell that holds a comma."
                )

    def need(self, names: Sequence[str], remedy: str) -> None:
        """Refuse a text that lacks one of these columns."""
        missing = [name for name in names if name not in self.names]
        if missing:
            raise DataError(f"lacks the column {', '.join(missing)}; has {', '.join(self.names)}. {remedy}.")

    def column(self, name: str) -> list[str]:
        """The cells of a column, whatever they hold."""
        if self.names.count(name) > 1:
            raise DataError(f"has the column {name} more than once. Remove or rename all but one.")
        place = self.names.index(name)
        return [row[place] if place < len(row) else "" for row in self.rows]

    def texts(self, name: str) -> list[str]:
        """The cells of a column, none blank, as they are written."""
        cells = self.column(name)
        for row, cell in enumerate(cells):
            if not cell.strip():
                raise DataError(f"row {row + 1}: {name} must be text; got {cell!r}. Fill it in or remove the row.")
        return cells

    def numbers(self, name: str, *, whole: bool = False, least: float = -np.inf) -> np.ndarray:
        """The cells of a column as finite float64 numbers, all whole or not, none below `least`."""
        cells = self.column(name)
        values = np.array([float(cell) if _NUMBER.fullmatch(cell) else np.nan for cell in cells])
        good = np.abs(values) <= _MOST  # false for NaN
        noun, remedy = "a number, such as 1.5", "Correct it or remove the row"
        if whole:
            good &= values == np.rint(values)
            noun = "a whole number"
        if least > -np.inf:
            good &= values >= least
            noun += f", at least {least:g}"
        if not good.all():
            row = int(np.argmin(good))
            if "," in cells[row]:
                remedy = "Write numbers with a decimal point and without separators between thousands"
            raise DataError(f"row {row + 1}: {name} must be {noun}; got {cells[row]!r}. {remedy}.")
        return values


def read_rows(text: str, delimiter: str) -> list[list[str]]:
    """Split text into the cells of the lines that are not blank; lines end in any of the three ways.

    Between commas, a cell may be quoted; between tabs, a quote is a letter like others.
    """
    lines = io.StringIO(text, newline="")
    try:
        # strict: a quote that is never closed would swallow all rows after it.
        if delimiter == ",":
            rows = list(csv.reader(lines, strict=True))
        else:
            rows = list(csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE))
    except csv.Error as error:
        raise DataError(f"not a readable table ({error}). Export it again.") from error
    return [row for row in rows if len(row) > 1 or "".join(row).strip()]


def check_order(first: np.ndarray, last: np.ndarray, names: Sequence[str], index: Sequence[int]) -> None:
    """Refuse a row that ends before it starts; `index` counts rows from 0."""
    wrong = last < first
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"row {index[row] + 1}: {names[1]} must not be before {names[0]}; got {last[row]:.12g}, before "
            f"{first[row]:.12g}. Correct it or remove the row."
        )


def first_line(text: str) -> str:
    """The first line that is not blank, without its end; nothing where there is none."""
    return next((line.rstrip("\n") for line in io.StringIO(text, newline=None) if line.strip()), "")


def is_number(cell: str) -> bool:
    """Whether a cell is meant as a number, also if with a decimal comma."""
    return _NUMBER.fullmatch(cell.replace(",", ".")) is not None
