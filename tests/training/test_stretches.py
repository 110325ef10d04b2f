"""Holding back stretches of recordings."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, example, given, reject
from hypothesis import strategies as st

from scanwise.errors import ArgumentError, DataError
from scanwise.training import Marked, _stretches, split_recordings

FAR = 100_000
"""Samples of recording `k` are their own place in it, and `k` times this."""

Row = tuple[int, int, int, int]


def marked(rows: list[Row], lengths: list[int]) -> Marked:
    """Return events (recording, start, length, class) in recordings whose samples say where they are."""
    source, start, extent, y = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    recordings = [FAR * number + np.arange(length, dtype=float)[None] for number, length in enumerate(lengths)]
    return Marked(recordings, source, start, start + extent, y)


def original(part: Marked) -> list[Row]:
    """Return the events of a part as they were before, which their recordings' samples tell."""
    found = []
    for number, start, end, y in zip(part.source, part.start, part.end, part.y, strict=True):
        recording, place = divmod(int(part.recordings[number][0, start]), FAR)
        found.append((recording, place, int(end - start), int(y)))
    return found


@st.composite
def recordings_and_events(draw: st.DrawFn) -> tuple[list[Row], list[int]]:
    """Events anywhere, across each other, and up to one sample beyond the end."""
    lengths = draw(st.lists(st.integers(1, 300), min_size=1, max_size=4))
    rows = []
    for _ in range(draw(st.integers(4, 25))):
        number = draw(st.integers(0, len(lengths) - 1))
        start = draw(st.integers(0, lengths[number] - 1))
        extent = draw(st.integers(1, min(lengths[number] + 1 - start, 80)))
        rows.append((number, start, extent, draw(st.integers(0, 1))))
    rows += [(number, length - 1, 2, 1) for number, length in enumerate(lengths)]
    return rows, lengths


