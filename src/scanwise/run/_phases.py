"""From steps and a hop to the integers that the native engine walks; see ``kernels/csrc/program.h``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import numpy as np

from ._lower import Lowered, NotNative, StepRead

MOST_PAIRS = 2_000_000  # of a position that is needed and a tap, which take about a microsecond each
KINDS = ("input", "conv", "fold", "spread", "affine", "unary", "binary", "vector", "copy", "chan")


@dataclass
class Classes:
    """Positions of a map along one axis that outputs need, by their residue modulo the hop.

    Class ``c`` holds the positions ``first[c] + n * hop``; for output 0 it is needed from ``n = 0`` to ``ahead[c]``.
    Later readers of output 0 need it from ``keep[c]`` on.
    """

    hop: int
    span: dict[int, tuple[int, int]] = field(default_factory=dict)

    def need(self, position: int) -> None:
        low, high = self.span.get(position % self.hop, (position, position))
        self.span[position % self.hop] = (min(low, position), max(high, position))

    def close(self) -> None:
        """Number the classes, now that all that is needed is known."""
        if not self.span:
            self.need(0)
        ordered = sorted(self.span.values())
        self.first = [low for low, _ in ordered]
        self.ahead = [(high - low) // self.hop for low, high in ordered]
        self.keep = list(self.ahead)
        self.number = {low % self.hop: number for number, low in enumerate(self.first)}

    def find(self, position: int) -> tuple[int, int]:
        """Return the class of a position and its element there."""
        number = self.number[position % self.hop]
        return number, (position - self.first[number]) // self.hop

    def bounds(self) -> list[int]:
        """Return first and last position of each class that output 0 needs."""
        return [
            p for first, ahead in zip(self.first, self.ahead, strict=True) for p in (first, first + ahead * self.hop)
        ]


@dataclass(frozen=True)
class Phases:
    """Which classes of positions of every step a hop needs, per axis."""

    lowered: Lowered
    hop: tuple[int, ...]
    classes: tuple[tuple[Classes, ...], ...]

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates per output of an endless scan."""
        return sum(
            step.macs * prod(len(c.first) for c in classes)
            for step, classes in zip(self.lowered.steps, self.classes, strict=True)
        )

    def table(self, codes: dict[str, dict[str, int]]) -> np.ndarray:
        """Return the program for the engine; ``codes`` gives the number of each operation, by kind."""
        axes = self.lowered.axes
        places = [self._reads(step.reads, i) for i, step in enumerate(self.lowered.steps)]
        outputs = [self._output(step, shift) for step, shift in self.lowered.outputs]
        hop_y, hop_x = (1, *self.hop)[-2:]
        table = [int(axes == 1), len(self.lowered.steps), len(outputs), hop_y, hop_x]
        roots: list[int] = []
        for i, (step, reads) in enumerate(zip(self.lowered.steps, places, strict=True)):
            roots.append(roots[step.reads[0].step] if step.in_place else i)
            y, x = self._two(i)
            code = codes[step.kind][step.op] if step.kind in codes else 0
            table += [KINDS.index(step.kind), code, step.channels, step.size, int(step.flag), roots[i]]
            table += [len(y.first), len(x.first), len(reads)]
            root_y, root_x = self._two(roots[i])
            ring = [a - k + 1 for a, k in zip(root_y.ahead, root_y.keep, strict=True)] if axes == 2 else [1]
            table += [*y.ahead, *ring, *x.ahead, *root_x.keep]
            for read, (ty, tx) in zip(step.reads, reads, strict=True):
                taps = [len(t) for t in read.taps]
                table += [read.step, *((1, *taps)[-2:])]
                table += [*(j for j, _ in ty), *(q for _, q in ty), *(j for j, _ in tx), *(q for _, q in tx)]
            table += [number for pick in step.picks for number in pick]
        for step_index, place in outputs:
            table += [step_index, *(number for pair in place for number in pair)]
        y, x = self._two(0)
        return np.array([*table, *y.first, *x.first], np.int64)

    def _two(self, step: int) -> tuple[Classes, Classes]:
        """Return the classes along y and x; signals have one class of one row."""
        classes = self.classes[step]
        return (_ONE_ROW, classes[0]) if len(classes) == 1 else (classes[0], classes[1])

    def _root(self, step: int) -> int:
        while self.lowered.steps[step].in_place:
            step = self.lowered.steps[step].reads[0].step
        return step

    def _reads(self, reads: Sequence[StepRead], reader: int) -> list[list[list[tuple[int, int]]]]:
        """Return, per read and axis, source class and shift for each (class of the reader, tap); note what is kept."""
        result = []
        for place, read in enumerate(reads):
            source, root = self.classes[read.step], self.classes[self._root(read.step)]
            per_axis: list[list[tuple[int, int]]] = [[(0, 0)]] if len(source) == 1 else []
            for axis, taps in enumerate(read.taps):
                mine = self.classes[reader][axis]
                pairs = [source[axis].find(first + tap) for first in mine.first for tap in taps]
                per_axis.append(pairs)
                if place == 0 and self.lowered.steps[reader].in_place:
                    continue
                for i, (number, shift) in enumerate(pairs):
                    kept = mine.ahead[i // len(taps)] + shift
                    root[axis].keep[number] = min(root[axis].keep[number], kept)
            result.append(per_axis)
        return result

    def _output(self, step: int, shift: tuple[int, ...]) -> tuple[int, list[tuple[int, int]]]:
        place = [classes.find(s) for classes, s in zip(self.classes[step], shift, strict=True)]
        for axis, (number, element) in enumerate(place):
            keep = self.classes[self._root(step)][axis].keep
            keep[number] = min(keep[number], element)
        return step, [(0, 0)] * (2 - len(place)) + place


def phases(lowered: Lowered, hop: Sequence[int]) -> Phases:
    """Find the positions of every step that outputs at multiples of ``hop`` need, backwards from the outputs.

    Raises
    ------
    NotNative
        When so many positions per output are needed that the table would take long to make and much memory.
    """
    pairs = 0
    classes = tuple(tuple(Classes(h) for h in hop) for _ in lowered.steps)
    for step, shift in lowered.outputs:
        for axis, position in enumerate(shift):
            classes[step][axis].need(position)
    for i in range(len(lowered.steps) - 1, -1, -1):
        for axis, own in enumerate(classes[i]):
            own.close()
            for read in lowered.steps[i].reads:
                source = classes[read.step][axis]
                pairs += len(own.first) * len(read.taps[axis])
                if pairs > MOST_PAIRS:
                    raise NotNative(f"at this hop an output reads its maps at more than {MOST_PAIRS:,} places")
                for position in own.bounds():
                    for tap in read.taps[axis]:
                        source.need(position + tap)
    return Phases(lowered, tuple(hop), classes)


_ONE_ROW = Classes(1)
_ONE_ROW.close()
