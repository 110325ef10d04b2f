"""From the settings of a program's functions to the engine's names and numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from scanwise.kernels import absent
from scanwise.program import BINARY, UNARY
from scanwise.run._functions import binary_call, chan_call, unary_call


@pytest.mark.parametrize(
    ("op", "args", "kwargs", "call"),
    [
        ("relu", (), {}, ("relu", ())),
        ("leaky_relu", (), {"negative_slope": 0.2}, ("leaky_relu", (0.2,))),
        ("elu", (2, 3), {"input_scale": 5}, ("elu", (6.0, 3.0, 5.0))),
        ("celu", (0.5,), {}, ("elu", (0.5, 1.0, 2.0))),
        ("hardtanh", (-2,), {}, ("clamp", (-2.0, 1.0))),
        ("clamp", (None, 4), {}, ("clamp", (-math.inf, 4.0))),
        ("clamp_min", (), {"min": 4}, ("clamp", (4.0, math.inf))),
        ("gelu", (), {"approximate": "tanh"}, ("gelu_tanh", ())),
        ("softplus", (2,), {"threshold": 7}, ("softplus", (2.0, 7.0))),
        ("logit", (None,), {}, ("logit", (-math.inf,))),
        ("round", (), {"decimals": 2}, ("round_to", (100.0, 1.0))),
        ("round", (), {"decimals": -2}, ("round_to", (1.0, 100.0))),
        ("round", (), {}, ("round", ())),
        ("pow", (0.5,), {}, ("sqrt", ())),
        ("pow", (4,), {}, ("pow", (4.0,))),
    ],
)
def test_settings_become_numbers(op: str, args: Sequence[Any], kwargs: dict[str, Any], call: tuple[str, Any]) -> None:
    assert unary_call(op, args, kwargs) == call


def test_every_function_of_programs_has_a_form() -> None:
    needed = {"clamp": (0, 1), "clamp_min": (0,), "clamp_max": (1,), "threshold": (0, 1), "pow": (2,)}
    forms = {unary_call(op, needed.get(op, ()), {})[0] for op in UNARY} | {"divide", "cube", "gelu_tanh", "round_to"}
    pairs = {binary_call(op, {})[0] for op in BINARY} | {"div_trunc", "div_floor"}
    if absent() is None:
        from scanwise.kernels import operation_codes

        codes = operation_codes()
        assert forms | {"pow"} == set(codes["unary"])
        assert pairs == set(codes["binary"])


@pytest.mark.parametrize(
    ("op", "args", "kwargs", "text"),
    [
        ("relu", (1,), {}, r"relu\(1\)"),
        ("clamp", (math.nan,), {}, r"clamp\(nan\)"),
        ("gelu", (), {"approximate": "sigmoid"}, r"gelu\(approximate='sigmoid'\)"),
        ("pow", (2j,), {}, r"pow\(2j\)"),
        ("celu", (0.0,), {}, r"celu\(0.0\)"),
        ("round", (), {"places": 3}, r"round\(places=3\)"),
    ],
)
def test_what_the_engine_cannot_do_is_named(op: str, args: Sequence[Any], kwargs: dict[str, Any], text: str) -> None:
    with pytest.raises(LookupError, match=text):
        unary_call(op, args, kwargs)


def test_what_the_engine_cannot_do_with_two_maps_is_named() -> None:
    assert binary_call("div", {"rounding_mode": "floor"}) == ("div_floor", ())
    assert binary_call("sub", {"alpha": 0.5}) == ("sub", (0.5,))
    with pytest.raises(LookupError, match=r"div\(rounding_mode='up'\)"):
        binary_call("div", {"rounding_mode": "up"})


def test_functions_of_channels_have_what_they_divide_by() -> None:
    assert chan_call({"op": "norm", "size": 4, "eps": 1e-5}) == ("norm", (1e-5,), True)
    assert chan_call({"op": "std", "size": 4, "correction": 5}) == ("std", (0.0,), False)
    assert chan_call({"op": "softmax", "size": 4}) == ("softmax", (), True)
    assert chan_call({"op": "max", "size": 4}) == ("max", (), False)
