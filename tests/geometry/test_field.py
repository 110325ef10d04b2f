"""Receptive fields: the formulas against plain enumeration, and published figures."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError
from scanwise.geometry import Field, same_padding


@dataclass(frozen=True)
class Layer:
    kernel: int
    stride: int = 1
    dilation: int = 1
    padding: int = 0

    @property
    def field(self) -> Field:
        return Field.layer(self.kernel, self.stride, self.dilation, self.padding)

    def seen_by(self, unit: int) -> set[int]:
        """The oracle: every input that `unit` reads, written out."""
        return {unit * self.stride - self.padding + tap * self.dilation for tap in range(self.kernel)}


def chain(layers: list[Layer]) -> Field:
    field = Field.identity()
    for layer in layers:
        field = field.then(layer.field)
    return field


def seen(layers: list[Layer], unit: int) -> set[int]:
    units = {unit}
    for layer in reversed(layers):
        units = {below for above in units for below in layer.seen_by(above)}
    return units


def hull(units: set[int]) -> tuple[int, int]:
    return min(units), max(units) + 1


layers = st.builds(
    Layer,
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
    padding=st.integers(0, 4),
)
fields = st.builds(Field, size=st.integers(1, 50), jump=st.integers(1, 9), start=st.integers(-50, 50))
units = st.integers(-20, 20)


@given(st.lists(layers, max_size=5), units)
def test_field_of_a_chain_is_the_hull_of_what_enumeration_finds(drawn: list[Layer], unit: int) -> None:
    assert chain(drawn).interval(unit) == hull(seen(drawn, unit))


@given(st.lists(st.lists(layers, max_size=3), min_size=1, max_size=3), units)
def test_field_of_joined_branches_is_the_hull_of_all_branches(branches: list[list[Layer]], unit: int) -> None:
    # Branches may meet only at equal jumps: keep the strides of the first one.
    branches = [[Layer(layer.kernel, 1, layer.dilation, layer.padding) for layer in branch] for branch in branches]
    joined = Field.join(*map(chain, branches))
    assert joined.interval(unit) == hull(set().union(*(seen(branch, unit) for branch in branches)))


@given(fields, fields, fields)
def test_composition_is_associative_and_identity_is_neutral(a: Field, b: Field, c: Field) -> None:
    assert a.then(b).then(c) == a.then(b.then(c))
    assert Field.identity().then(a) == a == a.then(Field.identity())


@given(fields, units)
def test_neighbouring_intervals_are_one_jump_apart(field: Field, unit: int) -> None:
    (start, stop), (next_start, next_stop) = field.interval(unit), field.interval(unit + 1)
    assert next_start - start == next_stop - stop == field.jump


@given(layers)
def test_centre_of_a_layer_is_half_the_dilated_kernel_minus_the_padding(layer: Layer) -> None:
    expected = Fraction((layer.kernel - 1) * layer.dilation, 2) - layer.padding
    assert layer.field.centre == expected
    below = Field(size=1, jump=4, start=0)
    assert below.then(layer.field).centre == expected * below.jump


def test_same_padding_keeps_the_centre_of_an_odd_kernel_on_the_unit() -> None:
    assert Field.layer(5, dilation=3, padding=same_padding(5, 3)).centre == 0


def test_padding_after_does_not_move_the_field() -> None:
    assert Field.layer(3, padding=(1, 7)) == Field.layer(3, padding=1)


CONV, POOL = Layer(3, padding=1), Layer(2, stride=2)


def vgg16() -> list[Layer]:
    """Simonyan and Zisserman 2015, configuration D: the five blocks."""
    return [layer for convs in (2, 2, 3, 3, 3) for layer in [CONV] * convs + [POOL]]


def resnet50() -> list[Layer]:
    """He et al. 2016, longest path; stride in the 3x3 convolution, as torchvision has it."""
    stem = [Layer(7, stride=2, padding=3), Layer(3, stride=2, padding=1)]
    blocks = [
        Layer(3, stride=2 if stage > 0 and block == 0 else 1, padding=1)
        for stage, count in enumerate((3, 4, 6, 3))
        for block in range(count)
    ]
    return stem + blocks


def temporal_convolutional_network(kernel: int, dilations: tuple[int, ...], stacks: int) -> list[Layer]:
    """Bai et al. 2018: residual blocks of two causal dilated convolutions."""
    return [
        Layer(kernel, dilation=dilation, padding=(kernel - 1) * dilation)
        for _ in range(stacks)
        for dilation in dilations
        for _ in range(2)
    ]


@pytest.mark.parametrize(
    ("network", "size", "jump", "start"),
    [
        pytest.param(vgg16(), 212, 32, -90, id="VGG16 (Araujo et al. 2019)"),
        pytest.param(resnet50(), 427, 32, -213, id="ResNet-50 v1.5 (torchvision)"),
        pytest.param(temporal_convolutional_network(8, (1, 2, 4, 8), stacks=3), 631, 1, -630, id="keras-tcn issue 8"),
        pytest.param([Layer(3), Layer(5)], 7, 1, 0, id="TDNN (Waibel et al. 1989)"),
        pytest.param([Layer(2, 2), Layer(2, 2), Layer(2)], 8, 4, 0, id="three kernels of 2"),
    ],
)
def test_published_networks_have_their_published_field(network: list[Layer], size: int, jump: int, start: int) -> None:
    assert chain(network) == Field(size, jump, start)


def test_a_causal_network_never_sees_the_future() -> None:
    field = chain(temporal_convolutional_network(3, (1, 2, 4), stacks=1))
    assert field.interval(10) == (10 + 1 - field.size, 10 + 1)


def test_fields_are_values() -> None:
    assert Field(size=np.int64(3), jump=np.int64(1), start=np.int64(0)) == Field(3, 1, 0)  # type: ignore[arg-type]
    assert type(Field(np.int64(3), 1, 0).size) is int  # type: ignore[arg-type]
    assert len({Field(3, 1, 0), Field(3, 1, 0)}) == 1
    with pytest.raises(FrozenInstanceError):
        Field(3, 1, 0).size = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("size", "jump", "start", "message"),
    [
        (0, 1, 0, r"size must be a whole number of at least 1; got 0\."),
        (1, 0, 0, r"jump must be a whole number of at least 1; got 0\."),
        (1, 1, 0.5, r"start must be a whole number; got 0\.5\."),
        (True, 1, 0, r"size must be a whole number of at least 1; got True\."),
    ],
)
def test_impossible_fields_are_refused(size: object, jump: object, start: object, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Field(size, jump, start)  # type: ignore[arg-type]


def test_branches_of_different_jumps_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"equal jump; got jumps \[1, 2\]\. Give the branches"):
        Field.join(Field(3, 1, 0), Field(3, 2, 0))
    with pytest.raises(ArgumentError, match=r"one or more of equal jump; got jumps \[\]"):
        Field.join()
