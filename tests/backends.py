"""The same scan on every backend, for laws that hold on all of them."""

from __future__ import annotations

from typing import Any

from scanwise.kernels import absent
from scanwise.run import Scanner

BACKENDS = ["torch"] if absent() else ["torch", "native"]


def each_backend(scanner: Scanner, **settings: Any) -> list[Scanner]:
    """Return scanners of the same program and hop; the network is captured once, which takes most of the time."""
    scanners = [Scanner.from_program(scanner.program, scanner.hop, backend=name, **settings) for name in BACKENDS]
    assert [s.backend for s in scanners] == BACKENDS
    return scanners
