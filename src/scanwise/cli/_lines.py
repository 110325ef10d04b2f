"""One line for one message, whatever stands in the names of files."""

from __future__ import annotations

__all__ = ["complaint", "one_line"]


def one_line(text: str) -> str:
    """The text with line breaks and the terminal's control characters written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def complaint(text: str) -> str:
    """The line of a complaint."""
    return f"scanwise: {one_line(text)}"
