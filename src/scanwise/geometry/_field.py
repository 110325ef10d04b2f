"""Receptive fields along one axis, as values that compose."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from scanwise._checks import whole
from scanwise.errors import ArgumentError
from scanwise.geometry._check import Padding, padding_pair

__all__ = ["Field"]


@dataclass(frozen=True, slots=True)
class Field:
    """What the units of a layer see of the input, along one axis.

    Unit ``i`` sees the samples ``[start + i * jump, start + i * jump + size)``. Positions are absolute
    and never clamped: a negative one, or one beyond the input, lies in the padding.

    The field is a hull. With dilation, or where branches join, a unit may ignore samples inside it.

    Parameters
    ----------
    size
        Samples between the first and the last that one unit sees, both counted; at least 1.
    jump
        Samples between neighbouring units; at least 1.
    start
        First sample that unit 0 sees.

    Raises
    ------
    ArgumentError
        If a value is not an integer, or `size` or `jump` is below 1.

    See Also
    --------
    output_size : how many units there are.

    Notes
    -----
    Along a chain, with kernel ``k``, stride ``s``, dilation ``d`` and padding ``p`` (before) of layer ``l``::

        size_l  = size_{l-1}  + (k - 1) * d * jump_{l-1}
        jump_l  = jump_{l-1}  * s
        start_l = start_{l-1} - p * jump_{l-1}

    as derived in Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks",
    Distill 2019, equations 2 to 6.

    Examples
    --------
    A convolution of 5 followed by max pooling of 2:

    >>> field = Field.identity().then(Field.layer(5)).then(Field.layer(2, stride=2))
    >>> field
    Field(size=6, jump=2, start=0)
    >>> field.interval(10)
    (20, 26)
    """

    size: int
    jump: int
    start: int

    def __post_init__(self) -> None:
        # object.__setattr__ is how a frozen value normalises itself (here: numpy integers to int).
        object.__setattr__(self, "size", whole("size", self.size, 1))
        object.__setattr__(self, "jump", whole("jump", self.jump, 1))
        object.__setattr__(self, "start", whole("start", self.start, None))

    @classmethod
    def identity(cls) -> Field:
        """The input's own field: unit ``i`` sees sample ``i``."""
        return cls(size=1, jump=1, start=0)

    @classmethod
    def layer(cls, kernel: int, stride: int = 1, dilation: int = 1, padding: Padding = 0) -> Field:
        """The field of a convolution or pool in units of its own input.

        Of `padding`, given as one number or ``(before, after)``, only what stands before matters here.
        """
        taps = whole("kernel", kernel, 1)
        step = whole("dilation", dilation, 1)
        before, _ = padding_pair(padding)
        return cls(size=(taps - 1) * step + 1, jump=whole("stride", stride, 1), start=-before)

    @classmethod
    def join(cls, *fields: Field) -> Field:
        """The hull of branches that meet, unit ``i`` with unit ``i``.

        Raises
        ------
        ArgumentError
            If there is no branch, or the jumps differ: then the branches drift apart, and no one field
            describes all units.
        """
        jumps = sorted({field.jump for field in fields})
        if len(jumps) != 1:
            raise ArgumentError(
                f"fields must be one or more of equal jump; got jumps {jumps}. "
                "Give the branches equal products of strides."
            )
        start = min(field.start for field in fields)
        return cls(size=max(field.stop for field in fields) - start, jump=jumps[0], start=start)

    @property
    def stop(self) -> int:
        """One past the last sample that unit 0 sees."""
        return self.start + self.size

    @property
    def centre(self) -> Fraction:
        """The middle of what unit 0 sees; between two samples when `size` is even.

        >>> Field.layer(kernel=3, dilation=4, padding=1).centre
        Fraction(3, 1)
        """
        return Fraction(self.start + self.stop - 1, 2)

    def interval(self, index: int) -> tuple[int, int]:
        """First and one-past-last sample that unit `index` sees."""
        first = self.start + whole("index", index, None) * self.jump
        return first, first + self.size

    def then(self, layer: Field) -> Field:
        """The field after one more layer, whose own field counts units of this one.

        Composition is associative, and `identity` is its neutral element.
        """
        return Field(
            size=self.size + (layer.size - 1) * self.jump,
            jump=self.jump * layer.jump,
            start=self.start + layer.start * self.jump,
        )
