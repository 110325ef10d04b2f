"""The command line: parses, calls the public door, prints. No arithmetic; nothing heavy comes unasked."""

from __future__ import annotations

from scanwise.cli._main import main

__all__ = ["main"]
