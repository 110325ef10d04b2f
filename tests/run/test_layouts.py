"""Any order of views, slices and layers: drawn at random, compared with the oracle.

Some of these networks are shared throughout, others end their sharing somewhere; all must be exact.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from scanwise.run import Scanner

Operation = Callable[[torch.Tensor], torch.Tensor]


def divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0]


class Chain(nn.Module):
    """Operations one after the other, then a linear layer on all that is left."""

    def __init__(self, operations: list[Operation], size: int) -> None:
        super().__init__()
        self.operations = operations
        self.linear = nn.Linear(size, 2).double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for operation in self.operations:
            x = operation(x)
        return self.linear(x.flatten(1))


def drawn_operation(draw: st.DrawFn, x: torch.Tensor) -> Operation:
    """Draw an operation that ``x``, a batch with one or more dimensions behind it, can take."""
    rank = x.dim()
    dim = draw(st.integers(1, rank - 1))
    size = x.shape[dim]
    first = draw(st.integers(0, size - 1))
    count = draw(st.integers(1, size - first))
    number = draw(st.integers(1, 3))
    seeded = torch.Generator().manual_seed(draw(st.integers(0, 9)))

    def weights(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=seeded, dtype=torch.float64)

    def reshaped() -> Operation:
        total = x[0].numel()
        one = draw(st.sampled_from(divisors(total)))
        two = draw(st.sampled_from(divisors(total // one)))
        return lambda x: x.reshape(x.shape[0], one, two, total // one // two)

    def permuted() -> Operation:
        order = draw(st.permutations(range(1, rank)))
        return lambda x: x.permute(0, *order)

    def linear() -> Operation:
        table = weights(3, x.shape[-1])
        return lambda x: functional.linear(x, table)

    def scaled() -> Operation:
        table = weights(size, *[1] * (rank - 1 - dim))
        return lambda x: x * table - 1.5

    def positional() -> Operation:
        table = weights(*x.shape[1:])
        return lambda x: x + table

    def convolved() -> Operation:
        table = weights(2, x.shape[1], min(number, x.shape[2]))
        return lambda x: functional.conv1d(x, table, stride=number)

    simple: dict[str, Operation] = {
        "narrow": lambda x: x.narrow(dim, first, count),
        "step": lambda x: x[(slice(None),) * dim + (slice(min(first, 1), None, number),)],
        "flip": lambda x: x.flip(dim),
        "cat": lambda x: torch.cat([x, 2 * x.narrow(dim, first, count)], dim),
        "stack": lambda x: torch.stack([x, -x], dim),
        "unfold": lambda x: x.unfold(dim, count, number),
        "flatten": lambda x: x.flatten(dim),
        "expand": lambda x: x.unsqueeze(dim).expand(*x.shape[:dim], 2, *x.shape[dim:]),
        "add": lambda x: x.narrow(dim, first, count) + x.narrow(dim, 0, count),
        "gate": lambda x: x * torch.sigmoid(x),
        "mean": lambda x: x.mean(dim, keepdim=number == 1),
        "max": lambda x: x.max(dim, keepdim=True).values,
        "softmax": lambda x: torch.softmax(x, dim),
        "roll": lambda x: x.roll(first, dim),
    }
    made = {"reshape": reshaped, "permute": permuted, "linear": linear, "scale": scaled, "positional": positional}
    if rank == 3:
        made["convolution"] = convolved
    name = draw(st.sampled_from([*simple, *made]))
    return simple[name] if name in simple else made[name]()


@st.composite
def chains(draw: st.DrawFn) -> tuple[Chain, tuple[int, ...]]:
    shape = draw(st.sampled_from([(2, 9), (1, 12), (4, 6), (2, 5, 4), (1, 6, 6)]))
    x = torch.zeros(2, *shape, dtype=torch.float64)
    operations: list[Operation] = []
    for _ in range(draw(st.integers(1, 5))):
        operation = drawn_operation(draw, x)
        after = operation(x)
        if after.dim() > 1 and 0 < after[0].numel() <= 600:
            operations.append(operation)
            x = after
    torch.manual_seed(0)
    return Chain(operations, x[0].numel()).eval(), shape


@given(chains(), st.sampled_from([1, 2, 5]))
def test_any_order_of_views_and_layers_is_scanned_exactly(drawn: tuple[Chain, tuple[int, ...]], hop: int) -> None:
    net, shape = drawn
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that sharing ends is not the question here
        scanner = Scanner(net, shape, hop)
    x = torch.randn(shape[0], *(size + 6 for size in shape[1:]), dtype=torch.float64)
    want = scanner.scan_windows(x)
    for backend in ("torch", "auto"):
        got = Scanner.from_program(scanner.program, hop, backend=backend).scan(x)
        assert got.shape == want.shape
        assert (got - want).abs().max() <= 1e-11 * max(1.0, float(want.abs().max()))


@pytest.mark.parametrize(
    "operation",
    [
        lambda x: x.permute(0, 2, 1).reshape(len(x), -1),
        lambda x: x.unfold(2, 4, 2).flatten(2).mean(2),
        lambda x: x[:, :, ::3].flip(2).flatten(1),
        lambda x: torch.stack(x.split(3, 2), 1).amax((1, 3)),
        lambda x: x.reshape(len(x), 2, 4, 3).transpose(1, 3).flatten(1),
    ],
)
def test_pure_views_keep_the_sharing(operation: Operation) -> None:
    x = torch.randn(2, 2, 12, dtype=torch.float64)
    net = Chain([operation], operation(x)[0].numel()).eval()
    scanner = Scanner(net, (2, 12), strict=True)
    x = torch.randn(2, 30, dtype=torch.float64)
    torch.testing.assert_close(scanner.scan(x), scanner.scan_windows(x))
