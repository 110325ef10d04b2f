"""A comparison as plain text: what was compared, the table, and what its numbers say."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from scanwise.audit._comparison import Comparison, Measured

__all__ = ["conclusions", "header", "plain_table"]

Value = TypeVar("Value")


def header(found: Comparison) -> list[str]:
    """What was compared, in three lines."""
    account = found.account
    kernels, strides = (", ".join(map(extent, layers)) for layers in (found.kernels, found.strides))
    widths = [str(number) for name, number in account.symbols.items() if name[0] == "N"]
    return [
        f"{found.train_count:,} clips to learn from, {found.held_out_count:,} held out, {len(found.classes)} classes; "
        f"{found.epochs} epochs in batches of {found.batch}, AdamW {found.lr:g}, seed {found.seed}",
        f"input {found.channels} x {extent(found.space)} (channels x {found.unit}); window {extent(account.window)}, "
        f"hop {extent(account.hop)}, {account.symbols['P']} positions",
        f"widths {'-'.join(widths)}; where the window is distributed, kernels {kernels} and strides {strides}",
    ]


def extent(numbers: Sequence[int]) -> str:
    """``5 x 5``, a number per axis."""
    return " x ".join(map(str, numbers))


def plain_table(found: Comparison) -> list[str]:
    """A line per measure, a column per architecture; a dash where nothing was measured."""
    lines = [("", *(row.name for row in found.rows)), *_measures(found)]
    sizes = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join([label.ljust(sizes[0]), *(cell.rjust(size) for cell, size in zip(cells, sizes[1:], strict=True))])
        for label, *cells in lines
    ]


def _measures(found: Comparison) -> Iterator[tuple[str, ...]]:
    usual = found["convolutional"].seconds

    def line(label: str, values: Iterable[Value | None], cell: Callable[[Value], str]) -> tuple[str, ...]:
        return (label, *("-" if value is None else cell(value) for value in values))

    def percent(label: str, values: Iterable[float | None]) -> tuple[str, ...]:
        return line(label, values, "{:.1%}".format)

    rows = found.rows
    yield line("weights shared", (row.shared for row in rows), _yes_or_no)
    yield line("window distributed", (row.distributed for row in rows), _yes_or_no)
    yield line("output", (row.output for row in rows), str)
    yield line("parameters", (row.parameters for row in rows), "{:,}".format)
    yield line("  on twice the extent", (row.parameters_at_twice for row in rows), "{:,}".format)
    yield line("multiply-accumulates", (row.macs for row in rows), "{:,}".format)
    yield line("peak memory, MiB", (row.peak_bytes for row in rows), lambda size: f"{size / 2**20:.2f}")
    yield line("training, seconds", (row.seconds for row in rows), "{:.1f}".format)
    if usual:
        ratios = (None if row.seconds is None else row.seconds / usual for row in rows)
        yield line("  of convolutional's", ratios, "x {:.1f}".format)
    yield percent("accuracy in training", (row.train_accuracy for row in rows))
    yield percent("accuracy held out", (row.held_out_accuracy for row in rows))
    yield percent("  gap (overfitting)", (row.gap for row in rows))
    yield percent("accuracy when moved", (row.shifted_accuracy for row in rows))
    for i, shift in enumerate(found.shifts):
        rights = [None if row.shifted_accuracies is None else row.shifted_accuracies[i] for row in rows]
        yield percent(f"  by {shift} {found.unit if shift > 1 else found.unit[:-1]}", rights)
    yield line("deviation at a hop", (row.deviation for row in rows), relative)


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def conclusions(found: Comparison) -> tuple[str, ...]:
    """What the numbers say: of sharing, of distributing, and how sure they are."""
    said = [
        _parameters(found),
        _contrast(
            found, "Overfitting: from training to held-out clips accuracy falls", "by {} points",
            lambda row: None if row.gap is None else f"{100 * row.gap:.1f}",
        ),
        _contrast(
            found, "Moved clips: right are", "{} %",
            lambda row: None if row.shifted_accuracy is None else f"{100 * row.shifted_accuracy:.1f}",
        ),
        _contrast(
            found, "Equivariance: moved by a hop, the input's map differs from the moved map", "by {} of its size",
            lambda row: None if row.deviation is None else relative(row.deviation),
        ),
    ]  # fmt: skip
    if found.account.crossover is not None:
        said.append(_distributing(found, found.account.crossover))
    said.append(_sureness(found))
    large = [f"{row.name} ({row.parameters:,} parameters)" for row in found.rows if row.held_out_accuracy is None]
    if large:
        said.append(f"Not trained, as above max_parameters = {found.max_parameters:,}: {', '.join(large)}.")
    return tuple(said)


def relative(number: float) -> str:
    """A deviation: two decimals, or the order of magnitude of what is less."""
    return f"{number:.2f}" if number >= 0.005 else f"{number:.0e}" if number else "0"


def _parameters(found: Comparison) -> str:
    pairs = [(found[name], found[other]) for name, other in (("scanning", "independent"), ("convolutional", "local"))]
    fewer = " and ".join(
        f"{row.parameters:,} parameters do in {row.name} what {other.parameters:,} do in {other.name} "
        f"({other.parameters / row.parameters:.1f} times as many)"
        for row, other in pairs
    )
    growth = ", ".join(
        f"{row.name} {row.parameters_at_twice / row.parameters:.1f}" for row in found.rows if not row.shared
    )
    return (
        f"Sharing: {fewer}, with as many multiply-accumulates. On twice the extent both stay as they are; the others "
        f"grow, times {growth}."
    )


def _contrast(found: Comparison, what: str, each: str, shown: Callable[[Measured], str | None]) -> str:
    """One sentence on those that share and those that do not, with the range of each."""
    parts = []
    for shared, how in ((True, "with shared weights"), (False, "without")):
        values = [text for row in found.rows if row.shared is shared and (text := shown(row)) is not None]
        if values:
            ends = dict.fromkeys((min(values, key=float), max(values, key=float)))
            parts.append(f"{each.format(' to '.join(ends))} {how}")
    return f"{what} {', '.join(parts)}."


def _distributing(found: Comparison, limit: Fraction) -> str:
    """Whether spreading the window over the layers saved parameters, and from which width on it does not."""
    symbols = found.account.symbols
    known = f"K0*D = {limit}" if limit == symbols["K0"] * symbols["D"] else f"{float(limit):.4g}, by these kernels"
    counted = ", ".join(f"N2 = {crossing.width} {_saving(crossing.saving)}" for crossing in found.crossings)
    return (
        f"Distributing saves parameters when N2 is below {known}. Here N2 = {symbols['N2']}: convolutional "
        f"{_saving(found.account.saving)} against scanning. Counted: {counted}."
    )


def _saving(number: int) -> str:
    return "saves none" if not number else f"{'saves' if number > 0 else 'costs'} {abs(number):,}"


def _sureness(found: Comparison) -> str:
    count = found.held_out_count + 4  # two right and two wrong answers more: sound near 0 and 1, too (Agresti, Coull)
    measured = [row.held_out_accuracy for row in found.rows if row.held_out_accuracy is not None]
    shares = [(share * (count - 4) + 2) / count for share in measured]
    widest = max(1.96 * math.sqrt(share * (1 - share) / count) for share in shares)
    return (
        f"Chance: of {found.held_out_count:,} held-out clips an accuracy is sure to about {100 * widest:.1f} points "
        "(95 %), and this is one run: differences below that mean little."
    )
