"""Which units of each feature map a scan computes, and how many outputs fit in memory at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from scanwise.geometry import Lattice

# A map is computed on an equally spaced grid when that adds at most this factor to the positions needed: equally
# spaced positions are one strided convolution, others have to be gathered.
FILL = 2.0
# Where positions have to be gathered, sharing must leave at most this part of the work, else windows are run one by
# one. Equally spaced positions need no gathering, and cost no more than cutting windows out.
WORTH_GATHERING = 0.8


@dataclass(frozen=True)
class Stage:
    """A feature map, for planning.

    Attributes
    ----------
    reads
        ``(stage index, taps per axis)`` for every map read; taps are offsets in input samples, ascending.
    channels
        Channels of the map.
    macs
        Multiply-accumulates per position.
    """

    reads: tuple[tuple[int, tuple[Sequence[int], ...]], ...]
    channels: int
    macs: int = 0


@dataclass(frozen=True)
class Plan:
    """How a scan at one hop is computed.

    Attributes
    ----------
    stages, outputs, hop
        What was asked: maps, ``(stage, shift per axis)`` of every output, step between windows.
    needs
        Per stage and axis, the positions computed; None for a stage nothing needs.
    spans
        Per stage and axis, first and last position needed for output 0.
    shared
        False when each window is computed on its own, because windows share too little.
    """

    stages: tuple[Stage, ...]
    outputs: tuple[tuple[int, tuple[int, ...]], ...]
    hop: tuple[int, ...]
    needs: tuple[tuple[Lattice, ...] | None, ...]
    spans: tuple[tuple[tuple[int, int], ...] | None, ...]
    shared: bool

    def positions(self, stage: int, counts: Sequence[int]) -> list[range | list[int]]:
        """Return the positions of a stage, per axis, that a tile of ``counts`` outputs computes."""
        need, span = self.needs[stage], self.spans[stage]
        assert need is not None
        assert span is not None
        return [
            lattice.within(first, (count - 1) * hop + last + 1)
            for lattice, (first, last), hop, count in zip(need, span, self.hop, counts, strict=True)
        ]

    def tile_macs(self, counts: Sequence[int]) -> int:
        """Return the multiply-accumulates of a tile of ``counts`` outputs."""
        return sum(
            stage.macs * prod(map(len, self.positions(i, counts)))
            for i, stage in enumerate(self.stages)
            if stage.macs and self.needs[i] is not None
        )

    @cached_property
    def macs_per_window(self) -> float:
        """Multiply-accumulates per output of an endless scan."""
        if not self.shared:
            return float(self.tile_macs((1,) * len(self.hop)))
        total = 0.0
        for stage, need in zip(self.stages, self.needs, strict=True):
            if need is not None:
                total += stage.macs * prod(lattice.density * hop for lattice, hop in zip(need, self.hop, strict=True))
        return total

    def tile_values(self, counts: Sequence[int]) -> int:
        """Return the largest number of map values alive at a time while a tile of ``counts`` outputs is computed."""
        last_reader = {source: i for i, stage in enumerate(self.stages) for source, _ in stage.reads}
        last_reader.update({stage: len(self.stages) for stage, _ in self.outputs})
        alive = peak = 0
        sizes: dict[int, int] = {}
        for i, stage in enumerate(self.stages):
            if self.needs[i] is None:
                continue
            units = prod(map(len, self.positions(i, counts)))
            sizes[i] = stage.channels * units
            alive += sizes[i]
            peak = max(peak, alive + self._gathered(i, counts))
            alive -= sum(sizes.pop(source) for source in list(sizes) if last_reader.get(source, -1) <= i)
        return peak

    def _gathered(self, stage: int, counts: Sequence[int]) -> int:
        """Return the values copied together for a stage whose taps lie at scattered positions."""
        mine, largest = self.positions(stage, counts), 0
        for source, taps in self.stages[stage].reads:
            held = self.positions(source, counts)
            lengths = [
                len(m) if isinstance(m, range) and isinstance(h, range) else len(m) * len(t)
                for m, h, t in zip(mine, held, taps, strict=True)
            ]
            if lengths != [len(m) for m in mine]:
                largest = max(largest, self.stages[source].channels * prod(lengths))
        return largest

    def tile(self, max_values: int) -> tuple[int, ...]:
        """Return the largest tile, near a cube in samples, whose maps hold at most ``max_values`` values.

        The tile depends on nothing but the plan and ``max_values``; it is 1 output per axis at least.
        """
        counts = [1] * len(self.hop)
        open_axes = set(range(len(counts)))
        while open_axes:
            axis = min(open_axes, key=lambda a: (counts[a] * self.hop[a], -a))
            grown = [count * 2 if a == axis else count for a, count in enumerate(counts)]
            if self.tile_values(grown) > max_values or grown[axis] > 2**22:
                open_axes.discard(axis)
            else:
                counts = grown
        return tuple(counts)


def plan_scan(
    stages: Sequence[Stage],
    outputs: Sequence[tuple[int, tuple[int, ...]]],
    hop: Sequence[int],
    window: Sequence[int],
) -> Plan:
    """Plan a scan: propagate the positions that outputs need backwards through the maps.

    Outputs lie at the multiples of the hop, so what a map needs is periodic: residues modulo the hop. A window-by-
    window plan is taken instead when sharing saves nothing, or too little to pay for gathering scattered positions.

    Parameters
    ----------
    stages
        Maps in order of computation; stage 0 is the input.
    outputs
        ``(stage, shift per axis)`` of each output.
    hop, window
        Per axis, in input samples.
    """
    together = _plan(stages, outputs, tuple(hop), tuple(hop), shared=True)
    alone = tuple(max(h, 2 * w) for h, w in zip(hop, window, strict=True))
    separate = _plan(stages, outputs, tuple(hop), alone, shared=False)
    regular = all(lattice.regular for need in together.needs if need is not None for lattice in need)
    limit = separate.macs_per_window * (1.0 if regular else WORTH_GATHERING)
    return together if together.macs_per_window <= limit else separate


def _plan(
    stages: Sequence[Stage],
    outputs: Sequence[tuple[int, tuple[int, ...]]],
    hop: tuple[int, ...],
    period: tuple[int, ...],
    *,
    shared: bool,
) -> Plan:
    axes = range(len(hop))
    needs: list[list[Lattice] | None] = [None] * len(stages)
    spans: list[list[tuple[int, int]] | None] = [None] * len(stages)

    def require(stage: int, lattices: list[Lattice], span: list[tuple[int, int]]) -> None:
        had, reach = needs[stage], spans[stage]
        if had is None or reach is None:
            needs[stage], spans[stage] = lattices, span
            return
        needs[stage] = [a.join(b) for a, b in zip(had, lattices, strict=True)]
        spans[stage] = [(min(a, c), max(b, d)) for (a, b), (c, d) in zip(reach, span, strict=True)]

    for stage, shift in outputs:
        require(stage, [Lattice.of(period[a], [shift[a]]) for a in axes], [(s, s) for s in shift])
    for i in range(len(stages) - 1, -1, -1):
        need, span = needs[i], spans[i]
        if need is None or span is None:
            continue
        need = needs[i] = (
            [_filled(lattice) for lattice in need] if stages[i].reads else [Lattice(1, (0,)) for _ in axes]
        )
        for source, taps in stages[i].reads:
            read = [need[a].plus(taps[a], period[a]) for a in axes]
            require(source, read, [(span[a][0] + taps[a][0], span[a][1] + taps[a][-1]) for a in axes])
    return Plan(
        tuple(stages),
        tuple(outputs),
        hop,
        tuple(None if need is None else tuple(need) for need in needs),
        tuple(None if span is None else tuple(span) for span in spans),
        shared,
    )


def _filled(lattice: Lattice) -> Lattice:
    regular = lattice.regularised()
    return regular if regular.density <= FILL * lattice.density else lattice
