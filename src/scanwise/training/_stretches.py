"""Holding back stretches of recordings for validation.

Windows of one recording overlap and resemble each other, so what is held back has to be stretches of time, not
windows drawn at random.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from scanwise._checks import real, whole
from scanwise.errors import DataError
from scanwise.training._marked import Marked

_MOST_BLOCKS = 10
"""Pieces that a recording is divided into at the most."""

_LEAST_WINDOWS = 4
"""Windows that a piece holds, but for where events move its edges."""

_TRIES = 100
"""Orders in which pieces are held back, until every class has events on both sides."""


Block = tuple[int, int, int]
"""Recording, start and stop of a piece."""


def split_recordings(
    marked: Marked, window: int, fraction: float = 0.1, seed: int = 0, *, classes: tuple[str, ...] | None = None
) -> tuple[Marked, Marked]:
    """Divide recordings into those to train on and those to validate with.

    Long recordings are cut into pieces, never through an event. Pieces are held back at random until every class
    has given its share of events, at least one, and then until their share of the time is reached.

    Parameters
    ----------
    marked : Marked
        At least one event.
    window : int
        Samples. Pieces are a few windows long; where events are in the way, or all of a class
        are close together, at least one.
    fraction : float
        Share to hold back, between 0 and 1.
    seed : int
        Chooses which.
    classes : tuple of str, optional
        Names of the classes, for messages.

    Returns
    -------
    train, validation : Marked

    Raises
    ------
    ArgumentError
        If `fraction` is not between 0 and 1.
    DataError
        If a class has no two events that can be separated: they must lie in different recordings, or several
        windows apart. Also if that is only so at the cost of another class.
    """
    real("fraction", fraction, above=0)
    real("1 - fraction", 1 - fraction, above=0)
    rng = np.random.default_rng(whole("seed", seed, least=0))
    blocks = _blocks(marked, window, [])
    if crowded := _crowded(marked, blocks):
        blocks = _blocks(marked, window, crowded)
    inside = [_inside(marked, block) for block in blocks]
    counts = np.array([np.bincount(marked.y[rows], minlength=int(marked.y.max()) + 1) for rows in inside])
    lengths = np.array([stop - start for _, start, stop in blocks])
    for _ in range(_TRIES):
        held = _chosen(counts, lengths, fraction, rng)
        one_sided = np.flatnonzero(counts[held].any(axis=0) != counts[~held].any(axis=0))
        if not len(one_sided):
            return _part(marked, blocks, inside, ~held), _part(marked, blocks, inside, held)
    stretches = np.count_nonzero(counts, axis=0)
    number = int(min(one_sided, key=lambda number: stretches[number]))
    name = classes[number] if classes is not None else number
    raise DataError(
        f"class {name!r} must have two events that can be separated, one to validate with; "
        f"got {counts[:, number].sum()} in {stretches[number]} of {len(blocks)} stretches. "
        "Mark more of them elsewhere, or leave it out."
    )


def _inside(marked: Marked, block: Block) -> np.ndarray:
    """Return the events that begin in a block."""
    source, start, stop = block
    return np.flatnonzero((marked.source == source) & (marked.start >= start) & (marked.start < stop))


def _crowded(marked: Marked, blocks: list[Block]) -> list[tuple[int, int]]:
    """Return recording and sample between every two events of a class that has all of them in one block."""
    cuts = []
    for y in np.unique(marked.y):
        holding = [rows[marked.y[rows] == y] for rows in (_inside(marked, block) for block in blocks)]
        holding = [rows for rows in holding if len(rows)]
        if len(holding) == 1:
            rows = holding[0][np.argsort(marked.start[holding[0]])]
            middles = (marked.end[rows[:-1]] + marked.start[rows[1:]]) // 2
            cuts += [(int(marked.source[rows[0]]), int(middle)) for middle in middles]
    return cuts


def _blocks(marked: Marked, window: int, cuts: list[tuple[int, int]]) -> list[Block]:
    """Return recording, start and stop of each piece; together they cover everything.

    Besides cuts at equal distances, those of `cuts` are made where there is room.
    """
    blocks = []
    for number, recording in enumerate(marked.recordings):
        length = recording.shape[1]
        pieces = min(max(length // (_LEAST_WINDOWS * window), 1), _MOST_BLOCKS)
        mine = marked.source == number
        events = sorted(zip(marked.start[mine].tolist(), marked.end[mine].tolist(), strict=True))
        edges = [0]
        wanted = [length * piece // pieces for piece in range(1, pieces)]
        for cut in sorted(wanted + [sample for source, sample in cuts if source == number]):
            for start, end in events:
                cut = end if start < cut < end else cut
            if edges[-1] + window <= cut <= length - window:
                edges.append(cut)
        blocks += [(number, start, stop) for start, stop in pairwise([*edges, length])]
    return blocks


def _chosen(counts: np.ndarray, lengths: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Return which blocks are held back, ``(blocks,)`` of bool; `counts` is ``(blocks, classes)``."""
    total = counts.sum(axis=0)
    wanted = np.minimum(np.maximum(np.rint(fraction * total), 1), total - 1)
    given = np.zeros_like(total)
    held = np.zeros(len(counts), bool)
    order = rng.permutation(len(counts))
    for block in order:
        here = counts[block] > 0
        if (given < wanted)[here].any() and (given + counts[block] < total)[here].all():
            held[block] = True
            given += counts[block]
    for block in order:
        if not counts[block].any() and lengths[held].sum() + lengths[block] <= fraction * lengths.sum():
            held[block] = True
    return held


def _part(marked: Marked, blocks: list[Block], inside: list[np.ndarray], chosen: np.ndarray) -> Marked:
    """Return the chosen blocks, neighbours joined, as recordings of their own."""
    spans: list[tuple[int, int, int]] = []
    rows: list[list[np.ndarray]] = []
    for (number, start, stop), mine, wanted in zip(blocks, inside, chosen, strict=True):
        if not wanted:
            continue
        if spans and spans[-1][::2] == (number, start):
            spans[-1] = (number, spans[-1][1], stop)
            rows[-1].append(mine)
        else:
            spans.append((number, start, stop))
            rows.append([mine])
    taken = [np.concatenate(group) for group in rows]
    events = np.concatenate(taken)
    source = np.repeat(np.arange(len(spans)), [len(group) for group in taken])
    shift = np.array([start for _, start, _ in spans])[source]
    recordings = [marked.recordings[number][:, start:stop] for number, start, stop in spans]
    return Marked(recordings, source, marked.start[events] - shift, marked.end[events] - shift, marked.y[events])
