"""Five architectures on the same data: a picture, and the files of a comparison."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    EngFormatter,
    Formatter,
    FuncFormatter,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
    StrMethodFormatter,
)

from scanwise.audit import Comparison, Measured
from scanwise.report._picture import new_figure, png
from scanwise.sources import atomic_write, write_table

__all__ = ["COMPARISON_MARKER", "comparison_picture", "write_comparison"]

COMPARISON_MARKER = "comparison.csv"
"""The file by which a folder is known to hold a comparison."""

# Okabe and Ito's colours; markers and places say the same once more.
_STYLES = {
    "dense": ("#777777", "o"),
    "independent": ("#d55e00", "s"),
    "local": ("#e69f00", "^"),
    "scanning": ("#0072b2", "D"),
    "convolutional": ("#009e73", "v"),
}
_TICKS = EngFormatter()
_PERCENT = PercentFormatter(xmax=1)
_EXACT = 1e-9
"""Where a deviation of nothing at all is drawn on an axis of magnitudes."""


def write_comparison(comparison: Comparison, folder: str | os.PathLike[str]) -> None:
    """Write ``comparison.csv`` (a row per architecture), ``comparison.txt`` (as printed) and ``comparison.png``.

    Parameters
    ----------
    comparison
        What `scanwise.compare` found.
    folder
        An existing folder; `scanwise.sources.atomic_folder` makes one that appears when it is complete.

    Raises
    ------
    DataError
        When a file cannot be written.
    """
    write_table(Path(folder, COMPARISON_MARKER), comparison.table())
    atomic_write(Path(folder, "comparison.txt"), f"{comparison}\n")
    atomic_write(Path(folder, "comparison.png"), png(comparison_picture(comparison)))


def comparison_picture(comparison: Comparison) -> Figure:
    """Draw a comparison: what each architecture costs, how well it answers, and what happens when clips move.

    Above: parameters (light: on twice the extent), multiply-accumulates, peak memory and training time, on axes of
    magnitudes. Below: accuracy in training and held out, joined by the gap; deviation from equivariance; accuracy
    against shift; parameters of the two shared architectures against the width of the second layer.
    """
    figure = new_figure(17, 7.8)
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.08)
    panels = figure.subplots(2, 4)
    rows = comparison.rows
    grown = [row.parameters_at_twice for row in rows]
    sizes = [None if row.peak_bytes is None else row.peak_bytes / 2**20 for row in rows]
    _bars(panels[0, 0], rows, "parameters, and on twice the extent", [row.parameters for row in rows], light=grown)
    _bars(panels[0, 1], rows, "multiply-accumulates of a clip", [row.macs for row in rows])
    _bars(panels[0, 2], rows, "peak memory of a training step, MiB", sizes, shown="{:,.2f}".format)
    _bars(panels[0, 3], rows, "training, seconds", [row.seconds for row in rows], shown="{:.1f}".format)
    _accuracies(panels[1, 0], comparison)
    _deviations(panels[1, 1], rows)
    _shifts(panels[1, 2], comparison)
    _widths(panels[1, 3], comparison)
    for panel in (*panels[0], *panels[1, :2]):
        named = panel in panels[:, 0]
        panel.set_yticks(
            range(len(rows)), [f"{row.name}\n({row.output})" for row in rows] if named else [""] * len(rows)
        )
        panel.set_ylim(len(rows) - 0.5, -0.5)
        panel.grid(axis="x", alpha=0.3)
    size = " x ".join(map(str, comparison.space))
    figure.suptitle(
        f"{comparison.train_count:,} clips to learn from, {comparison.held_out_count:,} held out, "
        f"{len(comparison.classes)} classes; {comparison.channels} x {size} {comparison.unit}, "
        f"window {' x '.join(map(str, comparison.account.window))}"
    )
    return figure


def _count(number: float) -> str:
    return f"{number:.0f}" if number < 1000 else str(EngFormatter(places=1)(number))


def _bars(
    axes: Axes,
    rows: Sequence[Measured],
    title: str,
    values: Sequence[float | None],
    *,
    light: Sequence[float] = (),
    shown: Callable[[float], str] = _count,
) -> None:
    """A bar per architecture on an axis of magnitudes, with its number beside it; longer ones behind, in light."""
    known = [value for value in values if value]
    least, most = min(known), max([*known, *light])
    left = 10 ** np.floor(np.log10(least) - 0.3)
    for i, (row, value) in enumerate(zip(rows, values, strict=True)):
        colour, text, end = _STYLES[row.name][0], "not trained", left
        if value:
            text, end = shown(value), value
            axes.barh(i, value - left, left=left, height=0.7, color=colour)
        if light:
            text, end = f"{text} \u2192 {shown(light[i])}", light[i]
            axes.barh(i, end - left, left=left, height=0.7, color=colour, alpha=0.3)
        axes.text(end, i, f" {text}", va="center", fontsize=10)
    _magnitudes(axes, _TICKS if shown is _count else FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlim(left, left * (most / left) ** (1.75 if light else 1.45))
    axes.set_title(title, fontsize=11)


def _magnitudes(axes: Axes, formatter: Formatter) -> None:
    """A logarithmic axis in plain letters."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(formatter)
    axes.xaxis.set_minor_formatter(NullFormatter())


