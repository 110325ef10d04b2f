"""One line for one complaint, whatever stands in the names of files."""

from __future__ import annotations

__all__ = ["complaint"]


def complaint(text: str) -> str:
    """The line, with line breaks and the terminal's control characters written out."""
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return f"scanwise: {''.join(shown)}"
