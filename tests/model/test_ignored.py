"""Recordings of which only a part is labelled."""

from __future__ import annotations

import pytest
from signals import SLOW_HZ, TINY, f1, recording

import scanwise as sw
from scanwise.errors import ArgumentError


@pytest.fixture(scope="module")
def half_labelled() -> sw.Model:
    """Learnt from a recording with every other bump labelled."""
    x, table = recording(1, seconds=120, count=80, slow=True)
    labels = table.iloc[::2].assign(file="a")
    return sw.train(
        {"a": x},
        labels=labels,
        sample_rate_hz=SLOW_HZ,
        unlabelled="ignore",
        validation=0.4,
        epochs=60,
        **TINY,
    )


def test_what_is_found_where_nobody_has_labelled_is_not_false(half_labelled: sw.Model) -> None:
    result = half_labelled.validation
    assert isinstance(result, sw.model.EventEvaluation)
    assert result.match.true_count >= 10
    assert result.match.f1 >= 0.9  # with the unlabelled half held against it, precision would be a half
    assert result.seconds is None
    assert result.false_alarms_per_hour is None


def test_all_is_found_although_half_was_labelled(half_labelled: sw.Model) -> None:
    x, table = recording(2, seconds=60, count=40, slow=True)
    assert f1(half_labelled.find(x), table, tolerance=15) >= 0.9


def test_false_alarms_cannot_be_counted_where_stretches_are_ignored() -> None:
    x, table = recording(1, seconds=10, count=6, slow=True)
    with pytest.raises(ArgumentError, match="false_alarms_per_hour must be left out where unlabelled stretches are ig"):
        sw.train(
            {"a": x},
            labels=table.assign(file="a"),
            sample_rate_hz=SLOW_HZ,
            unlabelled="ignore",
            false_alarms_per_hour=2.0,
        )
