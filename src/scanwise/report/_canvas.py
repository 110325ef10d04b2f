"""An image with what was found in it, and the scores beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse, Rectangle

from scanwise.errors import ArgumentError
from scanwise.events import Match
from scanwise.report._picture import MISSED, RIGHT, WRONG, new_figure

__all__ = ["canvas_picture"]


def canvas_picture(
    image: np.ndarray,
    found: pd.DataFrame,
    truth: pd.DataFrame | None = None,
    result: Match | None = None,
    *,
    heat: np.ndarray | None = None,
    window: Sequence[int] | None = None,
    hop: Sequence[int] | None = None,
    title: str = "",
) -> Figure:
    """Draw an image, boxes around what was found in it, and a heat map of the scores beside it.

    Found and true is a solid box with its label, a false alarm a dashed box with a cross and its label and
    score, a missed pattern a dotted ellipse with its label and a question mark. Without a truth all boxes are
    solid.

    Parameters
    ----------
    image
        `(channels, height, width)`, one or three channels; grey is stretched from its lowest to its highest
        value.
    found
        The image's rows of an events table.
    truth, result
        The image's true events, and what ``match(found, truth)`` says of them; both or neither.
    heat
        `(rows, columns)` of positions: a score for each, such as the highest of all classes.
    window, hop
        The scan's, rows before columns; needed with `heat`: a score is drawn where the centre of its window
        is.
    title
        Above the image.

    Raises
    ------
    ArgumentError
        When `image` has another shape, `truth` comes without `result`, or `heat` without `window` and `hop`.
    """
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ArgumentError(f"image must be (1 or 3 channels, height, width); got {image.shape}. Draw one of them.")
    if (truth is None) != (result is None):
        raise ArgumentError("truth and result must be given together; got one of them. Match found with truth first.")
    if heat is not None and (window is None or hop is None):
        raise ArgumentError("window and hop must be given with heat; got none. Take them from the scan.")
    _, height, width = image.shape
    panels = 1 if heat is None else 2
    tall = 8.2 * min(max(height / width, 0.2), 2.5)
    figure = new_figure(9 * panels + (heat is not None), tall + 1.2)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    _show(axes[0], image)
    _draw_boxes(axes[0], found, truth, result)
    axes[0].set_title(title, parse_math=False)
    if heat is not None and window is not None and hop is not None:
        _draw_heat(figure, axes[1], heat, window, hop)
        _draw_centres(axes[1], found, truth, result)
    for panel in axes:
        panel.set(xlim=(0, width), ylim=(height, 0), xlabel="x (pixels)", facecolor="lightgray")
    axes[0].set_ylabel("y (pixels)")
    if truth is not None:
        figure.legend(handles=_legend(), loc="outside lower center", ncols=3, frameon=False, fontsize=11)
    return figure


def _show(axes: Axes, image: np.ndarray) -> None:
    """Pixel `i` covers `[i, i + 1)`, so that half-open boxes lie on the edges of pixels."""
    _, height, width = image.shape
    extent = (0, width, height, 0)
    if len(image) == 1:
        axes.imshow(image[0], cmap="gray", extent=extent, interpolation="antialiased")
    else:
        axes.imshow(image.transpose(1, 2, 0).clip(0, 1), extent=extent, interpolation="antialiased")


def _draw_boxes(axes: Axes, found: pd.DataFrame, truth: pd.DataFrame | None, result: Match | None) -> None:
    right = _right(found, result)
    for row, is_right in zip(found.itertuples(), right, strict=True):
        colour, style = (RIGHT, "solid") if is_right else (WRONG, "dashed")
        size = (row.x1 - row.x0, row.y1 - row.y0)
        axes.add_patch(Rectangle((row.x0, row.y0), *size, fill=False, color=colour, linestyle=style, linewidth=1.4))
        if not is_right:
            axes.plot([row.x0, row.x1], [row.y0, row.y1], color=colour, linewidth=0.7)
            axes.plot([row.x0, row.x1], [row.y1, row.y0], color=colour, linewidth=0.7)
        _write(axes, row.x0, row.y0, str(row.label) if is_right else f"{row.label} {row.score:.2f}", colour)
    for row in _missed(truth, result).itertuples():
        centre = ((row.x0 + row.x1) / 2, (row.y0 + row.y1) / 2)
        size = (row.x1 - row.x0, row.y1 - row.y0)
        axes.add_patch(Ellipse(centre, *size, fill=False, color=MISSED, linestyle="dotted", linewidth=1.8))
        _write(axes, row.x0, row.y1, f"{row.label}?", MISSED, below=True)


def _write(axes: Axes, x: float, y: float, text: str, colour: str, *, below: bool = False) -> None:
    side = "top" if below else "bottom"
    label = axes.text(x, y, text, color=colour, fontsize=9, va=side, parse_math=False, clip_on=True)
    label.set_bbox({"facecolor": "black", "alpha": 0.6, "pad": 0.8, "linewidth": 0})


def _draw_heat(figure: Figure, axes: Axes, heat: np.ndarray, window: Sequence[int], hop: Sequence[int]) -> None:
    rows, columns = heat.shape
    top, left = ((w - h) / 2 for w, h in zip(window, hop, strict=True))
    extent = (left, left + columns * hop[1], top + rows * hop[0], top)
    drawn = axes.imshow(heat, cmap="cividis", extent=extent, interpolation="antialiased")
    axes.set_title("score at the centre of each window")
    figure.colorbar(drawn, ax=axes, fraction=0.046, pad=0.02)


def _draw_centres(axes: Axes, found: pd.DataFrame, truth: pd.DataFrame | None, result: Match | None) -> None:
    right = _right(found, result)
    axes.add_line(_marks("s", RIGHT, found[right]))
    axes.add_line(_marks("X", WRONG, found[~right]))
    axes.add_line(_marks("o", MISSED, _missed(truth, result)))


def _marks(shape: str, colour: str, rows: pd.DataFrame | None = None, label: str = "") -> Line2D:
    """Markers at the centres of the rows' boxes; without rows a legend's entry."""
    x = [] if rows is None else (rows["x0"] + rows["x1"]).to_numpy() / 2
    y = [] if rows is None else (rows["y0"] + rows["y1"]).to_numpy() / 2
    style = {"marker": shape, "markersize": 13, "fillstyle": "none", "linestyle": "none"}
    marks = Line2D(x, y, color=colour, label=label)
    marks.set(**style)
    return marks


def _right(found: pd.DataFrame, result: Match | None) -> np.ndarray:
    right = np.full(len(found), result is None)
    if result is not None:
        right[[row for row, _ in result.pairs]] = True
    return right


def _missed(truth: pd.DataFrame | None, result: Match | None) -> pd.DataFrame:
    if truth is None or result is None:
        return pd.DataFrame({"x0": [], "x1": [], "y0": [], "y1": []})
    missed = np.ones(len(truth), dtype=bool)
    missed[[row for _, row in result.pairs]] = False
    return truth[missed]


def _legend() -> list[Line2D]:
    return [
        _marks("s", RIGHT, label="found and right (solid box)"),
        _marks("X", WRONG, label="false alarm (dashed box, crossed)"),
        _marks("o", MISSED, label="missed (dotted ellipse)"),
    ]
