"""The plan of a time-delay network: which frames each layer reads and computes, in integers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import gcd
from typing import Any

from scanwise._checks import whole
from scanwise.errors import ArgumentError

Contexts = tuple[tuple[int, ...], ...]


def offsets_of(name: str, value: Any) -> tuple[int, ...]:
    """Return a layer's frame offsets as a tuple, if they are whole numbers that strictly increase."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise ArgumentError(f"{name} must be a sequence of frame offsets; got {value!r}. Write (-1, 0, 1), say.")
    offsets = tuple(whole(f"{name}[{i}]", entry, least=None) for i, entry in enumerate(value))
    if any(a >= b for a, b in pairwise(offsets)):
        raise ArgumentError(f"{name} must be strictly increasing; got {list(offsets)}. Sort it, and leave out repeats.")
    return offsets


def contexts_of(value: Any) -> Contexts:
    """Return the offsets of every layer as tuples."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise ArgumentError(
            f"contexts must be a sequence with the frame offsets of each layer; got {value!r}. "
            "Write ((-2, -1, 0, 1, 2), (-1, 2)), say."
        )
    return tuple(offsets_of(f"contexts[{i}]", entry) for i, entry in enumerate(value))


def cumulative_contexts(contexts: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    """Return how many frames of the input each layer of a time-delay network sees before and after its own.

    Parameters
    ----------
    contexts : sequence of sequence of int
        Per layer, the frames it reads of the layer below, relative to its own.

    Returns
    -------
    tuple of tuple of int
        ``(left, right)`` per layer: a unit at frame ``t`` sees frames ``t - left`` to ``t + right`` of the input, both
        counted.

    Raises
    ------
    ArgumentError
        If `contexts` is not a sequence of strictly increasing whole numbers per layer.

    Examples
    --------
    The network of Peddinti, Povey and Khudanpur (2015):

    >>> cumulative_contexts(((-2, -1, 0, 1, 2), (-1, 2), (-3, 3), (-7, 2)))
    ((2, 2), (3, 4), (6, 7), (13, 9))
    """
    layers = contexts_of(contexts)
    lefts = accumulate(-offsets[0] for offsets in layers)
    rights = accumulate(offsets[-1] for offsets in layers)
    return tuple(zip(lefts, rights, strict=True))


def usual_contexts(frames: int) -> Contexts:
    """Return contexts that see exactly `frames` frames.

    Five neighbours, then three frames each at distances 2, 4, 8 and so on, half of what the layer below sees; the last
    layer's are stretched to what is left, by half at most, so that no frame is left out. An odd one is after.
    """
    left, right = min(2, (frames - 1) // 2), min(2, frames // 2)
    contexts: list[tuple[int, ...]] = [tuple(range(-left, right + 1))]
    rest = frames - 1 - left - right
    distance = 2
    while rest > 3 * distance:
        contexts.append((-distance, 0, distance))
        rest -= 2 * distance
        distance *= 2
    if rest:
        contexts.append(tuple(sorted({-(rest // 2), 0, rest - rest // 2})))
    return tuple(contexts)


def plan_frames(contexts: Contexts, frames: int) -> tuple[range, ...]:
    """Return the frames that each layer computes for a window of `frames` frames, the window's own first.

    The last layer has a frame wherever its whole context lies in the window. What a layer must compute follows from the
    layer above, and is widened to the smallest equally spaced set, so that the layer above is a strided convolution.

    Returns
    -------
    tuple of range
        One more than there are layers. Frames are counted from the window's start; a layer's first frame reads the
        first frame of the layer below.

    Raises
    ------
    ArgumentError
        If the contexts span more than the window.
    """
    left, right = cumulative_contexts(contexts)[-1]
    if left + right + 1 > frames:
        raise ArgumentError(
            f"contexts must span at most the window's {frames} frames; got {left + right + 1}, from {left} before to "
            f"{right} after. Use a larger window, or fewer or narrower contexts."
        )
    plan = [range(left, frames - right)]
    for offsets in reversed(contexts[1:]):
        above = plan[-1]
        step = gcd(_step(above), *(b - a for a, b in pairwise(offsets)))
        plan.append(range(above[0] + offsets[0], above[-1] + offsets[-1] + 1, step or 1))
    return (range(frames), *reversed(plan))


def taps_and_stride(offsets: Sequence[int], below: range, above: range) -> tuple[tuple[int, ...], int]:
    """Return where a layer reads the frames `below`, counted in those frames, and by how many it steps."""
    return tuple((offset - offsets[0]) // below.step for offset in offsets), max(1, _step(above) // below.step)


def _step(frames: range) -> int:
    """Return the distance of neighbouring frames, 0 if there is but one."""
    return frames.step if frames[0] != frames[-1] else 0
