"""Recordings made of clips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scanwise.errors import ArgumentError
from scanwise.training import Mosaic, centre_of_energy, mosaic


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


whole_numbers = st.integers(-100, 100).map(float)
clip_lists = st.integers(1, 3).flatmap(
    lambda channels: st.lists(
        st.integers(1, 9).flatmap(lambda size: arrays(np.float32, (channels, size), elements=whole_numbers)),
        min_size=1,
        max_size=5,
    )
)
patterns = arrays(np.float64, st.tuples(st.integers(1, 2), st.integers(1, 12)), elements=whole_numbers)


def medians(clips: list[np.ndarray]) -> np.ndarray:
    return np.array([np.median(clip, axis=1, keepdims=True) for clip in clips])


def part(made: Mosaic, clips: list[np.ndarray], place: int) -> np.ndarray:
    """Return the stretch of the clip that stands at `place` in the order."""
    start = made.starts[place]
    return made.recording[:, start : start + clips[made.clips[place]].shape[1]]


@given(clip_lists, st.integers(0, 6), st.integers(0, 99))
def test_every_clip_stands_where_it_is_said_to_at_the_usual_level(
    clips: list[np.ndarray], most_gap: int, seed: int
) -> None:
    kept = [clip.copy() for clip in clips]
    made = mosaic(clips, rng(seed), most_gap=most_gap)
    levels = medians(clips)
    expected = np.repeat(np.median(levels, axis=0), made.recording.shape[1], axis=1)
    stop = 0
    for number, start in zip(made.clips, made.starts, strict=True):
        assert 0 <= start - stop <= most_gap
        stop = start + clips[number].shape[1]
        expected[:, start:stop] += clips[number] - levels[number]
    assert sorted(made.clips) == list(range(len(clips)))
    assert np.array_equal(made.recording, expected)
    assert made.recording.shape[1] == stop
    assert made.recording.dtype == np.float32
    assert all(np.array_equal(clip, before) for clip, before in zip(clips, kept, strict=True))


def test_order_and_pauses_vary_over_all_there_are() -> None:
    clips = [np.full((1, 2), level) for level in range(3)]
    made = [mosaic(clips, rng(seed), most_gap=2) for seed in range(200)]
    assert {tuple(one.clips) for one in made} == {
        (0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)
    }  # fmt: skip
    pauses = {int(gap) for one in made for gap in np.diff([-2, *one.starts]) - 2}
    assert pauses == {0, 1, 2}


def test_a_mosaic_depends_on_its_generator_alone() -> None:
    clips = [rng(number).normal(size=(2, 9)) for number in range(4)]
    first, again, other = (mosaic(clips, rng(seed), most_gap=5, noise_db=3) for seed in (0, 0, 1))
    assert np.array_equal(first.recording, again.recording)
    assert not np.array_equal(first.recording, other.recording)


@given(clip_lists, st.integers(0, 99))
def test_at_one_level_all_clips_have_the_median_loudness_of_those_to_be_heard(
    clips: list[np.ndarray], seed: int
) -> None:
    plain = mosaic(clips, rng(seed), most_gap=3)
    made = mosaic(clips, rng(seed), most_gap=3, one_level=True)
    louds = np.array([np.sqrt(np.var(clip, axis=1, dtype=float).sum()) for clip in clips])
    usual = np.median(louds[louds > 0]) if louds.any() else 0
    ground = np.median(medians(clips), axis=0)
    for place, number in enumerate(made.clips):
        got, as_it_was = part(made, clips, place) - ground, part(plain, clips, place) - ground
        factor = usual / louds[number] if louds[number] else 1
        assert got == pytest.approx(as_it_was * factor, rel=1e-5, abs=1e-4)
    assert np.array_equal(made.starts, plain.starts)


@pytest.mark.parametrize("noise_db", [-6, 0.0, 20])
def test_noise_has_its_level_in_each_channel_and_is_white(noise_db: float) -> None:
    """Channels have units of their own, and stand at levels of their own."""
    scales, offsets = np.array([[1.0], [100.0]]), np.array([[0.0], [-1000.0]])
    clips = [loud * scales * rng(loud).normal(size=(2, 6000)) + offsets for loud in (1, 2, 5)]
    plain, noisy = (mosaic(clips, rng(), most_gap=3000, noise_db=db) for db in (None, noise_db))
    noise = (noisy.recording.astype(np.float64) - plain.recording) / (2 * scales * 10 ** (-noise_db / 20))
    assert noise.std(axis=1) == pytest.approx([1, 1], rel=0.03)
    pause = noise[:, (plain.recording == np.median(medians(clips), axis=0).astype(np.float32)).all(axis=0)]
    assert pause.shape[1] > 1000
    assert pause.std(axis=1) == pytest.approx([1, 1], rel=0.1)
    assert np.corrcoef(noise[:, 1:], noise[:, :-1])[:2, 2:] == pytest.approx(np.zeros((2, 2)), abs=0.03)
    assert np.corrcoef(noise)[0, 1] == pytest.approx(0, abs=0.03)


def test_silent_clips_do_not_silence_the_others() -> None:
    heard = rng().normal(size=(1, 4000)).astype(np.float32)
    clips = [np.full((1, 50), 0.1, np.float32), heard, np.zeros((1, 50), np.float32)]
    made = mosaic(clips, rng(), most_gap=0, one_level=True)
    place = int(np.flatnonzero(made.clips == 1)[0])
    assert part(made, clips, place).std() == pytest.approx(heard.std(), rel=1e-5)
    noisy = mosaic(clips, rng(), most_gap=0, noise_db=0)
    place = int(np.flatnonzero(noisy.clips == 1)[0])
    assert part(noisy, clips, place).std() == pytest.approx(2**0.5 * heard.std(), rel=0.1)


def test_only_silence_stays_silent() -> None:
    clips = [np.full((2, 5), level) for level in (1.0, 2.0, 7.0)]
    made = mosaic(clips, rng(), most_gap=4, noise_db=0, one_level=True)
    assert (made.recording == 2).all()


def test_wrong_arguments_of_a_mosaic_are_refused() -> None:
    with pytest.raises(ArgumentError, match="most_gap must be a whole number of at least 0; got -1"):
        mosaic([np.zeros((1, 2))], rng(), most_gap=-1)
    with pytest.raises(ArgumentError, match="noise_db must be a finite number; got nan"):
        mosaic([np.zeros((1, 2))], rng(), most_gap=1, noise_db=float("nan"))


@given(patterns)
def test_before_and_after_the_centre_is_at_most_half_of_the_envelope(clip: np.ndarray) -> None:
    envelope = np.abs(clip - np.median(clip, axis=1, keepdims=True)).sum(axis=0)
    centre = centre_of_energy(clip)
    assert max(envelope[:centre].sum(), envelope[centre + 1 :].sum()) <= envelope.sum() / 2


@given(patterns, st.integers(0, 30))
def test_the_centre_moves_with_the_pattern(pattern: np.ndarray, place: int) -> None:
    clips = [np.pad(pattern, ((0, 0), (before, 60 - before))) for before in (0, place)]
    if pattern.any():
        assert centre_of_energy(clips[1]) == centre_of_energy(clips[0]) + place


@given(patterns, st.integers(0, 9))
def test_the_centre_of_what_is_symmetric_is_its_middle(half: np.ndarray, pause: int) -> None:
    clip = np.concatenate([half, np.zeros((len(half), pause)), half[:, ::-1]], axis=1)
    assert abs(centre_of_energy(clip) - (clip.shape[1] - 1) / 2) <= 0.5


@given(patterns, st.sampled_from([-3.0, 0.5, 20.0]), whole_numbers)
def test_the_centre_does_not_depend_on_scale_and_level(clip: np.ndarray, scale: float, level: float) -> None:
    levels = level * np.arange(1, len(clip) + 1)[:, None]
    assert centre_of_energy(clip * scale + levels) == centre_of_energy(clip)


def test_a_long_tail_does_not_draw_the_centre_to_the_middle() -> None:
    tail = np.zeros((1, 400), np.float32)
    tail[0, 20:] = np.exp(-np.arange(380) / 30)
    assert 20 < centre_of_energy(tail) < 60


@pytest.mark.parametrize("samples", [1, 6, 7])
def test_the_centre_of_silence_is_the_middle(samples: int) -> None:
    assert centre_of_energy(np.full((2, samples), 0.3)) == samples // 2
