"""From a program's functions to those of the native engine: a name that its C source lists, and up to three numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf, isnan
from sys import float_info
from typing import Any

Call = tuple[str, tuple[float, ...]]

_SELU = (1.6732632423543772 * 1.0507009873554805, 1.0507009873554805, 1.0)
_POWERS = {2: "square", 3: "cube", 0.5: "sqrt", -0.5: "rsqrt", -1: "reciprocal"}  # as torch takes them


def unary_call(op: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
    """Return the native name and numbers of a pointwise function of one map.

    Parameters
    ----------
    op, args, kwargs
        Name and settings as ATen takes them, without the tensor.

    Raises
    ------
    LookupError
        The engine has no such function; the text names it and its settings.

    Examples
    --------
    >>> unary_call("relu6", (), {})
    ('clamp', (0.0, 6.0))
    >>> unary_call("elu", (2.0,), {"scale": 3.0})
    ('elu', (6.0, 3.0, 1.0))
    """
    return _call(_UNARY.get(op) or _plain(op), op, args, kwargs)


def binary_call(op: str, kwargs: Mapping[str, Any]) -> Call:
    """Return the native name and numbers of a pointwise function of two maps, or of a map and a vector.

    Parameters
    ----------
    op, kwargs
        Name and settings as ATen takes them, without the tensors.

    Raises
    ------
    LookupError
        The engine has no such function; the text names it and its settings.

    Examples
    --------
    >>> binary_call("sub", {"alpha": 2})
    ('sub', (2.0,))
    """
    return _call(_BINARY.get(op) or _plain(op), op, (), kwargs)


def chan_call(attrs: Mapping[str, Any]) -> tuple[str, tuple[float, ...], bool]:
    """Return the native name and numbers of a node of kind ``chan``, and whether as many channels come out as go in.

    Examples
    --------
    >>> chan_call({"op": "var", "size": 8, "correction": 1})
    ('var', (7.0,), False)
    """
    op = attrs["op"]
    if op == "norm":
        return op, (float(attrs["eps"]),), True
    if op in ("var", "std"):
        return op, (float(max(0, attrs["size"] - attrs.get("correction", 1))),), False
    return op, (), op in ("softmax", "log_softmax")


def _call(form: Callable[..., Call], op: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
    try:
        name, numbers = form(*args, **kwargs)
        return name, tuple(float(number) for number in numbers)
    except (TypeError, ValueError, KeyError, ArithmeticError) as error:
        settings = ", ".join([*map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items())])
        raise LookupError(f"{op}({settings})") from error


# Each form has the names and defaults of ATen's settings, and fails where the engine has no such function.


def _plain(op: str) -> Callable[..., Call]:
    return lambda: (op, ())


def _clamp(min: float | None = None, max: float | None = None) -> Call:  # noqa: A002
    # These are ATen's names.
    low, high = -inf if min is None else min, inf if max is None else max
    if isnan(low) or isnan(high):
        raise ValueError("bounds must be numbers")
    return "clamp", (low, high)


def _round(decimals: int = 0) -> Call:
    unit = 10.0 ** abs(decimals)
    return ("round", ()) if not decimals else ("round_to", (unit, 1) if decimals > 0 else (1, unit))


def _nan_to_num(nan: float | None = None, posinf: float | None = None, neginf: float | None = None) -> Call:
    # The largest double stands for the largest number of the engine's type.
    most, least = float_info.max if posinf is None else posinf, -float_info.max if neginf is None else neginf
    return "nan_to_num", (nan or 0.0, most, least)


def _pow(exponent: float) -> Call:
    return (_POWERS[exponent], ()) if exponent in _POWERS else ("pow", (exponent,))


_UNARY: dict[str, Callable[..., Call]] = {
    "leaky_relu": lambda negative_slope=0.01: ("leaky_relu", (negative_slope,)),
    # Factors below 0, above it, and of the input.
    "elu": lambda alpha=1.0, scale=1.0, input_scale=1.0: ("elu", (alpha * scale, scale, input_scale)),
    "selu": lambda: ("elu", _SELU),
    "celu": lambda alpha=1.0: ("elu", (alpha, 1.0, 1.0 / alpha)),
    "gelu": lambda approximate="none": ({"none": "gelu", "tanh": "gelu_tanh"}[approximate], ()),
    "hardtanh": lambda min_val=-1.0, max_val=1.0: _clamp(min_val, max_val),
    "relu6": lambda: _clamp(0.0, 6.0),
    "clamp": _clamp,
    "clamp_min": lambda min: _clamp(min, None),  # noqa: A006
    "clamp_max": lambda max: _clamp(None, max),  # noqa: A006
    "softplus": lambda beta=1.0, threshold=20.0: ("softplus", (beta, threshold)),
    "threshold": lambda threshold, value: ("threshold", (threshold, value)),
    "hardshrink": lambda lambd=0.5: ("hardshrink", (lambd,)),
    "softshrink": lambda lambd=0.5: ("softshrink", (lambd,)),
    "logit": lambda eps=None: ("logit", (-inf if eps is None else eps,)),
    "round": _round,
    "nan_to_num": _nan_to_num,
    "pow": _pow,
}
_BINARY: dict[str, Callable[..., Call]] = {
    "add": lambda alpha=1.0: ("add", (alpha,)),
    "sub": lambda alpha=1.0: ("sub", (alpha,)),
    "div": lambda rounding_mode=None: ({None: "div", "trunc": "div_trunc", "floor": "div_floor"}[rounding_mode], ()),
}
