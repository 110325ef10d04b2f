"""Padding, as every function of the room reads it."""

from __future__ import annotations

from scanwise._checks import whole
from scanwise.errors import ArgumentError

__all__ = ["Padding", "padding_pair"]

Padding = int | tuple[int, int]
"""Samples added on both sides, or ``(before, after)``."""


def padding_pair(padding: Padding) -> tuple[int, int]:
    """`padding` as ``(before, after)``."""
    if not isinstance(padding, tuple):
        padding = (padding, padding)
    if len(padding) != 2:
        raise ArgumentError(
            f"padding must be one integer or (before, after); got {padding!r}. Give one axis at a time."
        )
    before, after = padding
    return whole("padding", before, 0), whole("padding", after, 0)
