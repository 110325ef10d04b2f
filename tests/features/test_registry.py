"""The closed registry of fronts, and the front that does nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from scanwise import features
from scanwise.errors import ArgumentError

FRONTS: dict[str, dict[str, Any]] = {
    "raw": {"channels": 3},
    "logmel": {"channels": 2, "rate_hz": 2000, "n_fft": 48, "step": 5, "low_hz": 100, "floor": 1e-6},
}


def test_every_front_can_be_built_by_name() -> None:
    assert features.names() == tuple(FRONTS)
    for name, arguments in FRONTS.items():
        front = features.build(name, **arguments)
        assert isinstance(front, features.Front)
        assert (front.name, front.channels) == (name, arguments["channels"])


@pytest.mark.parametrize("name", FRONTS)
def test_the_description_survives_json_and_rebuilds_the_front(name: str) -> None:
    front = features.build(name, **FRONTS[name])
    text = json.dumps(features.describe(front))
    twin = features.from_description(json.loads(text))
    x = torch.randn(2, front.channels, 99)
    assert torch.equal(twin(x), front(x))
    assert type(twin) is type(front)
    assert json.dumps(features.describe(twin)) == text


def test_the_description_is_a_copy() -> None:
    front = features.Raw(3)
    features.describe(front)["arguments"]["channels"] = 5
    assert front.arguments == {"channels": 3}


def test_raw_is_the_identity_with_a_frame_for_every_sample() -> None:
    front, x = features.Raw(2), torch.randn(3, 2, 7)
    assert torch.equal(front(x), x)
    assert (front.outputs, front.step_samples, front.frame_samples) == (2, 1, 1)
    assert [front.frames(n) for n in (0, 1, 7)] == [0, 1, 7]
    assert front.samples(7) == 7


def test_raw_refuses_another_number_of_channels() -> None:
    with pytest.raises(ArgumentError, match=r"x must have the shape \(batch, 2, samples\) with at least 1 samples"):
        features.Raw(2)(torch.zeros(1, 3, 7))


@pytest.mark.parametrize(
    ("rate_hz", "name"), [(None, "raw"), (250, "raw"), (3999.9, "raw"), (4000, "logmel"), (48000.0, "logmel")]
)
def test_sound_is_seen_as_log_mel_and_all_else_as_it_is(rate_hz: float | None, name: str) -> None:
    assert features.default(rate_hz) == name


def test_a_wrong_rate_has_no_default() -> None:
    with pytest.raises(ArgumentError, match="rate_hz must be above 0; got -1"):
        features.default(-1)


def test_an_unknown_front_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ArgumentError, match="features must be one of raw, logmel; got 'mfcc'"):
        features.build("mfcc", channels=1)


def test_an_unknown_argument_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ArgumentError, match=r"logmel takes no 'hop'. It takes channels, rate_hz, n_fft, step, "):
        features.build("logmel", channels=1, rate_hz=8000, hop=80)


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(ArgumentError, match=r"logmel must be given rate_hz; got none. Add rate_hz="):
        features.build("logmel", channels=1)


@pytest.mark.parametrize(
    ("description", "text"),
    [
        ({"name": "raw"}, r"description must have exactly the keys arguments, name; got \['name'\]"),
        (["raw", {}], "description must have exactly the keys arguments, name; got list"),
        ({"name": "raw", "arguments": {}, "code": "x"}, r"got \['arguments', 'code', 'name'\]"),
        ({"name": "raw", "arguments": [1]}, r"arguments must be a mapping of names to values; got \[1\]"),
        ({"name": ["raw"], "arguments": {}}, r"features must be one of raw, logmel; got \['raw'\]"),
        ({"name": "raw", "arguments": {"channels": "1"}}, "channels must be a whole number"),
        (
            {"name": "logmel", "arguments": {"channels": 1, "rate_hz": 8000, "n_fft": 10**9}},
            "n_fft must be at most 65,536; got 1,000,000,000",
        ),
    ],
)
def test_a_damaged_description_is_refused(description: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        features.from_description(description)
