"""Peaks equal an obvious search that looks at every pair."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scanwise.errors import ArgumentError
from scanwise.events import Event, find_peaks


def slow_peaks(scores, thresholds, window, hop, labels, merge_gap=None):
    """The definition, word by word: `(class, position)` of every event in reading order."""
    axes = scores.ndim - 1
    positions = list(product(*map(range, scores.shape[1:])))

    def is_candidate(k, p):
        if labels[k] is None or scores[k][p] < thresholds[k]:
            return False
        neighbours = [q for q in positions if q != p and max(abs(a - b) for a, b in zip(p, q, strict=True)) == 1]
        return all(scores[k][p] > scores[k][q] or (scores[k][p] == scores[k][q] and p < q) for q in neighbours)

    def too_near(k, p, other_k, other_p):
        distances = [abs(a - b) * h for a, b, h in zip(p, other_p, hop, strict=True)]
        if axes == 1:
            return k == other_k and distances[0] < (window[0] / 2 if merge_gap is None else merge_gap)
        return all(d < w / 2 for d, w in zip(distances, window, strict=True))

    candidates = [(k, p) for k in range(len(scores)) for p in positions if is_candidate(k, p)]
    kept = []
    for k, p in sorted(candidates, key=lambda c: (-scores[c[0]][c[1]], c[1], c[0])):
        if not any(too_near(k, p, *other) for other in kept):
            kept.append((k, p))
    return sorted(kept, key=lambda c: (c[1], c[0]))


@st.composite
def searches(draw):
    axes = draw(st.integers(1, 2))
    classes = draw(st.integers(1, 3))
    space = draw(st.tuples(*[st.integers(0, 24 if axes == 1 else 8)] * axes))
    levels = draw(st.sampled_from([2, 4, 1000]))  # few levels make ties the rule
    scores = draw(arrays(np.float32, (classes, *space), elements=st.integers(0, levels).map(float))) / levels
    return {
        "scores": scores,
        "thresholds": draw(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=classes, max_size=classes)),
        "window": draw(st.tuples(*[st.integers(1, 9)] * axes)),
        "hop": draw(st.tuples(*[st.integers(1, 3)] * axes)),
        "labels": draw(st.lists(st.sampled_from(["a", "b", None]), min_size=classes, max_size=classes)),
        "merge_gap": draw(st.none() | st.integers(1, 12)) if axes == 1 else None,
    }


@given(searches(), st.integers(-5, 5))
def test_peaks_are_those_of_the_slow_search(search, shift):
    origin = tuple(shift for _ in search["window"])
    expected = [
        Event(
            tuple(shift + i * h for i, h in zip(p, search["hop"], strict=True)),
            tuple(shift + i * h + w for i, h, w in zip(p, search["hop"], search["window"], strict=True)),
            search["labels"][k],
            float(search["scores"][k][p]),
        )
        for k, p in slow_peaks(**search)
    ]
    assert find_peaks(**search, origin=origin) == expected


@given(searches(), st.sampled_from([0.25, 0.5, 0.75, 1.0]))
def test_one_search_at_a_low_threshold_serves_every_higher_one(search, threshold):
    at_floor = find_peaks(**(search | {"thresholds": 0.0}))
    at_threshold = find_peaks(**(search | {"thresholds": threshold}))
    assert at_threshold == [event for event in at_floor if event.score >= threshold]


def test_more_candidates_than_one_chunk_are_thinned_out_alike():
    generator = np.random.default_rng(0)
    scores = generator.random((2, 30_000))
    found = find_peaks(scores, 0.0, window=(6,), hop=(1,), labels=["a", "b"])
    for k, label in enumerate(("a", "b")):
        # A signal's classes do not see each other, and parts that are far apart do not either.
        starts = [event.start[0] for event in found if event.label == label]
        assert len(starts) > 4096
        assert min(np.diff(starts)) >= 3
        assert starts == [e.start[0] for e in find_peaks(scores[k : k + 1], 0.0, window=(6,), hop=(1,), labels=["x"])]


def test_a_plateau_is_one_event_at_its_first_position():
    scores = np.ones((1, 5, 7), dtype=np.float32)
    (event,) = find_peaks(scores, 1.0, window=(2, 2), hop=(1, 1), labels=["x"])
    assert (event.start, event.stop) == ((0, 0), (2, 2))


def test_in_an_image_the_best_class_of_a_place_suppresses_the_others():
    scores = np.zeros((2, 1, 9))
    scores[0, 0, 3], scores[1, 0, 4] = 0.8, 0.9
    found = find_peaks(scores, 0.5, window=(4, 4), hop=(1, 1), labels=["a", "b"])
    assert [event.label for event in found] == ["b"]
    signal = find_peaks(scores[:, 0], 0.5, window=(4,), hop=(1,), labels=["a", "b"])
    assert [event.label for event in signal] == ["a", "b"]


def test_exactly_half_a_window_apart_is_not_too_near():
    scores = np.array([[0.9, 0.0, 0.8, 0.0, 0.0, 0.7]])
    found = find_peaks(scores, 0.5, window=(4,), hop=(1,), labels=["x"])
    assert [event.start[0] for event in found] == [0, 2, 5]
    found = find_peaks(scores, 0.5, window=(5,), hop=(1,), labels=["x"])
    assert [event.start[0] for event in found] == [0, 5]


GOOD = {
    "scores": np.zeros((2, 4)),
    "thresholds": 0.5,
    "window": (3,),
    "hop": (1,),
    "labels": ["a", "b"],
}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"scores": np.zeros(4)}, r"scores must be \(classes, \*positions\).*got shape \(4,\)"),
        ({"scores": np.array([[0, np.nan]] * 2)}, "scores must not hold NaN; got 2"),
        ({"window": (3, 3)}, r"window must hold a positive integer for each of 1 axes; got \(3, 3\)"),
        ({"hop": (0,)}, r"hop must hold a positive integer for each of 1 axes; got \(0,\)"),
        ({"origin": ()}, r"origin must hold an integer for each of 1 axes; got \(\)"),
        ({"merge_gap": 0}, r"merge_gap must be at least 1, on one axis; got 0 on 1\."),
        (
            {"scores": np.zeros((2, 4, 4)), "window": (3, 3), "hop": (1, 1), "merge_gap": 2},
            r"merge_gap must be at least 1, on one axis; got 2 on 2\.",
        ),
        ({"labels": ["a"]}, "labels must name each of 2 classes; got 1"),
        ({"thresholds": [0.5] * 3}, "thresholds must be one number or 2"),
        ({"thresholds": float("nan")}, "thresholds must be one number or 2, none NaN; got nan"),
    ],
)
def test_wrong_arguments_are_named(change, text):
    assert find_peaks(**GOOD) == []
    with pytest.raises(ArgumentError, match=text):
        find_peaks(**(GOOD | change))