def _accuracies(axes: Axes, comparison: Comparison) -> None:
    """Accuracy in training (hollow) and held out (filled), joined by the gap."""
    lowest = 1.0
    for i, row in enumerate(comparison.rows):
        if row.train_accuracy is None or row.held_out_accuracy is None:
            axes.text(0.02, i, "not trained", va="center", fontsize=10, transform=axes.get_yaxis_transform())
            continue
        colour, marker = _STYLES[row.name]
        lowest = min(lowest, row.train_accuracy, row.held_out_accuracy)
        axes.plot([row.held_out_accuracy, row.train_accuracy], [i, i], color=colour, linewidth=3, alpha=0.4)
        axes.plot(row.train_accuracy, i, marker, color=colour, markersize=9, fillstyle="none", clip_on=False)
        axes.plot(row.held_out_accuracy, i, marker, color=colour, markersize=9, clip_on=False)
    axes.set_xlim(lowest - 0.1 * (1.02 - lowest), 1 + 0.05 * (1.02 - lowest))
    axes.xaxis.set_major_formatter(_PERCENT)
    axes.set_title("accuracy held out; in training (hollow)", fontsize=11)


def _deviations(axes: Axes, rows: Sequence[Measured]) -> None:
    for i, row in enumerate(rows):
        colour, marker = _STYLES[row.name]
        if row.deviation is None:
            axes.text(2 * _EXACT, i, "not trained", va="center", fontsize=10)
            continue
        at = max(row.deviation, _EXACT)
        axes.plot([_EXACT, at], [i, i], color=colour, linewidth=3, alpha=0.4)
        axes.plot(at, i, marker, color=colour, markersize=9, clip_on=False)
        text = "exact" if row.deviation == 0 else f"{row.deviation:.2g}"
        axes.annotate(text, (at, i), (9, 0), textcoords="offset points", va="center", fontsize=10)
    _magnitudes(axes, FuncFormatter(lambda value, _: f"{value:.0e}"))
    axes.set_xlim(_EXACT, 1e3)
    axes.set_title("map of the moved input: off by", fontsize=11)
    axes.set_xlabel("relative difference; 1e-7 is rounding")


def _shifts(axes: Axes, comparison: Comparison) -> None:
    for row in comparison.rows:
        if row.shifted_accuracies is not None and row.held_out_accuracy is not None:
            colour, marker = _STYLES[row.name]
            right = [row.held_out_accuracy, *row.shifted_accuracies]
            axes.plot([0, *comparison.shifts], right, color=colour, marker=marker, label=row.name)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(_PERCENT)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title("accuracy on moved clips", fontsize=11)
    axes.set_xlabel(f"moved by ({comparison.unit})")
    axes.legend(fontsize=9)
    axes.grid(alpha=0.3)


def _widths(axes: Axes, comparison: Comparison) -> None:
    """Where distributing begins to cost; both are straight lines through what was counted."""
    limit = comparison.account.crossover
    if limit is None or not comparison.crossings:
        axes.set_axis_off()
        return
    widths = [crossing.width for crossing in comparison.crossings]
    for name in ("scanning", "convolutional"):
        counts = [getattr(crossing, name) for crossing in comparison.crossings]
        axes.plot(widths, counts, color=_STYLES[name][0], marker=_STYLES[name][1], label=name)
    axes.axvline(float(limit), color="black", linestyle=":", label=f"equal: N2 = {float(limit):.4g}")
    axes.axvline(
        comparison.account.symbols["N2"],
        color="#aa3377",
        linestyle="--",
        label=f"here: N2 = {comparison.account.symbols['N2']}",
    )
    axes.set_title("parameters, by the width of layer 2", fontsize=11)
    axes.set_xlabel("N2")
    axes.set_ylim(0, 1.5 * max(max(crossing.scanning, crossing.convolutional) for crossing in comparison.crossings))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.legend(fontsize=9, ncols=2, loc="upper left")
    axes.grid(alpha=0.3)
