"""Checks of arguments, known to every room, so that each rule and its message is written once."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from operator import index
from typing import Any

from scanwise.errors import ArgumentError

__all__ = ["choice", "flag", "per_axis", "real", "share", "whole", "wholes"]


def whole(name: str, value: Any, least: int | None = 1) -> int:
    """Return `value` as an int, if it is a whole number (numpy's too, no bool) of at least `least`."""
    number = _index(value)
    if number is None or (least is not None and number < least):
        rule = "be a whole number" if least is None else f"be a whole number of at least {least}"
        raise ArgumentError(f"{name} must {rule}; got {value!r}. Change it.")
    return number


def wholes(name: str, value: Any) -> tuple[int, ...]:
    """Return a sequence of positive integers as a tuple; it may be empty."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        remedy = "Write [1, 8], say." if _index(value) is None else f"Write [{value!r}]."
        raise ArgumentError(f"{name} must be a sequence of whole numbers; got {value!r}. {remedy}")
    return tuple(whole(f"{name}[{i}]", entry) for i, entry in enumerate(value))


def per_axis(name: str, value: Any, axes: int) -> tuple[int, ...]:
    """Return one positive integer per axis, from one for all or a sequence of them."""
    entries = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value] * axes
    numbers = [number for entry in entries if (number := _index(entry)) is not None and number >= 1]
    if len(numbers) != len(entries) or len(numbers) != axes:
        raise ArgumentError(
            f"{name} must be a whole number of at least 1, or one per axis ({axes}); got {value!r}. "
            "Count in samples or pixels."
        )
    return tuple(numbers)


def real(name: str, value: Any, *, above: float | None = None, least: float | None = None) -> float:
    """Return `value` if it is a finite number above, or at least, a bound."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value):
        raise ArgumentError(f"{name} must be a finite number; got {value!r}. Change it.")
    if above is not None and value <= above:
        raise ArgumentError(f"{name} must be above {above:g}; got {value!r}. Change it.")
    if least is not None and value < least:
        raise ArgumentError(f"{name} must be at least {least:g}; got {value!r}. Change it.")
    return float(value)


def share(name: str, value: Any) -> float:
    """Return `value` if it lies between 0 and 1."""
    if real(name, value, least=0) > 1:
        raise ArgumentError(f"{name} must be at most 1; got {value!r}. Change it.")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """Return `value` if it is a bool."""
    if not isinstance(value, bool):
        raise ArgumentError(f"{name} must be true or false; got {value!r}. Change it.")
    return value


def choice(name: str, value: Any, known: Sequence[str]) -> str:
    """Return `value` if it is one of the names in `known`."""
    if value not in known:
        raise ArgumentError(f"{name} must be one of {', '.join(known)}; got {value!r}. Choose one of these.")
    return str(value)


def _index(value: Any) -> int | None:
    try:
        return None if isinstance(value, bool) else index(value)
    except TypeError:
        return None
