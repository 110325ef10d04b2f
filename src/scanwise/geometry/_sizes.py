"""How many outputs there are, along one axis."""

from __future__ import annotations

from scanwise._checks import whole
from scanwise.geometry._check import Padding, padding_pair

__all__ = ["output_size", "positions", "same_padding"]


def output_size(
    size: int, kernel: int, stride: int = 1, dilation: int = 1, padding: Padding = 0, ceil_mode: bool = False
) -> int:
    """Number of outputs of a convolution or pool, by torch's rule.

    Parameters
    ----------
    size
        Samples of the layer's input.
    kernel, stride, dilation
        Of the layer.
    padding
        Samples added on both sides, or ``(before, after)``.
    ceil_mode
        Whether a last, incomplete window counts (pools only). Like torch, one that would begin in the
        padding behind the input does not.

    Returns
    -------
    int
        0 where not one window fits; torch raises there.

    Raises
    ------
    ArgumentError
        If a value is not an integer or is out of range.

    Examples
    --------
    >>> output_size(28, kernel=5), output_size(24, kernel=2, stride=2)
    (24, 12)
    >>> output_size(25, kernel=2, stride=2, ceil_mode=True)
    13
    """
    size = whole("size", size, 0)
    kernel = whole("kernel", kernel, 1)
    stride = whole("stride", stride, 1)
    dilation = whole("dilation", dilation, 1)
    before, after = padding_pair(padding)
    steps = size + before + after - ((kernel - 1) * dilation + 1)
    outputs = (-(-steps // stride) if ceil_mode else steps // stride) + 1
    if ceil_mode and (outputs - 1) * stride >= size + before:
        outputs -= 1
    return max(outputs, 0)


def positions(length: int, window: int, hop: int) -> int:
    """Number of windows ``[i * hop, i * hop + window)`` that lie inside ``[0, length)``.

    >>> positions(length=128, window=8, hop=4)
    31
    >>> positions(length=7, window=8, hop=4)
    0
    """
    length = whole("length", length, 0)
    window = whole("window", window, 1)
    hop = whole("hop", hop, 1)
    return max((length - window) // hop + 1, 0)


def same_padding(kernel: int, dilation: int = 1) -> tuple[int, int]:
    """Padding ``(before, after)`` that keeps the size at stride 1; an odd one out goes after, as in torch.

    >>> same_padding(5), same_padding(4)
    ((2, 2), (1, 2))
    """
    total = (whole("kernel", kernel, 1) - 1) * whole("dilation", dilation, 1)
    return total // 2, total - total // 2
