"""Within-class covariance normalisation, against scikit-learn's shrunk covariance and against what it is for."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import oas

from scanwise.errors import ArgumentError
from scanwise.verify import all_pairs, eer, within_class_whitening


def people(identities: int, each: int, spread: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings around a centre of their own, that differ by `spread` ``(features,)`` in each direction."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(identities), each)
    x = rng.normal(size=(identities, len(spread)))[y] + rng.normal(size=(len(y), len(spread))) * spread
    return x / np.linalg.norm(x, axis=1, keepdims=True), y


@pytest.mark.parametrize(("identities", "each"), [(3, 2), (20, 6), (50, 40)])
def test_it_is_the_inverse_root_of_the_shrunk_covariance(identities: int, each: int) -> None:
    x, y = people(identities, each, np.linspace(0.1, 2, 10))
    apart = np.concatenate([x[y == k] - x[y == k].mean(axis=0) for k in range(identities)])
    free = len(x) - identities
    # The same sum of squares in as many rows as are free, for scikit-learn divides by the number of rows.
    _, lengths, directions = np.linalg.svd(apart, full_matrices=False)
    rows = np.zeros((free, x.shape[1]))
    rows[: min(free, len(lengths))] = (lengths[:, None] * directions)[:free]
    judged, shrinkage = oas(rows, assume_centered=True)
    assert 0 < shrinkage < 1
    found = within_class_whitening(x, y)
    judged /= np.trace(judged) / len(judged)
    np.testing.assert_allclose(found @ judged @ found, np.eye(len(judged)), atol=1e-9)
    np.testing.assert_allclose(found, found.T, atol=1e-12)


def test_directions_in_which_samples_of_one_identity_differ_count_for_less() -> None:
    spread = np.r_[np.full(4, 3.0), np.full(12, 0.3)]
    learn, unseen = people(40, 20, spread), people(30, 8, spread, seed=1)
    x, y = unseen
    before, after = eer(*all_pairs(x, y)).value, eer(*all_pairs(x @ within_class_whitening(*learn), y)).value
    assert before > 0.15
    assert after < 0.03


def test_few_samples_change_little_and_many_a_lot() -> None:
    spread = np.geomspace(0.05, 2, 64)
    ranges = []
    for identities in (2, 8, 400):
        values = np.linalg.eigvalsh(within_class_whitening(*people(identities, 4, spread)))
        ranges.append(values.max() / values.min())
    assert 1 <= ranges[0] < 2.5 < ranges[1] < ranges[2]
    assert ranges[2] > 8


def test_samples_that_do_not_differ_change_nothing() -> None:
    x, y = people(5, 3, np.zeros(4))
    np.testing.assert_array_equal(within_class_whitening(x, y), np.eye(4))


def test_order_names_and_lengths_do_not_matter() -> None:
    x, y = people(6, 5, np.linspace(0.1, 1, 8))
    order = np.random.default_rng(2).permutation(len(x))
    lengths = np.random.default_rng(3).uniform(0.1, 10, (len(x), 1))
    names = np.array(list("fedcba"))[y]
    found = within_class_whitening((x * lengths)[order], names[order])
    np.testing.assert_allclose(found, within_class_whitening(x, y), atol=1e-9)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.eye(3), [0, 1, 2], "identities must have two samples, one at least; got 3 with one each"),
        (np.eye(3), [0, 1], "identities must be one for each of 3 embeddings; got 2"),
        (np.zeros((2, 3)), [0, 0], "embeddings must not be zero; got a zero vector at 0"),
        ([[1.0, np.nan]] * 2, [0, 0], "embeddings must be finite"),
        (np.zeros((0, 3)), [], "embeddings must hold an embedding at least; got none"),
    ],
)
def test_what_cannot_be_is_refused(x: np.ndarray, y: list[int], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        within_class_whitening(x, y)
