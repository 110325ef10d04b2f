"""Checks that the loop and its helpers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scanwise.errors import ArgumentError


def whole(name: str, value: Any, least: int = 1) -> int:
    """Return `value` if it is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ArgumentError(f"{name} must be a whole number of at least {least}; got {value!r}. Change it.")
    return value


def real(name: str, value: Any, *, above: float | None = None, least: float | None = None) -> float:
    """Return `value` if it is a finite number above, or at least, a bound."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < float("inf"):
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


def choice(name: str, value: Any, known: Sequence[str]) -> str:
    """Return `value` if it is one of the names in `known`."""
    if value not in known:
        raise ArgumentError(f"{name} must be one of {', '.join(known)}; got {value!r}. Choose one of these.")
    return str(value)
