"""What is found."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Event"]


@dataclass(frozen=True)
class Event:
    """One found pattern: the window it fills, its label and its score.

    Parameters
    ----------
    start, stop
        First sample of the window and first sample after it, per axis in the order of the array (rows before
        columns); absolute integers, half-open.
    label
        Name of the class.
    score
        The class' score at this window.
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]
    label: str
    score: float
