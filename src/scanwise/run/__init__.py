"""Running programs: the oracle, the torch backend, and the scanner that users meet."""

from scanwise.run._explain import Explanation
from scanwise.run._oracle import scan_windows
from scanwise.run._precision import MeasuredError
from scanwise.run._scanner import Scanner

__all__ = ["Explanation", "MeasuredError", "Scanner", "scan_windows"]
