"""Checks that every function of the room shares, so that each message is written once."""

from __future__ import annotations

from operator import index

from scanwise.errors import ArgumentError

__all__ = ["Padding", "integer", "padding_pair"]

Padding = int | tuple[int, int]
"""Samples added on both sides, or ``(before, after)``."""


def integer(name: str, value: object, *, at_least: int | None = None) -> int:
    """`value` as an int, refused unless it is a whole number (no bool) of `at_least` that much."""
    rule = "be an integer" if at_least is None else f"be an integer of at least {at_least}"
    try:
        whole = None if isinstance(value, bool) else index(value)  # type: ignore[arg-type]
    except TypeError:
        whole = None
    if whole is None or (at_least is not None and whole < at_least):
        raise ArgumentError(f"{name} must {rule}; got {value!r}. Give a whole number of samples or steps.")
    return whole


def padding_pair(padding: Padding) -> tuple[int, int]:
    """`padding` as ``(before, after)``."""
    if not isinstance(padding, tuple):
        padding = (padding, padding)
    if len(padding) != 2:
        raise ArgumentError(
            f"padding must be one integer or (before, after); got {padding!r}. Give one axis at a time."
        )
    before, after = padding
    return integer("padding", before, at_least=0), integer("padding", after, at_least=0)
