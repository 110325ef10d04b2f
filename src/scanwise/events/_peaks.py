"""From dense scores to events: local maxima above a threshold, thinned out greedily."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from scanwise.errors import ArgumentError
from scanwise.events._event import Event

__all__ = ["find_peaks"]

_CHUNK = 4096


def find_peaks(
    scores: np.ndarray,
    thresholds: float | Sequence[float] | np.ndarray,
    *,
    window: Sequence[int],
    hop: Sequence[int],
    labels: Sequence[str | None],
    origin: Sequence[int] | None = None,
    merge_gap: int | None = None,
) -> list[Event]:
    """Find the windows that stand out.

    A *candidate* is a class at a position whose score is at least the class' threshold and greater than the
    class' scores at all adjacent positions (diagonals included); of equal neighbours the first in reading
    order counts as the greater. Candidates are taken one by one, the highest score first, equal scores in
    reading order of their positions, then in the order of the classes. One becomes an event unless it lies
    too near to an event taken before it. Too near means, with starts measured in samples:

    * two axes (images): less than half a window away on every axis, whatever the classes;
    * one axis (signals): less than `merge_gap` away, and of the same class.

    What a candidate becomes depends on higher scores only. Hence the events at some threshold are those at
    any lower one whose scores reach it, so one search at a low threshold serves every higher one (in images,
    where classes suppress each other, when all classes have the same threshold).

    Parameters
    ----------
    scores
        `(classes, *positions)`, real numbers, one or two axes of positions.
    thresholds
        The lowest score of an event, one for all classes or one each. Infinity silences a class.
    window, hop
        Samples a window spans, and between neighbouring positions; per axis.
    labels
        A name for each class; None for one that is never reported and suppresses nothing, such as background.
    origin
        First sample of the window at position 0, per axis. None means 0; negative where padding stands
        before.
    merge_gap
        Samples between the starts of two events of one class on one axis, at the least. None means half a
        window. Not for images.

    Returns
    -------
    list of Event
        In reading order of their starts, then in the order of the classes.

    Raises
    ------
    ArgumentError
        When arguments differ in their number of axes or classes, scores or thresholds hold NaN, or a window,
        a hop or the gap is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> scores = np.array([[0.1, 0.9, 0.8, 0.2, 0.7, 0.0]])
    >>> for event in find_peaks(scores, 0.5, window=(4,), hop=(1,), labels=["beat"]):
    ...     print(event.start, event.stop, event.label, event.score)
    (1,) (5,) beat 0.9
    (4,) (8,) beat 0.7
    """
    origin = (0,) * (scores.ndim - 1) if origin is None else origin
    limits = _checked(scores, thresholds, window, hop, labels, origin, merge_gap)
    places = _candidates(scores, limits, [k for k, label in enumerate(labels) if label is not None])
    values = scores[tuple(places.T)].astype(np.float64)
    best_first = np.lexsort((*_reading_order(places), -values))
    places, values = places[best_first], values[best_first]

    # Starts `distance` positions apart are too near when 2 * hop * distance < width.
    widths = window if merge_gap is None else (2 * merge_gap,)
    reach = tuple((width - 1) // (2 * step) for width, step in zip(widths, hop, strict=True))
    if len(reach) == 1:
        kept = _thin_out(places, scores.shape, (0, *reach))
    else:
        kept = _thin_out(places[:, 1:], scores.shape[1:], reach)
    places, values = places[kept], values[kept]

    starts = places[:, 1:] * np.asarray(hop) + np.asarray(origin)
    stops = starts + np.asarray(window)
    events = zip(starts.tolist(), stops.tolist(), places[:, 0].tolist(), values.tolist(), strict=True)
    in_order = np.lexsort(_reading_order(places)).tolist()
    unsorted = [Event(tuple(start), tuple(stop), str(labels[k]), score) for start, stop, k, score in events]
    return [unsorted[i] for i in in_order]


def _checked(
    scores: np.ndarray,
    thresholds: float | Sequence[float] | np.ndarray,
    window: Sequence[int],
    hop: Sequence[int],
    labels: Sequence[str | None],
    origin: Sequence[int],
    merge_gap: int | None,
) -> np.ndarray:
    """Check all arguments; give the thresholds as float64 `(classes,)`."""
    axes = scores.ndim - 1
    if axes not in (1, 2):
        raise ArgumentError(
            f"scores must be (classes, *positions), one or two axes of positions; got shape {scores.shape}. "
            "Search one input at a time."
        )
    if np.isnan(scores).any():
        raise ArgumentError(f"scores must not hold NaN; got {int(np.isnan(scores).sum()):,}. Check the network.")
    for name, value in (("window", window), ("hop", hop), ("origin", origin)):
        if len(value) != axes or (name != "origin" and min(value) < 1):
            rule = "an integer" if name == "origin" else "a positive integer"
            raise ArgumentError(f"{name} must hold {rule} for each of {axes} axes; got {tuple(value)}.")
    if merge_gap is not None and (axes != 1 or merge_gap < 1):
        raise ArgumentError(f"merge_gap must be at least 1, on one axis; got {merge_gap} on {axes}. Leave it out.")
    if len(labels) != len(scores):
        raise ArgumentError(f"labels must name each of {len(scores)} classes; got {len(labels)}.")
    limits = np.asarray(thresholds, dtype=np.float64)
    if limits.shape not in ((), (len(scores),)) or np.isnan(limits).any():
        raise ArgumentError(f"thresholds must be one number or {len(scores)}, none NaN; got {limits.tolist()}.")
    return np.broadcast_to(limits, (len(scores),))


def _reading_order(places: np.ndarray) -> tuple[np.ndarray, ...]:
    """Keys for `numpy.lexsort`, the weakest first: class, then the axes of position from last to first."""
    return (places[:, 0], *places[:, :0:-1].T)


def _candidates(scores: np.ndarray, limits: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """Places `(candidates, 1 + axes)`, class first, of the local maxima that reach their class' limit."""
    found = [np.empty((0, scores.ndim), dtype=np.intp)]
    for k in classes:
        positions = np.argwhere(_local_maxima(scores[k], limits[k]))
        found.append(np.insert(positions, 0, k, axis=1))
    return np.concatenate(found)


