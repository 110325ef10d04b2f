"""JSON from strangers: parsed strictly, taken apart field by field, every surprise one clear line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from scanwise.errors import ModelError

__all__ = ["Fields", "integer", "listed", "mapping", "number", "optional", "parse", "switch", "text"]

T = TypeVar("T")


def parse(source: str) -> dict[str, Any]:
    """One JSON object, without repeated keys, NaN or infinity."""
    try:
        value = json.loads(source, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"is not valid JSON ({error})") from error
    return mapping(value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is repeated")
    return result


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


class Fields:
    """The fields of an object, each taken once with its check; none may be missing or left over."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = dict(values)

    def take(self, name: str, check: Callable[[Any], T]) -> T:
        """The checked field `name`."""
        if name not in self._values:
            raise ModelError(f"lacks {name}")
        try:
            return check(self._values.pop(name))
        except ModelError as error:
            raise ModelError(f"{name} {error}") from None

    def end(self) -> None:
        """Refuse what nobody took."""
        if self._values:
            raise ModelError(f"has unknown fields: {', '.join(sorted(self._values))}")


def text(value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise ModelError(f"must be text; got {value!r}")
    return value


def switch(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ModelError(f"must be true or false; got {value!r}")
    return value


def number(value: Any) -> float:
    """A finite number."""
    try:
        finite = not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        finite = False
    if not finite:
        raise ModelError(f"must be a finite number; got {value!r}")
    return float(value)


def integer(value: Any) -> int:
    """A whole number from 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ModelError(f"must be a whole number of at least 0; got {value!r}")
    return value


def mapping(value: Any) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise ModelError(f"must be a JSON object; got {type(value).__name__}")
    return value


def listed(check: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """A list whose entries all pass `check`."""

    def check_list(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise ModelError(f"must be a list; got {value!r}")
        return tuple(check(entry) for entry in value)

    return check_list


def optional(check: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """Null, or what passes `check`."""
    return lambda value: None if value is None else check(value)
