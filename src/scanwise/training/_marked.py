"""Recordings in which it is marked what is where, and the windows to learn from that this gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scanwise._checks import choice, whole
from scanwise.training._cuts import Cuts

_JITTER = 1 / 10
"""Share of the window by which a pattern may be off-centre at the most where it is still the pattern."""

_OFF = 1 / 6
"""Share of the window by which it is off-centre at the least where it is background."""

_MOST_REPEATS = 10
"""How often an example of a rare class is shown at the most for one of the most frequent class."""

UNLABELLED = ("background", "ignore")
"""What a stretch without a mark may mean."""


@dataclass(frozen=True, eq=False)
class Marked:
    """Recordings and the events in them.

    Parameters
    ----------
    recordings : sequence of ndarray
        ``(channels, samples)`` each.
    source : ndarray
        ``(events,)``: the recording each event is in.
    start, end : ndarray
        ``(events,)``: its samples, half-open.
    y : ndarray
        ``(events,)``: its class number.
    """

    recordings: Sequence[np.ndarray]
    source: np.ndarray
    start: np.ndarray
    end: np.ndarray
    y: np.ndarray

    def ranges(self, window: int) -> tuple[np.ndarray, np.ndarray]:
        """Where a window may begin to show each event, ``(first, last)`` without jitter.

        A window shows an event when both have the same middle. If the event is longer than the window, every window
        within it shows it.
        """
        twice_middle = self.start + self.end - window
        slack = np.maximum(self.end - self.start - window, 0)
        return (twice_middle - slack) // 2, (twice_middle + slack) // 2


def marked_cuts(
    marked: Marked,
    window: int,
    rng: np.random.Generator,
    *,
    background: int | None,
    others: Sequence[int] = (),
    unlabelled: str = "background",
) -> Cuts:
    """Return the windows to learn from: around the events, beside them, and where there are none.

    Events are in the middle of their windows but for a jitter of a tenth of the window; of an event that is longer, any
    window within it will do. All classes are made equally frequent by showing the events of rare ones more often. There
    is as much background as of all patterns together: half of it beside events, off-centre by more than a sixth of the
    window and at most a whole one, half anywhere. It is never closer than that sixth to showing any event.

    Parameters
    ----------
    marked : Marked
        At least one event.
    window : int
        Samples.
    rng : numpy.random.Generator
        Draws which events are repeated and which stretches are taken.
    background : int, optional
        Number of the class that means "no pattern here"; None to make no background. Events marked with it are
        learnt as any other.
    others : sequence of int
        Numbers of further classes that mean no pattern; as much background is made as if they were not there.
    unlabelled : {"background", "ignore"}
        What lies between the events. If it is ignored, all background is beside events, off-centre by at most half a
        window, so that half of the event is still to be seen, or half a window of a longer one.

    Returns
    -------
    Cuts

    Examples
    --------
    >>> marked = Marked([np.zeros((1, 100))], *(np.array([n]) for n in (0, 40, 50, 1)))
    >>> cuts = marked_cuts(marked, 20, np.random.default_rng(0), background=0)
    >>> cuts.y.tolist(), cuts.first.tolist()[0], cuts.last.tolist()[0]
    ([1, 0], 33, 37)
    """
    whole("window", window)
    choice("unlabelled", unlabelled, UNLABELLED)
    first, last = marked.ranges(window)
    jitter = np.maximum(int(_JITTER * window) - (last - first) // 2, 0)
    rows = _balanced(marked.y, rng)
    examples = [(marked.source[rows], (first - jitter)[rows], (last + jitter)[rows], marked.y[rows])]
    if background is not None:
        patterns = ~np.isin(marked.y, [background, *others])
        beside, anywhere = _free(marked, window, first, last, ignore=unlabelled == "ignore")
        wanted = int(np.isin(rows, np.flatnonzero(patterns)).sum())
        for ranges, count in ((beside, wanted - wanted // 2), (anywhere, wanted // 2)):
            examples.append((*_drawn(ranges, count, rng), np.full(count if len(ranges) else 0, background)))
    source, start, stop, y = (np.concatenate(column) for column in zip(*examples, strict=True))
    return Cuts(marked.recordings, source, start, stop, y, window)


def _balanced(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return numbers of the examples, those of rare classes several times."""
    classes, counts = np.unique(y, return_counts=True)
    rows = []
    for number, count in zip(classes, counts, strict=True):
        mine = np.flatnonzero(y == number)
        wanted = min(int(counts.max()), _MOST_REPEATS * int(count))
        rows += [np.tile(mine, wanted // count), rng.permutation(mine)[: wanted % count]]
    return np.sort(np.concatenate(rows))


def _free(
    marked: Marked, window: int, first: np.ndarray, last: np.ndarray, *, ignore: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return ranges ``(n, 3)`` of recording, first and last start of background: beside events, and anywhere."""
    off = int(_OFF * window) + 1
    reach = (window // 2 if ignore else window) - off
    beside, anywhere = [], []
    for number, recording in enumerate(marked.recordings):
        mine = np.flatnonzero(marked.source == number)
        mine = mine[np.argsort(first[mine])]
        low, end = -(window // 2), recording.shape[1] - window // 2
        for row in [*mine, None]:
            high = end if row is None else first[row] - off
            if low <= high:
                anywhere.append((number, low, high))
                if low > -(window // 2):
                    beside.append((number, low, min(low + reach, high)))
                if row is not None:
                    beside.append((number, max(high - reach, low), high))
            low = low if row is None else max(low, last[row] + off)
    near, free = (np.array(ranges, np.int64).reshape(-1, 3) for ranges in (beside, anywhere))
    near = near[near[:, 1] <= near[:, 2]]  # half of a window of one sample is none
    return near, near if ignore else free


def _drawn(ranges: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return columns of `count` of the ranges, long ones more often; none where there are none."""
    if not len(ranges):
        return ranges[:, 0], ranges[:, 1], ranges[:, 2]
    lengths = ranges[:, 2] - ranges[:, 1] + 1
    rows = rng.choice(len(ranges), size=count, p=lengths / lengths.sum())
    return ranges[rows, 0], ranges[rows, 1], ranges[rows, 2]