@given(recordings_and_events(), st.integers(1, 12), st.floats(0.05, 0.95), st.integers(0, 99))
def test_parts_share_no_sample_and_keep_every_event_whole(
    given: tuple[list[Row], list[int]], window: int, fraction: float, seed: int
) -> None:
    rows, lengths = given
    try:
        parts = split_recordings(marked(rows, lengths), window, fraction, seed)
    except DataError:
        reject()
    samples = [value for part in parts for recording in part.recordings for value in recording[0]]
    assert sorted(samples) == [FAR * k + place for k, length in enumerate(lengths) for place in range(length)]
    assert sorted(row for part in parts for row in original(part)) == sorted(rows)
    for part in parts:
        for recording in part.recordings:
            assert (np.diff(recording[0]) == 1).all()
            assert recording.shape[1] >= min(window, lengths[int(recording[0, 0]) // FAR])
        for number, end in zip(part.source, part.end, strict=True):
            *_, final = part.recordings[number][0]
            beyond = final % FAR + 1 == lengths[int(final) // FAR]
            assert end <= part.recordings[number].shape[1] + beyond
        assert set(part.y) == {row[3] for row in rows}


@given(st.lists(st.sets(st.integers(0, 2), max_size=3), min_size=1, max_size=5), st.integers(0, 99))
@example([{0, 1}, {0, 2}, {1}, {2}], 3)
def test_a_split_is_found_where_there_is_one(classes: list[set[int]], seed: int) -> None:
    """Recordings of one piece each, so that all ways to hold some of them back can be tried."""
    rows = [(number, 5, 3, y) for number, found in enumerate(classes) for y in found]
    present = set().union(*classes)
    assume(present)
    ways = product([0, 1], repeat=len(classes))
    sides = (
        [set().union(*(c for c, s in zip(classes, way, strict=True) if s == side)) for side in (0, 1)] for way in ways
    )
    data = marked(rows, [20] * len(classes))
    if any(both == [present, present] for both in sides):
        for part in split_recordings(data, 10, 0.1, seed):
            assert set(part.y) == present
    else:
        with pytest.raises(DataError, match="must have two events that can be separated"):
            split_recordings(data, 10, 0.1, seed)


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.7])
def test_of_many_events_about_the_share_is_held_back(fraction: float) -> None:
    rng = np.random.default_rng(0)
    rows = [(number, 100 * place + 40, 10, int(rng.integers(3))) for number in range(20) for place in range(10)]
    learn, held = split_recordings(marked(rows, [1000] * 20), 10, fraction)
    for y in range(3):
        assert np.mean(held.y == y) == pytest.approx(np.mean(learn.y == y), abs=0.15)
    assert len(held.y) / len(rows) == pytest.approx(fraction, abs=0.07)


def test_no_more_events_are_held_back_than_their_share() -> None:
    """Although a third of the time lies in pieces without any, and is divided too."""
    rows = [(number, 100 * place + 40, 10, 0) for number in range(2) for place in range(10)]
    for seed in range(10):
        learn, held = split_recordings(marked(rows, [1000] * 3), 10, 0.3, seed)
        assert (len(learn.y), len(held.y)) == (14, 6)
        assert sum(recording.shape[1] for recording in held.recordings) == 900


def test_pieces_without_events_are_held_back_until_the_share_of_time_is_reached() -> None:
    rows = [(0, 10, 5, 0), (0, 930, 5, 0)]
    _, held = split_recordings(marked(rows, [1000, 1000, 1000]), 10, 0.4)
    share = sum(recording.shape[1] for recording in held.recordings) / 3000
    assert 0.35 < share <= 0.4
    assert len(held.y) == 1
    _, held = split_recordings(marked(rows, [1000, 1000, 1000]), 10, 0.01)
    assert [recording.shape[1] for recording in held.recordings] == [100]


def test_neighbouring_pieces_stay_together() -> None:
    rows = [(0, 100 * place + 40, 10, 0) for place in range(10)]
    learn, held = split_recordings(marked(rows, [1000]), 10, 0.1)
    assert sorted(recording.shape[1] for recording in held.recordings) == [100]
    assert len(learn.recordings) <= 2
    assert sum(recording.shape[1] for recording in learn.recordings) == 900


def test_pieces_of_different_recordings_do_not_become_neighbours() -> None:
    rows = [(number, 50 * place + 20, 10, 0) for number in range(2) for place in range(2)]
    for seed in range(20):
        parts = split_recordings(marked(rows, [100, 100]), 10, 0.5, seed)
        samples = np.concatenate([recording[0] for part in parts for recording in part.recordings])
        assert sorted(samples) == [*range(100), *range(FAR, FAR + 100)]


def test_a_recording_is_divided_into_ten_pieces_at_the_most_and_not_below_four_windows() -> None:
    for length, window, size in [(1000, 1, 100), (1000, 50, 200), (399, 100, 399)]:
        rows = [(number, 0, 1, 0) for number in (0, 1, 1)]
        _, held = split_recordings(marked(rows, [length, length]), window, 0.01)
        assert [recording.shape[1] for recording in held.recordings] == [size]


def test_an_event_over_a_cut_moves_it() -> None:
    rows = [(0, 480, 60, 0), (0, 500, 70, 1), (0, 560, 30, 0), (0, 800, 5, 0), (0, 900, 5, 1)]
    parts = split_recordings(marked(rows, [1000]), 125, 0.5)
    edges = {int(edge) for part in parts for x in part.recordings for edge in (x[0, 0], x[0, -1] + 1)}
    assert edges == {0, 590, 1000}


def test_a_cut_that_would_leave_less_than_a_window_is_not_made() -> None:
    rows = [(0, 90, 100, 0), (0, 890, 91, 0)]
    edges = [stop for _, _, stop in _stretches._blocks(marked(rows, [1000]), 20, [])]
    assert edges == [190, 300, 400, 500, 600, 700, 800, 1000]
    edges = [stop for _, _, stop in _stretches._blocks(marked([(0, 90, 90, 0), (0, 890, 90, 0)], [1000]), 20, [])]
    assert edges == [180, 200, 300, 400, 500, 600, 700, 800, 980, 1000]


def test_rare_classes_are_not_held_back_whole_for_the_sake_of_others() -> None:
    rng = np.random.default_rng(0)
    rows = [(int(number), 5, 3, y) for y in range(30) for number in rng.choice(20, 3, replace=False)]
    for seed in range(5):
        for part in split_recordings(marked(rows, [20] * 20), 10, 0.1, seed):
            assert set(part.y) == set(range(30))


def test_a_split_of_recordings_is_repeated_by_its_seed() -> None:
    rows = [(0, 100 * place + 40, 10, 0) for place in range(10)]
    chosen = [original(split_recordings(marked(rows, [1000]), 10, 0.3, seed)[1]) for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_a_class_whose_events_are_close_together_is_separated_all_the_same() -> None:
    """As where somebody has labelled the first minute of an hour."""
    rows = [(0, 10 + 20 * place, 5, 0) for place in range(10)]
    for seed in range(10):
        learn, held = split_recordings(marked(rows, [100_000 - 1]), 12, 0.1, seed)
        assert (len(learn.y), len(held.y)) == (9, 1)
    rows += [(0, 50_000 + 20 * place, 5, 1) for place in range(2)]
    for part in split_recordings(marked(rows, [100_000 - 1]), 12, 0.1):
        assert set(part.y) == {0, 1}


def test_a_class_that_cannot_be_separated_is_named() -> None:
    rows = [(0, 10, 5, 0), (0, 910, 5, 0), (0, 20, 5, 1), (0, 24, 5, 1)]
    text = "must have two events that can be separated, one to validate with; got 2 in 1 of 11 stretches"
    with pytest.raises(DataError, match=f"class 'wren' {text}"):
        split_recordings(marked(rows, [1000]), 10, classes=("owl", "wren"))
    with pytest.raises(DataError, match=f"class 1 {text}"):
        split_recordings(marked(rows, [1000]), 10)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"fraction": 0}, "fraction must be above 0; got 0"),
        ({"fraction": 1.0}, "1 - fraction must be above 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0; got -1"),
    ],
)
def test_wrong_arguments_of_a_split_of_recordings_are_refused(change: dict[str, float], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        split_recordings(marked([(0, 10, 5, 0)], [100]), 10, **change)
