"""ATen operators that compute at one position: normalisation over channels, activations, arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from ._layout_ops import axis_of
from ._nodes import BINARY, UNARY
from ._rules import RULES, Rules, rule
from ._views import Unviewable, View, regroup, size_of

# Normalisation ----------------------------------------------------------------------------------------------------


@rule("batch_norm")
def batch_norm(
    r: Rules,
    x: View,
    weight: Any,
    bias: Any,
    mean: Any,
    var: Any,
    training: bool,
    momentum: float,
    eps: float,
    *_: Any,
) -> View:
    scale = torch.rsqrt(var.double() + eps) * (1.0 if weight is None else weight.double())
    shift = (0.0 if bias is None else bias.double()) - mean.double() * scale
    shape = [-1] + [1] * (len(x.dims) - 2)
    view, factor = r.vector(x, scale.reshape(shape))
    view, term = r.vector(view, shift.reshape(shape))
    return r.build.affine(view, factor, term)


@rule("_native_batch_norm_legit_no_training")
def native_batch_norm(r: Rules, x: View, weight: Any, bias: Any, mean: Any, var: Any, *settings: float) -> Any:
    return batch_norm(r, x, weight, bias, mean, var, False, *settings), None, None


def _scaled(r: Rules, x: View, weight: Any, bias: Any, shape: Sequence[int]) -> View:
    for op, value in (("mul", weight), ("add", bias)):
        if value is not None:
            x = arithmetic(op)(r, x, value.reshape(shape))
    return x


@rule("native_layer_norm")
def native_layer_norm(r: Rules, x: View, *settings: Any) -> Any:
    return layer_norm(r, x, *settings), None, None


@rule("layer_norm")
def layer_norm(
    r: Rules, x: View, shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
) -> View:
    dims = range(len(x.dims) - len(shape), len(x.dims))
    return _scaled(r, r.build.over_channels(x, dims, "norm", {"eps": eps}), weight, bias, shape)


@rule("group_norm")
def group_norm(
    r: Rules, x: View, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
) -> View:
    channels = size_of(x.dims[1])
    parts = regroup(x.dims[1], [groups, channels // groups])
    split = x.with_dims((x.dims[0], *parts, *x.dims[2:]))
    normed = r.build.over_channels(split, range(2, len(split.dims)), "norm", {"eps": eps})
    joined = normed.with_dims((normed.dims[0], (*normed.dims[1], *normed.dims[2]), *normed.dims[3:]))
    return _scaled(r, joined, weight, bias, [-1] + [1] * (len(x.dims) - 2))


@rule("softmax _softmax")
def softmax(r: Rules, x: View, dim: int, dtype: Any = None) -> View:
    if dtype not in (None, False, r.dtype):
        raise Unviewable("it changes the number type")
    return r.build.over_channels(x, [axis_of(dim, len(x.dims))], "softmax", {})


@rule("log_softmax _log_softmax")
def log_softmax(r: Rules, x: View, dim: int, dtype: Any = None) -> View:
    if dtype not in (None, False, r.dtype):
        raise Unviewable("it changes the number type")
    return r.build.over_channels(x, [axis_of(dim, len(x.dims))], "log_softmax", {})


# Pointwise --------------------------------------------------------------------------------------------------------


def arithmetic(name: str) -> Callable[..., View]:
    """Return the rule of a function of two operands, either of which may be constant."""

    def apply(r: Rules, a: Any, b: Any, *, alpha: float = 1, **kwargs: Any) -> View:
        if isinstance(a, View) and isinstance(b, View):
            return r.build.combine(a, b, name, {**kwargs, **({} if alpha == 1 else {"alpha": alpha})})
        view, other, swap = (a, b, False) if isinstance(a, View) else (b, a, True)
        if name == "pow" and not swap and isinstance(other, (int, float)):
            return r.build.pointwise(view, "pow", [other], {})
        if name == "prelu" and isinstance(other, torch.Tensor) and other.numel() > 1:
            other = other.reshape([-1] + [1] * (len(view.dims) - 2))
        value = other if isinstance(other, torch.Tensor) else torch.tensor(other, dtype=r.dtype)
        view, vector = r.vector(view, value.detach() * (alpha if not swap else 1))
        one, none = torch.ones_like(vector), torch.zeros_like(vector)
        if kwargs or name not in ("add", "sub", "mul"):
            return r.build.with_vector(view, name, vector, swap, kwargs)
        if name == "mul":
            return r.build.affine(view, vector, none)
        scale = -one if name == "sub" and swap else one
        return r.build.affine(view, scale * (alpha if swap else 1), -vector if name == "sub" and not swap else vector)

    return apply


@rule("rsub")
def rsub(r: Rules, a: Any, b: Any, *, alpha: float = 1) -> View:
    return arithmetic("sub")(r, b, a, alpha=alpha)


def _unary(name: str) -> Callable[..., View]:
    def apply(r: Rules, x: View, *args: Any, **kwargs: Any) -> View:
        if any(not isinstance(a, (int, float, str, bool, type(None))) for a in (*args, *kwargs.values())):
            raise Unviewable("its settings are computed from the window")
        return r.build.pointwise(x, name, args, kwargs)

    return apply


for _name in UNARY:
    RULES[_name] = _unary(_name)
for _name in BINARY:
    RULES[_name] = arithmetic(_name)
