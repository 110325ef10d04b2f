"""Canvases, and the windows cut from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from scanwise.demo._canvas import EXTENT, SCALE, Canvas, enlarged, make_canvas
from scanwise.demo._windows import BACKGROUND, WINDOW, drawn_windows, false_alarms

SIZE = 512


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    data = load_digits()
    return enlarged(data.images[:60]), data.target[:60].astype(str)


@pytest.fixture(scope="module")
def canvas(digits: tuple[np.ndarray, np.ndarray]) -> Canvas:
    return make_canvas("here", *digits, np.random.default_rng(0), size=SIZE)


def test_digits_are_enlarged_by_linear_interpolation() -> None:
    ramp = np.tile(np.arange(8.0), (1, 8, 1))
    inner = slice(SCALE, -SCALE)
    expected = ((np.arange(EXTENT) + 0.5) / SCALE - 0.5)[inner] / 16
    np.testing.assert_allclose(enlarged(ramp)[0, inner, inner], np.tile(expected, (len(expected), 1)), rtol=1e-6)
    np.testing.assert_allclose(enlarged(ramp.swapaxes(1, 2)), enlarged(ramp).swapaxes(1, 2), rtol=1e-6)


def test_another_hand_writes_nearly_the_same() -> None:
    images = load_digits().images[:40]
    plain, other = enlarged(images), enlarged(images, np.random.default_rng(0))
    assert not np.allclose(plain, other, atol=0.1)
    for a, b in zip(plain, other, strict=True):
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.8


def test_the_truth_says_where_the_digits_are(canvas: Canvas, digits: tuple[np.ndarray, np.ndarray]) -> None:
    assert canvas.image.shape == (1, SIZE, SIZE)
    assert canvas.image.dtype == np.float32
    assert len(canvas.truth) == 20
    agreeing = 0
    for row in canvas.truth.itertuples():
        shown = canvas.image[0, row.y0 : row.y1, row.x0 : row.x1]
        best = max(range(len(digits[0])), key=lambda k: np.corrcoef(digits[0][k].ravel(), shown.ravel())[0, 1])
        agreeing += digits[1][best] == row.label
    assert agreeing >= 19  # a stroke may cross one


def test_digits_stand_apart_and_inside(canvas: Canvas) -> None:
    corners = canvas.corners
    distance = np.abs(corners[:, None] - corners).max(axis=2)
    assert (distance[~np.eye(len(corners), dtype=bool)] >= EXTENT).all()
    assert corners.min() >= 0
    assert corners.max() <= SIZE - EXTENT
    assert (canvas.truth["x1"] - canvas.truth["x0"] == EXTENT).all()


def test_a_canvas_is_repeated_by_its_seed(canvas: Canvas, digits: tuple[np.ndarray, np.ndarray]) -> None:
    again = make_canvas("here", *digits, np.random.default_rng(0), size=SIZE)
    assert np.array_equal(again.image, canvas.image)
    pd.testing.assert_frame_equal(again.truth, canvas.truth)
    other = make_canvas("here", *digits, np.random.default_rng(1), size=SIZE)
    assert not np.array_equal(other.corners, canvas.corners)


def test_a_crowd_is_so_many_times_as_many(digits: tuple[np.ndarray, np.ndarray]) -> None:
    assert len(make_canvas("crowd", *digits, np.random.default_rng(0), size=SIZE, crowd=3).truth) == 60


def test_windows_hold_a_digit_in_their_middle_or_are_background(canvas: Canvas) -> None:
    x, y = drawn_windows([canvas], np.random.default_rng(0))
    assert x.shape == (len(y), 1, WINDOW, WINDOW)
    views = np.lib.stride_tricks.sliding_window_view(canvas.image[0], (WINDOW, WINDOW))
    margin = (WINDOW - EXTENT) // 2
    truth = dict(zip(map(tuple, canvas.corners - margin), canvas.truth["label"], strict=True))
    for window, label in list(zip(x[:, 0], y, strict=True))[::7]:
        (start,) = np.argwhere((views[..., 0, :3] == window[0, :3]).all(axis=2))
        near = {at: max(abs(start[0] - at[0]), abs(start[1] - at[1])) for at in truth}
        nearest = min(near, key=near.__getitem__)
        assert near[nearest] >= 4 if label == BACKGROUND else (near[nearest] <= 2 and truth[nearest] == label)
    assert 2 < (y == BACKGROUND).sum() / (y != BACKGROUND).sum() < 3


def test_false_alarms_are_finds_away_from_every_digit(canvas: Canvas) -> None:
    margin = (WINDOW - EXTENT) // 2
    start = next(s for s in canvas.corners - margin if s.min() >= 0)
    finds = [start, start + 3, start + 4, (-1, 50)]
    found = pd.DataFrame(finds, columns=["y0", "x0"]).assign(file="here")
    elsewhere = found.assign(file="elsewhere")
    x, y = false_alarms([canvas], pd.concat([found, elsewhere]))
    assert list(y) == [BACKGROUND]
    r, c = start + 4
    assert np.array_equal(x[0], canvas.image[:, r : r + WINDOW, c : c + WINDOW])
