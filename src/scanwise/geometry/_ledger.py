"""What sharing saves: weights and multiply-accumulates of five ways to analyse the same windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import prod

from scanwise._checks import whole
from scanwise.errors import ArgumentError
from scanwise.geometry._field import Field
from scanwise.geometry._sizes import output_size, positions

__all__ = ["Ledger", "LedgerRow", "ledger"]

_Sum = list[tuple[str, ...]]
"""A sum of products of symbols: ``[("K0", "D", "N1"), ("N1", "N2")]`` is ``K0*D*N1 + N1*N2``."""

_ARCHITECTURES = (  # name, what it is, shared, distributed
    ("dense", "full matrices on the whole input", False, False),
    ("independent", "an MLP of its own per window", False, False),
    ("local", "locally connected layers", False, True),
    ("scanning", "one MLP at every window", True, False),
    ("convolutional", "convolutions", True, True),
)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One architecture's account.

    Attributes
    ----------
    name
        ``dense``, ``independent``, ``local``, ``scanning`` or ``convolutional``.
    what
        The architecture in a few words.
    shared
        Whether all positions use the same weights.
    distributed
        Whether the analysis of one window is spread over the layers.
    weights
        Numbers to learn, biases included if the ledger counts them.
    macs
        Multiply-accumulates for one pass over the whole input; biases, activations and pools are not counted.
    weights_formula, macs_formula
        The same two as arithmetic in the names of `Ledger.symbols`.
    """

    name: str
    what: str
    shared: bool
    distributed: bool
    weights: int
    macs: int
    weights_formula: str
    macs_formula: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """The accounts of five architectures on the same input; ``print`` it for a table.

    Attributes
    ----------
    window, hop
        Per axis, in input samples: what one output sees, and the step between outputs.
    symbols
        The names in the formulas and their values: ``S`` positions of the input, ``D`` its channels, ``L``
        positions of one window, ``P`` windows; per layer ``K0, K1, ...`` kernel positions, ``P1, P2, ...``
        output positions and ``N1, N2, ...`` output channels.
    rows
        One per architecture, from nothing shared to everything.
    crossover
        Distributing saves weights exactly when the second layer is narrower than this, all else being
        equal; ``K0 * D`` for two kernels that tile the window. ``None`` where that width does not matter.
    """

    window: tuple[int, ...]
    hop: tuple[int, ...]
    symbols: Mapping[str, int]
    rows: tuple[LedgerRow, ...]
    crossover: Fraction | None

    def __getitem__(self, name: str) -> LedgerRow:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    @property
    def saving(self) -> int:
        """Weights that distributing saves, ``scanning`` minus ``convolutional``; negative if it costs."""
        return self["scanning"].weights - self["convolutional"].weights

    def __str__(self) -> str:
        heads = ("architecture", "shared", "distributed", "weights", "MACs", "what it is")
        cells = [
            (
                row.name,
                "yes" if row.shared else "no",
                "yes" if row.distributed else "no",
                f"{row.weights:,}",
                f"{row.macs:,}",
                row.what,
            )
            for row in self.rows
        ]
        widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if column in (3, 4) else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in (heads, *cells)
        )


def ledger(
    space: int | Sequence[int],
    channels: int,
    widths: Sequence[int],
    kernels: Sequence[int | Sequence[int]],
    strides: Sequence[int | Sequence[int]] | None = None,
    *,
    bias: bool = False,
) -> Ledger:
    """Account for five architectures that look at the same windows of one input.

    They answer two questions differently: are weights shared between positions, and is the analysis of one
    window distributed over the layers? "Non-distributed" is in use for both; here it means the second.

    Parameters
    ----------
    space
        Size of the input, per axis (a number alone for one axis).
    channels
        Of the input, ``D``.
    widths
        Output channels of each layer, ``N1, N2, ...``.
    kernels
        Of the distributed layers, at most one per width, each a number for all axes or one per axis. Layers
        beyond have kernel 1.
    strides
        One per kernel. The default tiles the window: each layer but the last steps by its own kernel, so the
        window is the product of the kernels, ``L = K0 * K1``.
    bias
        Whether every unit also has a bias.

    Raises
    ------
    ArgumentError
        If a number is out of range, the lists do not fit each other, or the window does not fit the input.

    Examples
    --------
    A window of 16 x 16 pixels in one go, or 4 x 4 and then 4 x 4:

    >>> account = ledger((16, 16), channels=1, widths=(4, 2, 1), kernels=(4, 4))
    >>> account["scanning"].weights, account["convolutional"].weights
    (1034, 194)
    >>> account["convolutional"].weights_formula
    'K0*D*N1 + K1*N1*N2 + N2*N3'
    """
    space = (space,) if isinstance(space, int) else tuple(space)
    space = tuple(whole("space", size, 1) for size in space)
    channels = whole("channels", channels, 1)
    widths = tuple(whole("widths", width, 1) for width in widths)
    kernels = _per_axis("kernels", kernels, axes=len(space))
    if not space or not 1 <= len(kernels) <= len(widths):
        raise ArgumentError(
            f"kernels must be one to {len(widths)}, at most one per width, over at least one axis; got "
            f"{len(kernels)} over {len(space)} axes. Layers beyond the last kernel look at one position."
        )
    strides = _tiling(kernels) if strides is None else _per_axis("strides", strides, axes=len(space))
    if len(strides) != len(kernels):
        raise ArgumentError(
            f"strides must be one per kernel, {len(kernels)}; got {len(strides)}. Use 1 where a layer does not skip."
        )
    window, hop, sizes = _geometry(space, kernels, strides)
    symbols = {"S": prod(space), "D": channels, "L": prod(window), "P": sizes[-1]}
    for layer, width in enumerate(widths):
        symbols[f"K{layer}"] = prod(kernels[layer]) if layer < len(kernels) else 1
        symbols[f"P{layer + 1}"] = sizes[min(layer, len(sizes) - 1)]
        symbols[f"N{layer + 1}"] = width
    rows = _rows(symbols, len(widths), len(kernels), bias=bias)
    return Ledger(window, hop, symbols, rows, _crossover(symbols, len(widths)))


