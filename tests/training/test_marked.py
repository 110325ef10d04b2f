"""Which windows of marked recordings are learnt from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError
from scanwise.training import Cuts, Marked, _marked, marked_cuts

Row = tuple[int, int, int, int]

events = st.builds(
    lambda number, middle, extent, y: (number, (middle - extent) // 2, extent, y),
    st.integers(0, 2),
    st.integers(2, 180),
    st.integers(1, 60),
    st.integers(0, 2),
)
"""Recording, start, length and class; middles lie in the recordings, ends perhaps not."""
many_events = st.lists(events, min_size=1, max_size=5)
windows = st.integers(1, 40)


def marked(rows: list[Row], recordings: int = 3, length: int = 90) -> Marked:
    """Return events (recording, start, length, class) in recordings of one length."""
    source, start, extent, y = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return Marked([np.zeros((1, length))] * recordings, source, start, start + extent, y)


def made(
    rows: list[Row], window: int, *, seed: int = 0, background: int | None = 0, unlabelled: str = "background"
) -> tuple[Cuts, int]:
    """Return the cuts, and how many of them are of events."""
    rng = np.random.default_rng(seed)
    cuts = marked_cuts(marked(rows), window, rng, background=background, unlabelled=unlabelled)
    return cuts, len(marked_cuts(marked(rows), window, np.random.default_rng(seed), background=None))


def shows(event: Row, window: int) -> set[int]:
    """Return the starts of the windows that show an event: the same middle, or within it."""
    _, start, extent, _ = event
    if extent > window:
        return {s for s in range(-50, 200) if start <= s and s + window <= start + extent}
    return {s for s in range(-50, 200) if 2 * s + window in (2 * start + extent, 2 * start + extent - 1)}


def brute_force(rows: list[Row], window: int, most: float = np.inf) -> list[set[int]]:
    """Return, for each recording, where background may begin: off from all events, but not too far from some."""
    allowed, half = [], window // 2
    for number in range(3):
        shown = set().union(*(shows(row, window) for row in rows if row[0] == number))
        off = {s: min((abs(s - other) for other in shown), default=np.inf) for s in range(-half, 91 - half)}
        allowed.append({s for s, samples in off.items() if window < 6 * samples and samples <= most})
    return allowed


def covered(source: np.ndarray, first: np.ndarray, last: np.ndarray) -> list[set[int]]:
    """Return, for each recording, the starts in some range."""
    rows = list(zip(source.tolist(), first.tolist(), last.tolist(), strict=True))
    return [{s for number, a, b in rows if number == wanted for s in range(a, b + 1)} for wanted in range(3)]


@given(events, windows)
def test_a_range_without_jitter_is_where_windows_show_the_event(event: Row, window: int) -> None:
    first, last = marked([event]).ranges(window)
    assert set(range(int(first[0]), int(last[0]) + 1)) == shows(event, window)


@given(events, windows)
def test_an_event_is_in_the_middle_but_for_a_tenth_of_the_window(event: Row, window: int) -> None:
    cuts, count = made([event], window, background=None)
    assert (len(cuts), count, cuts.source[0], cuts.y[0]) == (1, 1, event[0], event[3])
    assert cuts.window == window
    _, start, extent, _ = event
    half = max(window // 10, (extent - window) / 2)  # within a long event the middle may be anywhere
    for begin in (cuts.first[0], cuts.last[0]):
        assert half - 1 <= abs(begin + window / 2 - (start + extent / 2)) <= half + 0.5
    if 5 * (extent - window) >= window:
        assert (cuts.first[0], cuts.last[0]) == (start, start + extent - window)


def test_rare_events_are_repeated_evenly_and_at_most_ten_times() -> None:
    counts = {0: 50, 1: 21, 2: 3}
    classes = [label for label, count in counts.items() for _ in range(count)]
    rows = [(0, place, 1, label) for place, label in enumerate(classes)]
    cuts, _ = made(rows, 1, background=None)
    assert np.bincount(cuts.y).tolist() == [50, 50, 30]
    for label, (least, most) in {0: (1, 1), 1: (2, 3), 2: (10, 10)}.items():
        shown, times = np.unique(cuts.first[cuts.y == label], return_counts=True)
        assert len(shown) == counts[label]
        assert (times.min(), times.max()) == (least, most)


@given(many_events, windows)
def test_background_may_begin_wherever_no_event_is_shown_nearly(rows: list[Row], window: int) -> None:
    data = marked(rows)
    near, free = _marked._free(data, window, *data.ranges(window), ignore=False)
    assert covered(*free.T) == brute_force(rows, window)
    assert covered(*near.T) == brute_force(rows, window, most=window)


@given(many_events, windows)
def test_ignoring_what_is_unlabelled_leaves_what_is_half_an_event(rows: list[Row], window: int) -> None:
    data = marked(rows)
    near, free = _marked._free(data, window, *data.ranges(window), ignore=True)
    assert covered(*near.T) == covered(*free.T) == brute_force(rows, window, most=window // 2)
    for number, *ends in near.tolist():
        for start in ends:
            seen = [
                min(start + window, a + extent) - max(start, a) - (min(extent, window) - 1) / 2
                for source, a, extent, _ in rows
                if source == number
            ]
            assert max(seen) >= 0


@given(many_events, windows, st.sampled_from(["background", "ignore"]))
def test_drawn_background_is_off_from_every_event(rows: list[Row], window: int, unlabelled: str) -> None:
    cuts, count = made(rows, window, unlabelled=unlabelled)
    allowed = brute_force(rows, window, most=np.inf if unlabelled == "background" else window // 2)
    starts = covered(cuts.source[count:], cuts.first[count:], cuts.last[count:])
    assert all(found <= free for found, free in zip(starts, allowed, strict=True))
    assert (cuts.y[count:] == 0).all()
    if not any(allowed):
        assert len(cuts) == count


def test_there_is_as_much_background_as_patterns_and_half_of_it_beside_them() -> None:
    rows = [(0, 40, 10, 1), (0, 60, 3, 2), (1, 20, 8, 2)] * 67
    cuts, count = made(rows, 10)
    patterns = int((cuts.y[:count] > 0).sum())
    assert len(cuts) - count == patterns == 268
    near = brute_force(rows[:3], 10, most=10)
    ranges = zip(cuts.source[count:], cuts.first[count:], cuts.last[count:], strict=True)
    beside = np.array([set(range(first, last + 1)) <= near[number] for number, first, last in ranges])
    assert 0.5 <= beside.mean() < 0.75
    lengths = (cuts.last - cuts.first)[count:]
    assert lengths[~beside].max() == 90  # a whole recording without an event
    cuts, count = made(rows, 10, unlabelled="ignore")
    assert len(cuts) - count == 268


def test_long_free_stretches_are_drawn_more_often() -> None:
    recordings = [np.zeros((1, length)) for length in (1, 100, 900)]
    event = (np.full(4000, number) for number in (0, 0, 1, 1))
    cuts = marked_cuts(Marked(recordings, *event), 1, np.random.default_rng(0), background=0)
    shares = np.bincount(cuts.source[6000:], minlength=3) / 2000
    assert shares == pytest.approx([0.002, 0.1, 0.9], abs=0.03)


def test_a_recording_without_events_is_background_unless_that_is_ignored() -> None:
    rows = [(0, 40, 10, 1)] * 60
    assert set(made(rows, 10)[0].source) == {0, 1, 2}
    assert set(made(rows, 10, unlabelled="ignore")[0].source) == {0}


def test_where_no_background_fits_there_is_none() -> None:
    rows = [(number, start, 4, 1) for number in range(3) for start in range(0, 90, 4)]
    cuts, count = made(rows, 30)
    assert len(cuts) == count == len(rows)


def test_a_window_of_one_sample_shows_no_half_event() -> None:
    cuts, count = made([(0, 40, 1, 1)], 1, unlabelled="ignore")
    assert len(cuts) == count == 1


def test_marked_background_is_learnt_as_any_other_and_wants_no_more_of_it() -> None:
    rows = [(0, 40, 10, 0)] * 6 + [(1, 40, 10, 1)] * 3
    cuts, count = made(rows, 10)
    assert np.bincount(cuts.y[:count]).tolist() == [6, 6]
    assert len(cuts) - count == 6
    assert not {s for s in covered(cuts.source[count:], cuts.first[count:], cuts.last[count:])[0] if 38 <= s <= 42}
    cuts, count = made(rows[:6], 10)
    assert len(cuts) == count == 6


def test_without_a_background_class_there_are_only_events() -> None:
    assert made([(0, 40, 10, 0), (1, 40, 10, 1)], 10, background=None)[0].y.tolist() == [0, 1]


def test_cuts_are_repeated_by_the_generator() -> None:
    rows = [(0, 10, 10, 1), (1, 50, 10, 2), (1, 20, 5, 2)] * 9
    first, again, other = (made(rows, 10, seed=seed)[0] for seed in (0, 0, 1))
    for name in ("source", "first", "last", "y"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.first, other.first)


def test_wrong_arguments_of_cuts_are_refused() -> None:
    with pytest.raises(ArgumentError, match="window must be a whole number of at least 1; got 0"):
        made([(0, 0, 1, 1)], 0)
    with pytest.raises(ArgumentError, match="unlabelled must be one of background, ignore; got 'skip'"):
        made([(0, 0, 1, 1)], 1, unlabelled="skip")


def test_further_classes_of_no_pattern_ask_for_no_background() -> None:
    three = marked([(0, 20, 10, 0), (1, 20, 10, 1), (2, 20, 10, 2)])
    for others, count in (((), 2), ((2,), 1)):
        cuts = marked_cuts(three, 10, np.random.default_rng(0), background=0, others=others)
        assert np.bincount(cuts.y).tolist() == [1 + count, 1, 1]
