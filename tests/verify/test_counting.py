"""Counting in passes gives what sorting gives, to the last trial."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import numpy as np
import pytest
from verify.cases import Scores, small_cases

from scanwise import kernels
from scanwise.errors import ArgumentError
from scanwise.kernels import _count
from scanwise.verify import EER, EERCounter, _counting, all_pairs, eer, eer_of_blocks, eer_of_pairs


@pytest.fixture(params=["native", "numpy"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "numpy":
        monkeypatch.setattr(_count, "_native", None)
    elif kernels.absent():
        pytest.skip(f"native counting: {kernels.absent()}")


def counted(target: np.ndarray, nontarget: np.ndarray, method: str = "interpolated", parts: int = 1) -> EER:
    blocks = list(zip(np.array_split(target, parts), np.array_split(nontarget, parts), strict=True))
    return eer_of_blocks(lambda: blocks, target.dtype.name, method)


def drawn(dtype: str) -> Iterator[Scores]:
    rng = np.random.default_rng(0)
    for spread, decimals in ((1.0, 2), (1.0, 17), (1e-30, 40), (1e30, 0), (1e-3, 17)):
        parts = (rng.normal(m, 1, n) * spread for m, n in ((1.0, 300), (-0.5, 1000)))
        target, nontarget = (part.round(decimals).astype(dtype) for part in parts)
        yield target, nontarget


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("method", ["interpolated", "midpoint"])
def test_it_is_the_rate_of_all_scores_at_once(dtype: str, method: str) -> None:
    cases = [(t.astype(dtype), n.astype(dtype)) for t, n in small_cases(300)]
    for target, nontarget in [*cases, *drawn(dtype)]:
        assert counted(target, nontarget, method) == eer(target, nontarget, method)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("instruction_set", kernels.instruction_sets())
def test_every_instruction_set_counts_alike(instruction_set: str, dtype: str) -> None:
    info = np.finfo(dtype)
    ends = np.array([0.0, -0.0, info.max, info.min, info.tiny, -info.tiny], dtype)
    scores = np.concatenate([np.random.default_rng(0).normal(0, 1, 1001).round(1).astype(dtype), ends])
    bits = 8 * scores.itemsize
    for shift in range(0, bits, 16):
        for prefix in {0, (1 << bits - 16 - shift) - 1, *_prefixes(scores, shift)}:
            got, wanted = (
                (np.zeros(1 << 16, np.int64), np.array([0, np.iinfo(np.uint64).max], np.uint64)) for _ in range(2)
            )
            _count.count_digits(scores, shift, prefix, *got, instruction_set)
            _count._count(scores, shift, prefix, *wanted)
            assert all(map(np.array_equal, got, wanted)), (shift, prefix)


def _prefixes(scores: np.ndarray, shift: int) -> Iterator[int]:
    """The bits above a digit of some scores' keys."""
    sign = 1 << 8 * scores.itemsize - 1
    for raw in scores[-20:].view(f"u{scores.itemsize}").tolist():
        yield ((2 * sign - 1) ^ raw if raw & sign else raw | sign) >> shift >> 16


@pytest.mark.usefixtures("engine")
def test_parts_threads_and_counters_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_counting, "_SLICE", 5000)
    rng = np.random.default_rng(0)
    target, nontarget = rng.normal(1, 1, 50_000).astype("f4"), rng.normal(-1, 1, 90_001).astype("f4")
    wanted = eer(target, nontarget)
    assert counted(target, nontarget) == wanted
    assert counted(target, nontarget, parts=7) == wanted
    merged = EERCounter(threads=1)
    while not merged.done:
        halves = [pickle.loads(pickle.dumps(merged.fork())) for _ in range(2)]
        for half, t, n in zip(halves, np.array_split(target, 2), np.array_split(nontarget, 2), strict=True):
            half.add(t, n)
            merged.merge(half)
        merged.end_pass()
    assert merged.result() == wanted
    assert merged.passes == 2


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -np.nan])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scores_that_are_not_finite_are_counted_and_refused(value: float, dtype: str) -> None:
    counter = EERCounter(dtype)
    counter.add(np.array([1.0, value], dtype), np.array([np.finfo(dtype).max, np.finfo(dtype).min], dtype))
    with pytest.raises(ArgumentError, match="scores must be finite; got 1 that are not"):
        counter.end_pass()


