"""Output sizes: torch's own, and windows counted one by one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError
from scanwise.geometry import output_size, positions, same_padding

sizes, kernels, steps = st.integers(1, 40), st.integers(1, 7), st.integers(1, 5)


def torch_size(layer: torch.nn.Module, size: int) -> int:
    """Size of torch's output, or 0 where torch says that not one window fits."""
    try:
        return int(layer(torch.zeros(1, 1, size)).shape[-1])
    except RuntimeError as error:
        if "Kernel size can't be greater" in str(error) or "output size" in str(error):
            return 0
        raise


@given(sizes, kernels, steps, steps, st.integers(0, 5))
def test_output_size_of_a_convolution_is_torchs(
    size: int, kernel: int, stride: int, dilation: int, padding: int
) -> None:
    layer = torch.nn.Conv1d(1, 1, kernel, stride, padding, dilation)
    assert output_size(size, kernel, stride, dilation, padding) == torch_size(layer, size)


@given(sizes, kernels, steps, steps, st.data(), st.booleans())
def test_output_size_of_a_pool_is_torchs(
    size: int, kernel: int, stride: int, dilation: int, data: st.DataObject, ceil_mode: bool
) -> None:
    padding = data.draw(st.integers(0, kernel // 2), label="padding")
    layer = torch.nn.MaxPool1d(kernel, stride, padding, dilation, ceil_mode=ceil_mode)
    assert output_size(size, kernel, stride, dilation, padding, ceil_mode) == torch_size(layer, size)


def test_a_last_window_that_begins_in_the_padding_does_not_count() -> None:
    assert output_size(5, kernel=2, stride=3, padding=1, ceil_mode=True) == 2
    assert output_size(5, kernel=2, stride=2, padding=1, ceil_mode=True) == 3


@given(sizes, kernels, steps, st.integers(0, 3), st.integers(0, 3))
def test_padding_before_and_after_counts_by_its_sum(
    size: int, kernel: int, stride: int, before: int, after: int
) -> None:
    assert output_size(size, kernel, stride, padding=(before, after)) == output_size(
        size + before + after, kernel, stride
    )


@given(st.integers(0, 40), st.integers(1, 12), st.integers(1, 12))
def test_positions_are_the_windows_that_fit(length: int, window: int, hop: int) -> None:
    fitting = [start for start in range(0, length, hop) if start + window <= length]
    assert positions(length, window, hop) == len(fitting) == output_size(length, window, hop)


@given(st.integers(0, 40), kernels, steps)
def test_same_padding_keeps_the_size(size: int, kernel: int, dilation: int) -> None:
    assert output_size(size, kernel, dilation=dilation, padding=same_padding(kernel, dilation)) == size


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@given(kernels, steps)
def test_same_padding_lies_where_torch_puts_it(kernel: int, dilation: int) -> None:
    layer = torch.nn.Conv1d(1, 1, kernel, padding="same", dilation=dilation, bias=False)
    torch.nn.init.ones_(layer.weight)
    before, after = same_padding(kernel, dilation)
    impulse = torch.zeros(1, 1, 2 * (before + after) + 1)
    impulse[..., before + after] = 1
    answered = layer(impulse).nonzero()[:, -1]  # unit i sees [i - before, i + after]
    assert answered[0] == before + after - after
    assert answered[-1] == before + after + before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": -1}, r"size must be a whole number of at least 0; got -1"),
        ({"kernel": 0}, r"kernel must be a whole number of at least 1; got 0"),
        ({"stride": 1.5}, r"stride must be a whole number of at least 1; got 1\.5"),
        ({"dilation": 0}, r"dilation must be a whole number of at least 1; got 0"),
        ({"padding": -1}, r"padding must be a whole number of at least 0; got -1"),
        ({"padding": (1, 2, 3)}, r"padding must be one integer or \(before, after\); got \(1, 2, 3\)"),
    ],
)
def test_impossible_layers_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        output_size(**({"size": 8, "kernel": 3} | arguments))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((-1, 1, 1), "length must"), ((1, 0, 1), "window must"), ((1, 1, 0), "hop must")],
)
def test_impossible_windows_are_refused(arguments: tuple[int, int, int], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        positions(*arguments)
