"""What all pictures share: built without pyplot, so that no window opens and no global state is left."""

from __future__ import annotations

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["MISSED", "RIGHT", "WRONG", "new_figure", "png"]

# Okabe and Ito's colours, told apart by nearly everybody; shapes and line styles say the same once more.
RIGHT, WRONG, MISSED = "#00c08b", "#ff6a13", "#56b4e9"


def new_figure(width_inches: float, height_inches: float) -> Figure:
    """An empty figure that lays itself out and draws without a display."""
    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure, *, dpi: int = 110) -> bytes:
    """The figure as the bytes of a PNG file, without empty margins.

    Parameters
    ----------
    figure
        Any figure.
    dpi
        Pixels an inch.
    """
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi, bbox_inches="tight", pad_inches=0.1)
    return stream.getvalue()
