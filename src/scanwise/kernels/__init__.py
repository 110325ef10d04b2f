"""The native engine: a small C extension that walks a lowered program depth first, in the processor's cache.

It is optional. Where it could not be built, `absent` says so in words and scans run on torch.
"""

from scanwise.kernels._count import count_digits
from scanwise.kernels._engine import Engine, absent, instruction_sets, operation_codes, peak

__all__ = ["Engine", "absent", "count_digits", "instruction_sets", "operation_codes", "peak"]