def _local_maxima(scores: np.ndarray, limit: np.float64) -> np.ndarray:
    peaks = scores >= limit
    if not peaks.any():
        return peaks
    origin = (0,) * scores.ndim
    for offset in product((-1, 0, 1), repeat=scores.ndim):
        if offset == origin:
            continue
        here = tuple(slice(max(-step, 0), -step if step > 0 else None) for step in offset)
        there = tuple(slice(max(step, 0), step if step < 0 else None) for step in offset)
        exceeds = np.greater if offset < origin else np.greater_equal
        peaks[here] &= exceeds(scores[here], scores[there])
    return peaks


def _thin_out(places: np.ndarray, shape: tuple[int, ...], reach: tuple[int, ...]) -> list[int]:
    """Indices of the places that stay, of `places` given best first: greedy, `reach` on each axis inclusive.

    Every place that stays marks its surroundings, so the cost is one look per place and one mark per event,
    however many candidates there are.
    """
    taken = np.zeros(shape, dtype=bool)
    kept = []
    for first in range(0, len(places), _CHUNK):
        chunk = places[first : first + _CHUNK]
        free = np.flatnonzero(~taken[tuple(chunk.T)])
        for index, place in zip(free.tolist(), chunk[free].tolist(), strict=True):
            if not taken[tuple(place)]:
                near = (slice(max(at - far, 0), at + far + 1) for at, far in zip(place, reach, strict=True))
                taken[tuple(near)] = True
                kept.append(first + index)
    return kept
