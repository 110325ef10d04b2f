"""Periodic sets of integer positions: which units of a feature map a hop needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import gcd

from scanwise.errors import ArgumentError


@dataclass(frozen=True)
class Lattice:
    """The positions ``{m * period + r : m any integer, r in residues}`` along one axis.

    Kept in canonical form: residues are sorted, unique and in ``[0, period)``, and the period is the smallest one that
    describes the set, so equal sets compare equal. A set of equally spaced positions has one residue, and its period
    is its step.

    Parameters
    ----------
    period
        Distance after which the set repeats, in input samples, at least 1.
    residues
        Members within one period. Empty for the empty set.

    Examples
    --------
    >>> Lattice.of(4, [0, 2, 6])
    Lattice(period=2, residues=(0,))
    """

    period: int
    residues: tuple[int, ...]

    @classmethod
    def of(cls, period: int, positions: Iterable[int]) -> Lattice:
        """Build the canonical lattice of ``positions`` repeated with ``period``."""
        if period < 1:
            raise ArgumentError(f"period must be at least 1; got {period}. Give the hop in input samples.")
        residues = sorted({position % period for position in positions})
        return cls(*_smallest_period(period, residues))

    def __contains__(self, position: int) -> bool:
        return position % self.period in self.residues

    @property
    def regular(self) -> bool:
        """Whether the positions are equally spaced."""
        return len(self.residues) == 1

    @property
    def density(self) -> float:
        """Members per input sample, between 0 and 1."""
        return len(self.residues) / self.period

    def join(self, other: Lattice) -> Lattice:
        """Return the union of two sets whose periods divide a common one."""
        period = self.period * other.period // gcd(self.period, other.period)
        return Lattice.of(period, [*self.unrolled(period), *other.unrolled(period)])

    def plus(self, offsets: Iterable[int], period: int) -> Lattice:
        """Return every sum of a member and an offset; ``period`` is a multiple of this lattice's (the hop)."""
        members = self.unrolled(period)
        distinct = {offset % period for offset in offsets}
        return Lattice.of(period, {(m + o) % period for m in members for o in distinct})

    def regularised(self) -> Lattice:
        """Return the sparsest equally spaced set that contains this one."""
        if len(self.residues) < 2:
            return self
        first = self.residues[0]
        step = self.period
        for residue in self.residues[1:]:
            step = gcd(step, residue - first)
        return Lattice.of(step, [first])

    def unrolled(self, period: int) -> list[int]:
        """Return the members in ``[0, period)`` of a multiple of this lattice's period."""
        return [base + r for base in range(0, period, self.period) for r in self.residues]

    def within(self, start: int, stop: int) -> range | list[int]:
        """Return the members in ``[start, stop)``, ascending: a ``range`` when they are equally spaced."""
        if self.regular:
            first = start + (self.residues[0] - start) % self.period
            return range(first, max(stop, first), self.period)
        base = start - start % self.period
        unrolled = (b + r for b in range(base, stop, self.period) for r in self.residues)
        found = [position for position in unrolled if start <= position < stop]
        step = found[1] - found[0] if len(found) > 1 else 1
        spaced = range(found[0], found[-1] + 1, step) if found else range(0)
        return spaced if len(spaced) == len(found) and list(spaced) == found else found


def _smallest_period(period: int, residues: list[int]) -> tuple[int, tuple[int, ...]]:
    """Return the smallest period of a residue set, found through the divisors of the set's size."""
    if not residues:
        return 1, ()
    members = set(residues)
    for parts in range(gcd(period, len(residues)), 1, -1):
        if period % parts or len(residues) % parts:
            continue
        smaller = period // parts
        if all((r + smaller) % period in members for r in residues):
            return smaller, tuple(r for r in residues if r < smaller)
    return period, tuple(residues)
