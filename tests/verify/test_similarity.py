"""How alike embeddings are, and how alike to strangers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from scanwise.errors import ArgumentError
from scanwise.verify import (
    CohortScores,
    all_pairs,
    cohort_scores,
    s_norm,
    similarity,
    similarity_matrix,
    some_identities,
    t_norm,
    z_norm,
)


def drawn(count: int, seed: int = 0, features: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, features))


@pytest.mark.parametrize(("kind", "metric"), [("cosine", "cosine"), ("euclidean", "euclidean")])
def test_similarities_are_scipys_distances_turned_round(kind: str, metric: str) -> None:
    a, b = drawn(20), drawn(30, 1)
    wanted = (1 if kind == "cosine" else 0) - cdist(a, b, metric)
    assert np.allclose(similarity_matrix(a, b, kind), wanted, rtol=0, atol=1e-12)
    assert np.allclose(similarity(a, b[:20], kind), np.diag(wanted), rtol=0, atol=1e-12)


def test_distances_of_neighbours_in_float32_keep_their_digits() -> None:
    a = np.float32([[1000.0, 1000.0]])
    b = a + np.float32([[0.25, 0.0]])
    assert similarity_matrix(a, b, "euclidean")[0, 0] == pytest.approx(-0.25, rel=1e-6)


@pytest.mark.parametrize("block", [1, 7, 100])
def test_all_pairs_are_all_pairs_once(block: int) -> None:
    x, who = drawn(25), np.array(["a", "b", "c", "d", "e"])[np.arange(25) % 5]
    target, nontarget = all_pairs(x, who, block=block)
    i, j = np.triu_indices(25, 1)
    scores, same = similarity(x[i], x[j]), who[i] == who[j]
    assert np.allclose(np.sort(target), np.sort(scores[same]), atol=1e-12)
    assert np.allclose(np.sort(nontarget), np.sort(scores[~same]), atol=1e-12)


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ([[0.0, 0.0]], "first must not be zero; got a zero vector at 0"),
        ([[1.0, np.nan]], "first must be finite; got NaN or infinity at 0"),
        ([1.0, 2.0], r"first must be numbers of shape \(samples, features\); got float64 \(2,\)"),
        ([["a", "b"]], "first must be numbers"),
        ([[1.0, 2.0, 3.0]], r"first and second must have one shape; got \(1, 3\) and \(1, 2\)"),
    ],
)
def test_what_cannot_be_compared_is_refused(first: object, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        similarity(first, [[1.0, 2.0]])


def test_a_zero_vector_has_a_distance_but_no_angle() -> None:
    assert similarity([[0.0, 0.0]], [[3.0, 4.0]], "euclidean").tolist() == [-5.0]
    with pytest.raises(ArgumentError, match="kind must be one of cosine, euclidean; got 'dot'"):
        similarity([[1.0]], [[1.0]], "dot")
    with pytest.raises(ArgumentError, match="must have as many features; got 1 and 2"):
        similarity_matrix([[1.0]], [[1.0, 2.0]])
    with pytest.raises(ArgumentError, match="identities must be one for each of 2 embeddings; got 1"):
        all_pairs([[1.0], [2.0]], ["a"])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_an_angle_does_not_depend_on_lengths(dtype: str) -> None:
    x = np.array([[3.0, 4.0], [4.0, 3.0]], dtype)
    expected = similarity_matrix(x, x)
    for length in (1e30, 1e-30, 2.0**-140):
        np.testing.assert_allclose(similarity_matrix(x * np.array(length, dtype), x), expected, rtol=1e-5)
    np.testing.assert_array_equal(similarity_matrix(x * np.array(1024, dtype), x), expected)


def test_distances_of_neighbours_far_from_0_are_right() -> None:
    x = 1e3 + 1e-5 * np.random.default_rng(0).normal(size=(40, 3))
    x[7] = x[3]
    found = similarity_matrix(x, x[:30], "euclidean")
    expected = np.stack([similarity(np.repeat(row[None], 30, axis=0), x[:30], "euclidean") for row in x])
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert found[7, 3] == 0


def test_no_embeddings_are_refused() -> None:
    with pytest.raises(ArgumentError, match="embeddings must hold an embedding at least; got none"):
        all_pairs(np.zeros((0, 3)), [])
    with pytest.raises(ArgumentError, match="cohort must hold an embedding at least; got none"):
        cohort_scores(np.ones((1, 3)), np.zeros((0, 3)))


@pytest.mark.parametrize("block", [3, 2048])
def test_cohorts_are_counted_one_by_one(block: int) -> None:
    x, cohort = drawn(10), drawn(40, 1)
    found = cohort_scores(x, cohort, block=block)
    top = cohort_scores(x, cohort, top=7, block=block)
    for i in range(10):
        scores = np.sort([similarity(x[i : i + 1], cohort[j : j + 1])[0] for j in range(40)])
        assert found.mean[i] == pytest.approx(scores.mean())
        assert found.std[i] == pytest.approx(scores.std())
        assert top.mean[i] == pytest.approx(scores[-7:].mean())
        assert top.std[i] == pytest.approx(scores[-7:].std())


def test_nobody_is_a_stranger_to_oneself() -> None:
    x, cohort = drawn(6), drawn(12, 1)
    who, cohort_who = list("abcabc"), list("abcd" * 3)
    for top in (None, 5):
        found = cohort_scores(x, cohort, top=top, identities=who, cohort_identities=cohort_who)
        for i in range(6):
            others = cohort[[k for k in range(12) if cohort_who[k] != who[i]]]
            alone = cohort_scores(x[i : i + 1], others, top=top)
            assert (found.mean[i], found.std[i]) == (pytest.approx(alone.mean[0]), pytest.approx(alone.std[0]))


def test_scores_are_normalised_from_either_side_or_both() -> None:
    scores = np.array([0.5, -0.2])
    enrolled = CohortScores(np.array([0.1, 0.2, 0.3]), np.array([0.5, 1.0, 2.0]))
    tested = CohortScores(np.array([-0.1, 0.0]), np.array([0.25, 0.5]))
    first = enrolled[[0, 2]]
    z, t = (scores - [0.1, 0.3]) / [0.5, 2.0], (scores - [-0.1, 0.0]) / [0.25, 0.5]
    assert z_norm(scores, first).tolist() == z.tolist()
    assert t_norm(scores, tested).tolist() == t.tolist()
    assert s_norm(scores, first, tested) == pytest.approx((z + t) / 2)
    assert s_norm(scores, tested, first) == pytest.approx((z + t) / 2)


def test_cohorts_that_tell_nothing_are_refused() -> None:
    x = drawn(3)
    with pytest.raises(ArgumentError, match="cohort must hold 2 strangers for every sample; got 1"):
        cohort_scores(x, drawn(1, 1))
    with pytest.raises(ArgumentError, match="cohort must hold 9 strangers for every sample; got 8"):
        cohort_scores(x, drawn(8, 1), top=9)
    with pytest.raises(ArgumentError, match="cohort must differ; got equal scores for sample 0"):
        cohort_scores(np.eye(2)[:1], np.eye(3)[1:, [0, 1]] * 0 + [[0.0, 1.0]])
    with pytest.raises(ArgumentError, match="cohort must differ; got equal scores for sample 0"):
        cohort_scores(drawn(3), np.repeat(drawn(1, 1), 11, axis=0))
    with pytest.raises(ArgumentError, match="identities must come with cohort_identities; got one of the two"):
        cohort_scores(x, drawn(8, 1), identities=list("abc"))
    with pytest.raises(ArgumentError, match="identities must be one for each of 3 embeddings, and of 8 of the cohort"):
        cohort_scores(x, drawn(8, 1), identities=list("ab"), cohort_identities=list("abcdefgh"))
    with pytest.raises(ArgumentError, match="scores must be one for each of 2 samples; got 1"):
        z_norm([0.5], CohortScores(np.zeros(2), np.ones(2)))


def test_some_identities_are_taken_whole_or_two_of_them_in_part() -> None:
    y = np.repeat(np.arange(50), 4)
    rows = some_identities(y, 30)
    assert len(rows) == 28
    assert set(np.unique(y[rows], return_counts=True)[1].tolist()) == {4}
    assert (np.diff(rows) > 0).all()
    assert some_identities(y, 200).tolist() == list(range(200))
    two = some_identities(np.repeat(["a", "b"], 500), 20)
    assert np.bincount(two // 500).tolist() == [10, 10]
