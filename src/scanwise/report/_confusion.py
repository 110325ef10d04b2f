"""Which class was taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from scanwise.errors import ArgumentError
from scanwise.report._picture import new_figure

__all__ = ["confusion_picture", "confusion_table"]

_WIDEST = 12
_MOST_ROWS = 20
_MOST_NUMBERS = 30


def confusion_table(confusion: np.ndarray, classes: Sequence[str]) -> Table:
    """A confusion matrix for the terminal.

    Up to 12 classes all counts are shown, a row for each true class. Above, only the worst are, twenty at
    most, each with what it was taken for most often.

    Parameters
    ----------
    confusion
        `(classes, classes)` counts, `[true, predicted]`.
    classes
        Their names.

    Raises
    ------
    ArgumentError
        When the matrix is not square or the names do not fit.
    """
    counts = _checked(confusion, classes)
    right, total = counts.diagonal(), counts.sum(axis=1)
    share = np.divide(right, total, out=np.full(len(counts), np.nan), where=total > 0)
    table = Table(box=SIMPLE, title_justify="left")
    table.title = f"{right.sum() / max(total.sum(), 1):.2%} of {total.sum():,} right"
    (_fill_matrix if len(classes) <= _WIDEST else _fill_worst)(table, counts, share, classes)
    return table


def _fill_matrix(table: Table, counts: np.ndarray, share: np.ndarray, classes: Sequence[str]) -> None:
    table.add_column("true \\ answer")
    for name in classes:
        table.add_column(Text(name), justify="right")
    table.add_column("right", justify="right")
    for k, name in enumerate(classes):
        cells = [_cell(count, diagonal=j == k) for j, count in enumerate(counts[k].tolist())]
        table.add_row(Text(name), *cells, _percent(share[k]))


def _fill_worst(table: Table, counts: np.ndarray, share: np.ndarray, classes: Sequence[str]) -> None:
    table.add_column("class")
    table.add_column("clips", justify="right")
    table.add_column("right", justify="right")
    table.add_column("most often taken for")
    wrong = counts * ~np.eye(len(counts), dtype=bool)
    worst = [k for k in np.argsort(share, kind="stable").tolist() if wrong[k].any()]
    for k in worst[:_MOST_ROWS]:
        other = int(wrong[k].argmax())
        taken_for = Text(f"{classes[other]} ({wrong[k, other]:,})")
        table.add_row(Text(classes[k]), f"{counts[k].sum():,}", _percent(share[k]), taken_for)
    if len(worst) > _MOST_ROWS:
        table.caption = f"and {len(worst) - _MOST_ROWS} more classes with errors"
    else:
        table.caption = f"{len(classes) - len(worst)} classes without an error are not shown"


def confusion_picture(confusion: np.ndarray, classes: Sequence[str]) -> Figure:
    """The same as a picture: shades are shares of the true class, numbers are counts (up to 30 classes).

    Parameters and errors are those of `confusion_table`.
    """
    counts = _checked(confusion, classes)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.5 + 0.5 * min(len(classes), _MOST_NUMBERS)
    figure = new_figure(side + 0.8, side)
    axes = figure.subplots()
    drawn = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(drawn, ax=axes, fraction=0.046, label="share of the true class")
    step = max(1, -(-len(classes) // 60))
    ticks = range(0, len(classes), step)
    names = [classes[k] for k in ticks]
    upright = max(map(len, names)) > 2
    axes.set_xticks(ticks, names, rotation=90 if upright else 0, parse_math=False)
    axes.set_yticks(ticks, names, parse_math=False)
    axes.set(xlabel="answer", ylabel="true class")
    accuracy = counts.diagonal().sum() / max(counts.sum(), 1)
    axes.set_title(f"{accuracy:.2%} of {counts.sum():,} right")
    if len(classes) <= _MOST_NUMBERS:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if share[row, column] > 0.5 else "black"
            if count:
                axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=9)
    return figure


def _checked(confusion: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    counts = np.asarray(confusion)
    if counts.shape != (len(classes), len(classes)) or not len(classes):
        raise ArgumentError(f"confusion must be {len(classes)} x {len(classes)}; got {counts.shape}. Name each class.")
    return counts.astype(np.int64)


def _cell(count: int, *, diagonal: bool) -> Text:
    if not count:
        return Text("·", style="dim")
    return Text(f"{count:,}", style="bold" if diagonal else "red")


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else f"{share:.1%}"
