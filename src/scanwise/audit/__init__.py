"""What sharing buys, measured: five architectures of the same layer widths on the same data."""

from __future__ import annotations

from scanwise.audit._compare import compare
from scanwise.audit._comparison import Comparison, Crossing, Measured
from scanwise.audit._memory import PeakMemory

__all__ = ["Comparison", "Crossing", "Measured", "PeakMemory", "compare"]
