"""Locally connected layers: convolutions that share nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self, final

import torch
from torch import Tensor, nn

from scanwise._checks import flag, whole
from scanwise.errors import ArgumentError
from scanwise.geometry import same_padding
from scanwise.nn._local_kernel import DEFAULT_MAX_BYTES, locally_connected
from scanwise.nn._local_plan import Sizes, each_axis, positions_of, real_taps


class _LocallyConnected(nn.Module):
    """What layers of one and of two axes have in common, which is everything."""

    axes: ClassVar[int]
    conv: ClassVar[type[nn.Conv1d | nn.Conv2d]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        input_size: int | Sequence[int],
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        super().__init__()
        self.in_channels = whole("in_channels", in_channels)
        self.out_channels = whole("out_channels", out_channels)
        self.groups = whole("groups", groups)
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ArgumentError(
                f"groups must divide in_channels and out_channels; got {groups} for {in_channels} and {out_channels}. "
                "Use a common divisor."
            )
        self.input_size = each_axis("input_size", input_size, self.axes)
        self.kernel_size = each_axis("kernel_size", kernel_size, self.axes)
        self.stride = each_axis("stride", stride, self.axes)
        self.padding = each_axis("padding", padding, self.axes, 0)
        self.dilation = each_axis("dilation", dilation, self.axes)
        self.output_size = positions_of(*self._slide)
        self.max_bytes = whole("max_bytes", max_bytes)
        shape = (*self.output_size, self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.empty(shape[: self.axes + 1])) if flag("bias", bias) else None
        self.reset_parameters()

    @property
    def _slide(self) -> tuple[Sizes, Sizes, Sizes, Sizes, Sizes]:
        return self.input_size, self.kernel_size, self.stride, self.padding, self.dilation

    def _on_input(self) -> Tensor:
        """Return ``(*positions, 1, 1, *kernel)``: 1 where a weight meets the input, 0 where it meets padding."""
        met = torch.ones((1,) * (2 * self.axes + 2), device=self.weight.device)
        for axis, taps in enumerate(real_taps(*self._slide)):
            shape = [1] * met.dim()
            shape[axis], shape[axis + self.axes + 2] = self.output_size[axis], self.kernel_size[axis]
            met = met * torch.tensor(taps, dtype=met.dtype, device=met.device).view(shape)
        return met

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw new weights: uniform within ``1 / sqrt(edges)``, the inputs that the output at hand has."""
        met = self._on_input()
        edges = met.flatten(self.axes).sum(-1) * (self.in_channels // self.groups)
        bound = edges.clamp(min=1).rsqrt()[(..., *(None,) * (self.axes + 2))]
        self.weight.uniform_(-1, 1).mul_(bound * met)
        if self.bias is not None:
            self.bias.uniform_(-1, 1).mul_(bound.flatten(self.axes))

    @classmethod
    def from_conv(cls, conv: nn.Conv1d | nn.Conv2d, input_size: int | Sequence[int]) -> Self:
        """Return the layer that computes what `conv` does on inputs of one size, with weights for each position.

        Parameters
        ----------
        conv : torch.nn.Conv1d or torch.nn.Conv2d
            Of as many axes as this layer; what it pads must be zeros, equally many on both sides.
        input_size : int or sequence of int
            Extent of the input, one for all axes or one per axis.

        Returns
        -------
        LocallyConnected1d or LocallyConnected2d
            With copies of the weights, of the same type and on the same device.

        Raises
        ------
        ArgumentError
            If `conv` is not such a convolution, or its kernel does not fit.
        """
        if not isinstance(conv, cls.conv):
            raise ArgumentError(f"conv must be a {cls.conv.__name__}; got {type(conv).__name__}. Give one.")
        settings = conv.kernel_size, conv.stride, _zeros_around(conv), conv.dilation, conv.groups, conv.bias is not None
        with torch.device("meta"):  # neither memory nor random numbers for weights that are replaced
            layer = cls(conv.in_channels, conv.out_channels, input_size, *settings)
        with torch.no_grad():
            layer.weight = nn.Parameter(conv.weight.expand(layer.weight.shape).clone())
            layer.weight.mul_(layer._on_input().to(conv.weight.dtype))
            if conv.bias is not None:
                layer.bias = nn.Parameter(conv.bias.expand(*layer.output_size, -1).clone())
        return layer

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's outputs.

        Parameters
        ----------
        x : torch.Tensor
            ``(batch, in_channels, *input_size)``.

        Returns
        -------
        torch.Tensor
            ``(batch, out_channels, *output_size)``.

        Raises
        ------
        ArgumentError
            If `x` has another shape, or not the weights' type.
        """
        expected = (self.in_channels, *self.input_size)
        if tuple(x.shape[1:]) != expected:
            raise ArgumentError(
                f"x must have the shape (batch, {', '.join(map(str, expected))}); got {tuple(x.shape)}. Weights that "
                "are not shared fit one size; cut or pad the input."
            )
        return locally_connected(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            max_bytes=self.max_bytes,
        )

    def extra_repr(self) -> str:
        """Return the settings, for ``print``."""
        return (
            f"{self.in_channels}, {self.out_channels}, input_size={self.input_size}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, padding={self.padding}, dilation={self.dilation}, groups={self.groups}, "
            f"bias={self.bias is not None}"
        )


@final
class LocallyConnected1d(_LocallyConnected):
    """A convolution over a signal whose weights are not shared: every position has its own (unshared convolution).

    Each output sees what it sees in torch's ``Conv1d`` of the same arguments, but has its weights to itself. So the
    layer has as many weights as connections, fits one size of input, and is not equivariant to shifts; scanned inside a
    window network, it is where sharing ends.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels read and computed.
    input_size : int or sequence of int
        Extent of the input, in samples.
    kernel_size, stride, padding, dilation, groups
        As of ``Conv1d``; padding is of zeros, on both sides.
    bias : bool
        Whether a bias is added, each position's own.
    max_bytes : int
        Most bytes of patches held at a time, forward and backward; see `locally_connected`. By default 4 MiB.

    Attributes
    ----------
    weight : torch.nn.Parameter
        ``(positions, out_channels, in_channels / groups, kernel_size)``.
        Drawn within ``1 / sqrt(edges)``, where the edges of an output are the inputs it sees. A weight on padding is no
        edge: it starts as 0, and so is its gradient.
    bias : torch.nn.Parameter or None
        ``(positions, out_channels)``.
    output_size : tuple of int
        Positions per axis. `input_size`, `kernel_size`, `stride`, `padding` and `dilation` are such tuples too.

    Raises
    ------
    ArgumentError
        If an argument breaks its rule, or the kernel does not fit into the padded input.

    Examples
    --------
    >>> layer = LocallyConnected1d(3, 4, input_size=10, kernel_size=5)
    >>> layer.weight.shape, layer(torch.zeros(2, 3, 10)).shape
    (torch.Size([6, 4, 3, 5]), torch.Size([2, 4, 6]))
    """

    axes = 1
    conv = nn.Conv1d


@final
class LocallyConnected2d(_LocallyConnected):
    """A convolution over an image whose weights are not shared: every position has its own (unshared convolution).

    Each output sees what it sees in torch's ``Conv2d`` of the same arguments, but has its weights to itself. So the
    layer has as many weights as connections, fits one size of input, and is not equivariant to shifts; scanned inside a
    window network, it is where sharing ends.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels read and computed.
    input_size : int or sequence of int
        Extent of the input, one for both axes or one per axis, in pixels.
    kernel_size, stride, padding, dilation, groups
        As of ``Conv2d``, one for both axes or one per axis; padding is of zeros, on both sides.
    bias : bool
        Whether a bias is added, each position's own.
    max_bytes : int
        Most bytes of patches held at a time, forward and backward; see `locally_connected`. By default 4 MiB.

    Attributes
    ----------
    weight : torch.nn.Parameter
        ``(rows, columns, out_channels, in_channels / groups, *kernel_size)``.
        Drawn within ``1 / sqrt(edges)``, where the edges of an output are the inputs it sees. A weight on padding is no
        edge: it starts as 0, and so is its gradient.
    bias : torch.nn.Parameter or None
        ``(rows, columns, out_channels)``.
    output_size : tuple of int
        Positions per axis. `input_size`, `kernel_size`, `stride`, `padding` and `dilation` are such tuples too.

    Raises
    ------
    ArgumentError
        If an argument breaks its rule, or the kernel does not fit into the padded input.

    Examples
    --------
    >>> layer = LocallyConnected2d(3, 4, input_size=(6, 8), kernel_size=3, padding=1, stride=2)
    >>> layer.weight.shape, layer(torch.zeros(2, 3, 6, 8)).shape
    (torch.Size([3, 4, 4, 3, 3, 3]), torch.Size([2, 4, 3, 4]))
    """

    axes = 2
    conv = nn.Conv2d


def _zeros_around(conv: nn.Conv1d | nn.Conv2d) -> Sizes:
    """Return the zeros that a convolution adds per axis, on either side."""
    if conv.padding_mode != "zeros":
        raise ArgumentError(f"conv must pad with zeros; got padding_mode={conv.padding_mode!r}. Pad its input instead.")
    if not isinstance(conv.padding, str):
        return conv.padding
    if conv.padding == "valid":
        return (0,) * len(conv.kernel_size)
    pairs = list(map(same_padding, conv.kernel_size, conv.dilation))
    if any(before != after for before, after in pairs):
        raise ArgumentError(
            f"conv must pad equally on both sides; got padding='same' with kernel_size={conv.kernel_size}. "
            "Use an odd kernel, or pad its input instead."
        )
    return tuple(before for before, _ in pairs)
