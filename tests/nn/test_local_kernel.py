"""The unshared convolution against a loop over positions, and the memory it may take."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from scanwise.errors import ArgumentError
from scanwise.geometry import output_size
from scanwise.nn import locally_connected
from scanwise.nn._local_kernel import DEFAULT_MAX_BYTES
from scanwise.nn._local_plan import Layout

FEW, MANY = 3, 11  # windows: batch outermost and innermost in memory


@dataclass(frozen=True)
class Case:
    """The numbers of one call."""

    batch: int
    channels: int
    outputs: int
    groups: int
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def slide(self) -> dict[str, Any]:
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}

    @property
    def positions(self) -> tuple[int, ...]:
        return tuple(map(output_size, self.size, self.kernel, self.stride, self.dilation, self.padding))

    def tensors(self, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
        """Return an input, a weight and a bias."""
        generator = torch.Generator().manual_seed(0)
        shapes = (
            (self.batch, self.channels, *self.size),
            (*self.positions, self.outputs, self.channels // self.groups, *self.kernel),
            (*self.positions, self.outputs),
        )
        drawn = [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]
        return drawn[0].requires_grad_(), drawn[1].requires_grad_(), drawn[2].requires_grad_()


SMALL = Case(FEW, 4, 4, 2, (4, 5), (2, 3), (1, 2), (1, 0), (2, 1))
SIGNAL = Case(MANY, 2, 3, 1, (9,), (3,), (2,), (1,), (1,))


def slow(x: Tensor, weight: Tensor, bias: Tensor | None, case: Case) -> Tensor:
    """Cut each position's patch out of the padded input and multiply it by the position's own matrix."""
    padded = functional.pad(x, [p for pad in reversed(case.padding) for p in (pad, pad)])
    rows = []
    for position in product(*map(range, case.positions)):
        starts = [i * s for i, s in zip(position, case.stride, strict=True)]
        taps = [slice(a, a + (k - 1) * d + 1, d) for a, k, d in zip(starts, case.kernel, case.dilation, strict=True)]
        groups = padded[(slice(None), slice(None), *taps)].chunk(case.groups, 1)
        matrices = weight[position].chunk(case.groups)
        y = [functional.linear(g.flatten(1), m.flatten(1)) for g, m in zip(groups, matrices, strict=True)]
        rows.append(torch.cat(y, 1) if bias is None else torch.cat(y, 1) + bias[position])
    return torch.stack(rows, -1).unflatten(-1, case.positions)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    axes, groups = draw(st.integers(1, 2)), draw(st.integers(1, 3))

    def drawn(least: int, most: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(least, most)) for _ in range(axes))

    kernel, dilation, padding, stride = drawn(1, 5 if axes == 1 else 3), drawn(1, 2), drawn(0, 3), drawn(1, 3)
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = tuple(max(1, span - 2 * p) + e for span, p, e in zip(spans, padding, drawn(0, 5), strict=True))
    channels, outputs = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 3))
    batch = draw(st.sampled_from([1, 2, FEW, 8, 9, MANY]))
    return Case(batch, channels, outputs, groups, size, kernel, stride, padding, dilation)


def with_gradients(y: Tensor, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    against = torch.randn(y.shape, generator=generator, dtype=torch.float64).to(y.dtype)
    return (y.detach(), *torch.autograd.grad(y, tensors, against))


@given(cases(), st.sampled_from([1, 64, 500, 3000, 20_000, DEFAULT_MAX_BYTES]))
def test_it_equals_the_loop_over_positions_in_value_and_gradient_within_any_budget(case: Case, max_bytes: int) -> None:
    tensors = case.tensors()
    expected = with_gradients(slow(*tensors, case), tensors)
    torch.testing.assert_close(
        with_gradients(locally_connected(*tensors, **case.slide, max_bytes=max_bytes), tensors), expected
    )


@given(cases())
def test_the_graph_for_compilers_equals_the_loop_over_positions(case: Case) -> None:
    tensors = case.tensors()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.compiler, "is_compiling", lambda: True)
        y = locally_connected(*tensors, **case.slide)
    assert y.is_contiguous()
    torch.testing.assert_close(with_gradients(y, tensors), with_gradients(slow(*tensors, case), tensors))


@pytest.mark.parametrize("case", [SMALL, SIGNAL])
def test_gradients_are_those_of_finite_differences(case: Case) -> None:
    def call(*tensors: Tensor) -> Tensor:
        return locally_connected(*tensors, **case.slide, max_bytes=2000)

    assert torch.autograd.gradcheck(call, case.tensors())


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_tensor_that_needs_no_gradient_changes_no_other_gradient(which: int) -> None:
    tensors = SMALL.tensors()
    full = with_gradients(locally_connected(*tensors, **SMALL.slide), tensors)[1:]
    tensors[which].requires_grad_(False)
    rest = [i for i in range(3) if i != which]
    y = locally_connected(*tensors, **SMALL.slide)
    for i, gradient in zip(rest, with_gradients(y, tuple(tensors[i] for i in rest))[1:], strict=True):
        assert torch.equal(gradient, full[i])


def test_a_second_derivative_is_refused() -> None:
    x, weight, bias = SMALL.tensors()
    (gradient,) = torch.autograd.grad(
        locally_connected(x, weight, bias, **SMALL.slide).square().sum(), x, create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.parametrize("batch", [FEW, MANY])
def test_repeated_runs_give_the_same_bits(batch: int) -> None:
    case = Case(batch, 8, 8, 1, (12, 12), (3, 3), (1, 1), (1, 1), (1, 1))
    tensors = case.tensors(torch.float32)
    first, second = (with_gradients(locally_connected(*tensors, **case.slide), tensors) for _ in range(2))
    assert all(map(torch.equal, first, second))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_types_stay_what_they_are(dtype: torch.dtype) -> None:
    tensors = SMALL.tensors(dtype)
    y = locally_connected(*tensors, **SMALL.slide)
    assert y.dtype == dtype
    wide = slow(*(t.double() for t in tensors), SMALL)
    torch.testing.assert_close(y.double(), wide, rtol=16 * torch.finfo(dtype).eps, atol=32 * torch.finfo(dtype).eps)


def test_no_window_gives_no_output_and_zero_gradients() -> None:
    case = Case(0, 2, 3, 1, (4, 5), (2, 2), (1, 1), (0, 0), (1, 1))
    y, x_grad, weight_grad, bias_grad = with_gradients(locally_connected(*(t := case.tensors())), t)
    assert y.shape == (0, 3, 3, 4)
    assert x_grad.shape == (0, 2, 4, 5)
    assert not weight_grad.any()
    assert not bias_grad.any()


@pytest.mark.parametrize("batch", [FEW, MANY])
def test_strided_inputs_and_weights_are_read_as_they_are(batch: int) -> None:
    case = Case(batch, 2, 4, 1, (5, 6), (3, 2), (1, 1), (0, 1), (1, 1))
    x, weight, bias = (t.detach() for t in case.tensors())
    mixed = (
        x.to(memory_format=torch.channels_last).requires_grad_(),
        weight.permute(5, 4, 3, 2, 1, 0).contiguous().permute(5, 4, 3, 2, 1, 0).requires_grad_(),
        bias[:1, :1].expand_as(bias).requires_grad_(),
    )
    y = locally_connected(*mixed, **case.slide)
    torch.testing.assert_close(with_gradients(y, mixed), with_gradients(slow(*mixed, case), mixed))


@pytest.mark.parametrize("batch", [FEW, MANY])
def test_uninitialised_memory_is_never_read(batch: int) -> None:
    case = Case(batch, 2, 4, 2, (5, 6), (3, 2), (2, 1), (1, 2), (1, 2))
    tensors = case.tensors()
    expected = with_gradients(slow(*tensors, case), tensors)
    before = torch.utils.deterministic.fill_uninitialized_memory, torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)  # fills fresh memory with NaN
    torch.utils.deterministic.fill_uninitialized_memory = True
    try:
        found = with_gradients(locally_connected(*tensors, **case.slide, max_bytes=4000), tensors)
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = before[0]
        torch.use_deterministic_algorithms(before[1])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("batch", [FEW, MANY])
def test_weights_on_padding_change_nothing_and_have_no_gradient(batch: int) -> None:
    case = Case(batch, 2, 3, 1, (4,), (3,), (1,), (1,), (1,))
    x, weight, bias = case.tensors()
    y, _, gradient, _ = with_gradients(locally_connected(x, weight, bias, **case.slide), (x, weight, bias))
    other = weight.detach().clone()
    other[0, :, :, 0] = other[-1, :, :, -1] = 1e6
    assert torch.equal(locally_connected(x, other, bias, **case.slide), y)
    assert not gradient[0, :, :, 0].any()
    assert not gradient[-1, :, :, -1].any()
    assert gradient[1:-1].all()


# Memory -----------------------------------------------------------------------------------------------------------


class Allocations(TorchDispatchMode):
    """Notes the bytes of every storage that appears and is not one of the known ones."""

    def __init__(self, *known: Tensor) -> None:
        super().__init__()
        self.seen = {(t.untyped_storage().data_ptr(), t.untyped_storage().nbytes()) for t in known}
        self.sizes: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                if (name := (storage.data_ptr(), storage.nbytes())) not in self.seen:
                    self.seen.add(name)
                    self.sizes.append(name[1])
        return result


@pytest.mark.parametrize("batch", [2, 32])
@pytest.mark.parametrize("max_bytes", [8192, 20_000])
def test_nothing_is_made_beyond_the_budget_but_inputs_outputs_and_their_gradients(batch: int, max_bytes: int) -> None:
    case = Case(batch, 3, 4, 1, (12, 14), (5, 5), (1, 1), (2, 2), (1, 1))
    tensors = case.tensors()
    padded = 3 * 16 * 18 * 8  # of one window
    patches = batch * 3 * 25 * 12 * 14 * 8
    with Allocations(*tensors) as noted:
        y = locally_connected(*tensors, **case.slide, max_bytes=max_bytes)
        with_gradients(y, tensors)
    results = [t.nbytes for t in (y, *tensors)]
    buffers = [size for size in noted.sizes if size not in results and size % padded]
    assert max_bytes / 4 < max(buffers) <= max_bytes < patches / 8
    assert max(noted.sizes) <= max(batch * padded, *results)


def layouts() -> Iterator[Layout]:
    for channels, groups, positions in product([1, 6], [1, 2], [(1, 7), (5, 9)]):
        yield Layout(channels * 2, 4, groups, (40, 40), positions, (3, 3), (1, 1), (0, 0), (1, 1))


@pytest.mark.parametrize("budget", [1, 100, 2000, 10**6])
@pytest.mark.parametrize("batch", [1, 7, 100])
def test_pieces_cover_every_position_of_every_window_once_and_keep_the_budget(batch: int, budget: int) -> None:
    for layout in layouts():
        each = layout.inputs * layout.groups + layout.outputs
        parts, pieces = layout.divide(batch, budget)
        seen = torch.zeros(batch, *layout.positions)
        for part, piece in product(parts, pieces):
            seen[part, piece.rows, piece.columns] += 1
            count = (part.stop - part.start) * math.prod(piece.extent)
            assert count * each <= budget or count == 1
            assert math.prod(piece.extent) <= math.prod(pieces[0].extent)
        assert (seen == 1).all()
        assert len(parts) == 1 or each * batch > budget


# Bad input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": torch.zeros(2, 3, 2)}, "weight must be (*positions, outputs, channels / groups, *kernel) for x"),
        ({"x": torch.zeros(2, 3)}, "weight must be (*positions, outputs, channels / groups, *kernel) for x"),
        ({"x": torch.zeros(1, 3, 6)}, "groups must divide x's 3 channels and weight's 4 outputs, and leave weight's 2"),
        ({"groups": 3}, "groups must divide x's 2 channels and weight's 4 outputs"),
        ({"groups": 0}, "groups must be a whole number of at least 1; got 0"),
        ({"x": torch.zeros(1, 2, 7)}, "weight must have matrices for the positions (5,); got (4,)"),
        (
            {"x": torch.zeros(1, 2, 2)},
            "kernel_size must fit into the padded input; got a kernel that spans (3,) on (2,)",
        ),
        ({"bias": torch.zeros(4)}, "bias must be of the shape (4, 4); got (4,)"),
        ({"x": torch.zeros(1, 2, 6).double()}, "x must be of real numbers of the type of weight and bias; got torch.f"),
        ({"stride": (1, 1)}, "stride must be a whole number, or one for each of 1 axes; got (1, 1)"),
        ({"padding": -1}, "padding must be a whole number of at least 0; got -1"),
        ({"dilation": 0}, "dilation must be a whole number of at least 1; got 0"),
        ({"max_bytes": 0}, "max_bytes must be a whole number of at least 1; got 0"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    given = {"x": torch.zeros(1, 2, 6), "weight": torch.zeros(4, 4, 2, 3), "bias": torch.zeros(4, 4)} | change
    with pytest.raises(ArgumentError, match=re.escape(message)):
        locally_connected(**given)


def test_complex_numbers_are_refused() -> None:
    with pytest.raises(ArgumentError, match="x must be of real numbers"):
        locally_connected(torch.zeros(1, 2, 6, dtype=torch.cfloat), torch.zeros(4, 4, 2, 3, dtype=torch.cfloat))
