"""Extents without tensors: receptive fields, output sizes, and what sharing saves.

Pure arithmetic on integers; positions are absolute samples, intervals half-open.
"""

from scanwise.geometry._field import Field
from scanwise.geometry._lattice import Lattice
from scanwise.geometry._ledger import Ledger, LedgerRow, ledger
from scanwise.geometry._sizes import output_size, positions, same_padding

__all__ = [
    "Field",
    "Lattice",
    "Ledger",
    "LedgerRow",
    "ledger",
    "output_size",
    "positions",
    "same_padding",
]
