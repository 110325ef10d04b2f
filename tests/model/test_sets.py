"""Examples divided and completed: training, validation, calibration."""

from __future__ import annotations

import numpy as np

from scanwise.model._clips import cropped, level, padded_to_window
from scanwise.model._sets import Classes, Sets, facts, window_sets
from scanwise.sources import Clips


def clips(*classes: str, each: int = 20) -> Clips:
    y = np.arange(len(classes)).repeat(each)
    x = np.random.default_rng(0).normal(size=(len(y), 1, 16)).astype(np.float32)
    return Clips(x, y, classes, tuple(map(str, range(len(y)))))


def made(data: Clips, x: np.ndarray | None = None, *, fraction: float = 0.25) -> Sets:
    x = np.asarray(data.x) if x is None else x
    return window_sets(data, x, fraction=fraction, seed=0, background=True, augment=True)


def test_every_example_is_trained_on_or_held_back_and_background_is_added_to_both() -> None:
    data = clips("a", "b")
    parts = made(data)
    assert parts.facts == facts(Classes(("a", "b", "background"), ("background",), labelled=False))
    assert np.bincount(parts.y).tolist() == [15, 15, 60]
    assert np.bincount(parts.validation[1]).tolist() == [5, 5, 20]
    examples = {window.tobytes() for window in np.asarray(data.x)}
    learnt, held = ({w.tobytes() for w in x[y < 2]} for x, y in ((parts.x, parts.y), parts.validation))
    assert learnt | held == examples
    assert not learnt & held


def test_background_that_is_made_joins_the_one_that_came_and_is_made_of_patterns_only() -> None:
    data = clips("a", "other")
    x = np.asarray(data.x)
    x[20:] = 1000
    parts = made(data, x)
    assert parts.facts == facts(Classes(("a", "other"), ("other",), labelled=True))
    assert np.bincount(parts.y).tolist() == [15, 15 + 30]
    assert (np.asarray(parts.x)[30:] < 100).all()


def test_made_background_does_not_grow_without_end() -> None:
    data = clips("a", "b", each=1200)
    assert np.bincount(made(data, fraction=0.1).y)[2] == 2000


def test_a_short_clip_is_centred_in_its_median_on_the_axes_where_it_is_short() -> None:
    x = np.array([[[5, 5, 9, 5], [5, 7, 5, 5]]], np.float32)
    assert level(x).tolist() == [5]
    expected = [[[5, 5, 5, 5], [5, 5, 9, 5], [5, 7, 5, 5], [5, 5, 5, 5], [5, 5, 5, 5]]]
    np.testing.assert_array_equal(padded_to_window(x, (5, 3)), expected)


def test_of_a_long_clip_the_middle_is_taken() -> None:
    assert cropped(np.arange(7)[None], (3,)).tolist() == [[2, 3, 4]]
    assert cropped(np.arange(2)[None], (3,)).tolist() == [[0, 1]]
