"""The binding: arrays in, arrays out. What an engine computes is decided elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import numpy as np

_native: Any = None
_why: str | None = None
try:
    _native = import_module("scanwise.kernels._native")
except ModuleNotFoundError:
    _why = "scanwise was installed without a C compiler"
except ImportError as error:
    _why = str(error)


def absent() -> str | None:
    """Return why there is no native engine; None where there is one."""
    return _why


def instruction_sets() -> list[str]:
    """Return the instruction sets that were compiled and that this machine has, the best first."""
    return [] if _native is None else list(_native.sets())


def operation_codes() -> dict[str, dict[str, int]]:
    """Return the engine's number for each operation, by kind of step."""
    if _native is None:
        return {}
    unary, binary, fold, chan = (
        {name: code for code, name in enumerate(names)}
        for names in (_native.UNARY, _native.BINARY, _native.FOLD, _native.CHAN)
    )
    return {"unary": unary, "binary": binary, "vector": binary, "fold": fold, "chan": chan}


def peak(
    dtype: str = "float32", threads: int = 1, instruction_set: str | None = None, rounds: int = 1_000_000
) -> float:
    """Measure the machine: operations per second of fused multiply-adds in registers, on all threads together.

    Parameters
    ----------
    dtype
        ``"float32"`` or ``"float64"``.
    threads
        Threads that compute at the same time.
    instruction_set
        One of `instruction_sets`; by default the best.
    rounds
        Repetitions of the loop, which takes some 10 to 20 nanoseconds.
    """
    chosen = instruction_set or instruction_sets()[0]
    with ThreadPoolExecutor(threads) as pool:
        speeds = pool.map(lambda _: _native.peak(chosen, dtype == "float64", rounds), range(threads))
        return float(sum(speeds))


class Engine:
    """A lowered program, ready to run.

    Parameters
    ----------
    dtype
        ``float32`` or ``float64``, of all values.
    table
        The program as integers, as ``csrc/program.h`` describes it.
    args
        ``(nodes, 4)``, numbers of each node's operation.
    params
        Per node its parameters: a convolution's weight and bias, scale and shift, an operand.
    instruction_set
        One of `instruction_sets`; by default the best.

    Raises
    ------
    ValueError
        When the table is not a program, or a parameter does not fit it.
    """

    def __init__(
        self,
        dtype: np.dtype,
        table: np.ndarray,
        args: np.ndarray,
        params: Sequence[Sequence[np.ndarray]],
        instruction_set: str | None = None,
    ) -> None:
        self.dtype = np.dtype(dtype)
        self.instruction_set = instruction_set or instruction_sets()[0]
        held = tuple(tuple(np.ascontiguousarray(p, self.dtype) for p in pair) for pair in params)
        self._engine = _native.new_engine(
            self.instruction_set,
            self.dtype == np.float64,
            np.ascontiguousarray(table, np.int64),
            np.ascontiguousarray(args, np.float64),
            held,
        )

    def scratch_bytes(self, strip: int) -> int:
        """Return the bytes that one thread needs for strips, or columns of an image, of ``strip`` outputs."""
        return int(_native.scratch_bytes(self._engine, strip))

    def scan(
        self,
        x: np.ndarray,
        outs: Sequence[np.ndarray],
        *,
        strip: int,
        along: int,
        across: int,
        threads: int,
        every: int = 1,
    ) -> None:
        """Fill ``outs`` with the scores of ``x``.

        Parameters
        ----------
        x
            ``(items, channels, *space)``, any real number type, any strides, writable or not.
        outs
            ``(items, channels, *counts)`` for each output of the program, without gaps.
        strip
            Outputs that are computed at a time, along the last axis.
        along, across
            Outputs of a job, the unit that threads take: along the first axis of the space, and for images along the
            second, at most ``strip``; 0 for signals.
        threads
            Threads to use at most.
        every
            Along the last axis, one of so many outputs computed is wanted. ``strip``, ``along`` and ``across`` count
            those computed.
        """
        counts = (1, *outs[0].shape[2:])[-2:]
        _native.scan(self._engine, x, tuple(outs), counts, every, strip, along, across, threads)
