"""Amounts of memory as people write them."""

from __future__ import annotations

import re

from scanwise.errors import ArgumentError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def memory_bytes(amount: int | str) -> int:
    """Return a number of bytes from an integer or from text such as ``"512MB"``, ``"2GiB"``, ``"1.5 GB"``.

    Raises
    ------
    ArgumentError
        When the text is not an amount of memory, or not positive.

    Examples
    --------
    >>> memory_bytes("2 KiB")
    2048
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?)?b?\s*", str(amount).lower())
    value = int(float(match[1]) * _UNITS[match[2] or ""]) if match else 0
    if value < 1:
        raise ArgumentError(
            f"max_memory must be a positive amount of bytes; got {amount!r}. Write it like '512MB' or '2GiB'."
        )
    return value
