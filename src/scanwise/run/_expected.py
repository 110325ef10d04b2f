"""What share of the machine's multiply-add peak the native engine should reach, from the network alone."""

from __future__ import annotations

from math import prod

from ._lower import Step
from ._phases import Phases

# Measured once on a processor with AVX-512: the part of the peak that a register tile of so many channels reaches, and
# cycles beside the arithmetic for each vector that a step writes.
TILES = ((8, 1.0), (4, 0.97), (2, 0.85), (1, 0.5))
WRITE_CYCLES = 1.5
POINT_CYCLES = {"input": 2.0, "copy": 2.0, "affine": 1.5, "binary": 2.0, "vector": 1.5, "unary": 6.0, "chan": 10.0}
MACS_PER_CYCLE = 2  # vectors
COLUMN = 208  # usual width of a column of an image, whose neighbours both compute what lies between


def expected_share(phases: Phases) -> float:
    """Return the time that multiply-accumulates alone would take, over the time that all steps should take."""
    best = cycles = 0.0
    for step, classes in zip(phases.lowered.steps, phases.classes, strict=True):
        places = prod(len(c.first) for c in classes)
        anew = 1 + (max(classes[1].ahead) / COLUMN if len(classes) == 2 else 0)
        best += places * step.macs / MACS_PER_CYCLE
        cycles += places * anew * _cycles(step)
    return best / cycles if best else 0.0


def _cycles(step: Step) -> float:
    """Cycles for one vector of positions."""
    if step.kind == "conv":
        terms, left, tiles = step.params[0][0].numel(), step.channels // step.size, 0.0
        for channels, share in TILES:
            tiles += left // channels * channels / share
            left %= channels
        return step.size * tiles * terms / MACS_PER_CYCLE + step.channels * WRITE_CYCLES
    if step.kind in ("fold", "spread"):
        return step.channels * (WRITE_CYCLES + 0.5 * sum(prod(map(len, read.taps)) for read in step.reads))
    return step.channels * POINT_CYCLES[step.kind]