def _per_axis(name: str, values: Sequence[int | Sequence[int]], *, axes: int) -> tuple[tuple[int, ...], ...]:
    """Each layer's value as one integer per axis."""
    layers = []
    for value in values:
        per_axis = (value,) * axes if isinstance(value, int) else tuple(value)
        if len(per_axis) != axes:
            raise ArgumentError(
                f"{name} must have one number per axis, {axes}; got {value!r}. A number alone means all axes."
            )
        layers.append(tuple(whole(name, number, 1) for number in per_axis))
    return tuple(layers)


def _tiling(kernels: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    return (*kernels[:-1], (1,) * len(kernels[-1]))


def _geometry(
    space: tuple[int, ...], kernels: tuple[tuple[int, ...], ...], strides: tuple[tuple[int, ...], ...]
) -> tuple[tuple[int, ...], tuple[int, ...], list[int]]:
    """Window and hop per axis, and the number of positions of each distributed layer's output."""
    fields = [Field.identity()] * len(space)
    sizes, layers = space, []
    for kernel, stride in zip(kernels, strides, strict=True):
        sizes = tuple(map(output_size, sizes, kernel, stride))
        fields = [field.then(Field.layer(k, s)) for field, k, s in zip(fields, kernel, stride, strict=True)]
        layers.append(prod(sizes))
    window = tuple(field.size for field in fields)
    hop = tuple(field.jump for field in fields)
    if sizes != tuple(map(positions, space, window, hop)) or not prod(sizes):
        raise ArgumentError(
            f"space must hold the window, {window}; got {space}. Give a larger input or smaller kernels."
        )
    return window, hop, layers


def _rows(symbols: Mapping[str, int], depth: int, kernels: int, *, bias: bool) -> tuple[LedgerRow, ...]:
    """The five accounts. Each count is a sum of products of symbols, written once and then evaluated."""
    layers = range(depth)
    units: _Sum = [(f"N{layer + 1}",) for layer in layers]
    pairs: _Sum = [("D", "N1"), *((f"N{layer}", f"N{layer + 1}") for layer in layers[1:])]
    grids: _Sum = [(f"P{layer + 1}", f"N{layer + 1}") for layer in layers]

    whole: _Sum = [("L", *pairs[0]), *pairs[1:]]
    spread: _Sum = [(f"K{layer}", *pair) if layer < kernels else pair for layer, pair in enumerate(pairs)]
    apart: _Sum = [("P", *term) for term in whole]
    local: _Sum = [(f"P{layer + 1}", *term) for layer, term in enumerate(spread)]
    dense: _Sum = [(*a, *b) for a, b in pairwise([("S", "D"), *grids])]

    accounts = (  # weights, biases, multiply-accumulates; in the order of _ARCHITECTURES
        (dense, grids, dense),
        (apart, [("P", *unit) for unit in units], apart),
        (local, grids, local),
        (whole, units, apart),
        (spread, units, local),
    )
    rows = []
    for described, (weights, biases, macs) in zip(_ARCHITECTURES, accounts, strict=True):
        weights = weights + biases if bias else weights
        counts = _value(weights, symbols), _value(macs, symbols)
        rows.append(LedgerRow(*described, *counts, _text(weights), _text(macs)))
    return tuple(rows)


def _value(terms: _Sum, symbols: Mapping[str, int]) -> int:
    return sum(prod(symbols[name] for name in term) for term in terms)


def _text(terms: _Sum) -> str:
    return " + ".join("*".join(term) for term in terms)


def _crossover(symbols: Mapping[str, int], depth: int) -> Fraction | None:
    """Solve ``saving = gain - slope * N2 = 0`` for ``N2``, all other widths staying as they are."""
    if depth < 2:
        return None
    width = [symbols["D"], *(symbols[f"N{layer + 1}"] for layer in range(depth))]
    width[2] = 1
    costs = [(symbols[f"K{layer}"] - 1) * width[layer] * width[layer + 1] for layer in range(1, depth)]
    slope = sum(costs[:2])  # only layers 1 and 2 touch N2, and linearly
    gain = (symbols["L"] - symbols["K0"]) * symbols["D"] * symbols["N1"] - sum(costs[2:])
    return Fraction(gain, slope) if slope else None