@pytest.mark.usefixtures("engine")
def test_a_pass_over_other_scores_is_noticed() -> None:
    counter = EERCounter()
    counter.add(np.float32([1, 2, 3]), np.float32([0, 1, 1]))
    counter.end_pass()
    counter.add(np.float32([1, 2, 3]), np.float32([0, 1, 3]))
    with pytest.raises(ArgumentError, match="scores must be the same in each pass"):
        counter.end_pass()


@pytest.mark.usefixtures("engine")
def test_a_pass_that_misses_scores_elsewhere_is_noticed() -> None:
    counter = EERCounter()
    counter.add(np.float32([0.3, 0.8, 0.9]), np.float32([0.1, 0.2, 0.4, 0.5]))
    counter.end_pass()
    other = counter.fork()
    other.add(np.float32([0.3]), np.float32([0.4]))
    counter.merge(other)
    with pytest.raises(ArgumentError, match=r"the same in each pass; got \[1, 1\] where the last one had \[3, 4\]"):
        counter.end_pass()


@pytest.mark.usefixtures("engine")
def test_what_is_refused_is_not_counted() -> None:
    target, nontarget = np.float32([0.9, 0.8, 0.3]), np.float32([0.1, 0.5, 0.2, 0.4])
    counter = EERCounter()
    while not counter.done:
        with pytest.raises(ArgumentError, match="nontarget must be float32"):
            counter.add(target, nontarget.astype("f8"))
        counter.add(target, nontarget)
        counter.end_pass()
    assert counter.result() == eer(target, nontarget)


def test_what_makes_no_sense_is_refused() -> None:
    counter = EERCounter()
    one = np.float32([1.0])
    with pytest.raises(ArgumentError, match=r"target must be float32 of shape \(trials,\); got float64 \(1,\)"):
        counter.add([1.0], one)
    with pytest.raises(ArgumentError, match="counted in another pass; got 0 passes"):
        counter.result()
    with pytest.raises(ArgumentError, match="other must be of the same type, in the same pass; got float64"):
        counter.merge(EERCounter("float64"))
    counter.add(one, one[:0])
    with pytest.raises(ArgumentError, match="nontarget must hold a score at least; got none"):
        counter.end_pass()
    counter.add(one[:0], one)
    counter.end_pass()
    with pytest.raises(
        ArgumentError, match="same type, in the same pass; got float32 in pass 1, not float32 in pass 2"
    ):
        counter.merge(EERCounter())
    counter.add(one, one)
    counter.end_pass()
    with pytest.raises(ArgumentError, match="scores must come in one of 2 passes; got more"):
        counter.add(one, one)
    with pytest.raises(ArgumentError, match="method must be one of interpolated, midpoint; got 'convex_hull'"):
        counter.result("convex_hull")
    with pytest.raises(ArgumentError, match="dtype must be one of float32, float64; got 'float16'"):
        EERCounter("float16")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["cosine", "euclidean"])
def test_all_pairs_need_not_be_in_memory(dtype: str, kind: str) -> None:
    rng = np.random.default_rng(0)
    identities = rng.integers(12, size=150)
    embeddings = (rng.normal(size=(12, 8))[identities] + rng.normal(size=(150, 8))).astype(dtype)
    target, nontarget = all_pairs(embeddings, identities, kind, block=40)
    assert len(target) + len(nontarget) == 150 * 149 // 2
    assert eer_of_pairs(embeddings, identities, kind, block=40) == eer(target, nontarget)
