"""What a smaller number type costs in accuracy: measured on windows of the very input that is scanned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, prod

import numpy as np
import torch

from scanwise.errors import ArgumentError
from scanwise.program import comparable

from ._arguments import as_tensor
from ._cuts import cut

PRECISIONS = ("bfloat16",)
MOST_WINDOWS = 64


def checked_precision(precision: object, dtype: str) -> str | None:
    """Return the number type to compute in, None for the network's own ``dtype``."""
    if precision is None or precision == dtype:
        return None
    if not isinstance(precision, str) or precision not in PRECISIONS:
        known = " or ".join(map(repr, PRECISIONS))
        raise ArgumentError(
            f"precision must be {known}, or None for the network's own number type; got {precision!r}. "
            "Choose one of these."
        )
    return precision


@dataclass(frozen=True)
class MeasuredError:
    """By how much scores of a smaller number type differ from the network's, on windows of one input; ``print`` it.

    Attributes
    ----------
    precision, dtype
        Names of the number type that was asked for, and of the network's own.
    largest
        Largest difference of a score. Of several outputs, that of the one with the largest relative difference; class
        numbers do not count beside scores.
    relative
        The same, over the largest score that the network gives on these windows.
    changed
        Windows whose largest entry, the best class, is another; None if no output is a vector.
    windows, total
        Windows measured, spread evenly over the input, and windows of the input.

    Examples
    --------
    >>> print(MeasuredError("bfloat16", "float32", 0.0131, 0.0123, 2, 64, 12000))
    bfloat16 scores differ by at most 0.013 (1.2 % of the largest) from float32 on 64 of 12,000 windows; the best class changes in 2 of them
    """  # noqa: E501 - it is one line

    precision: str
    dtype: str
    largest: float
    relative: float
    changed: int | None
    windows: int
    total: int

    def __str__(self) -> str:
        text = (
            f"{self.precision} scores differ by at most {self.largest:.2g} ({100 * self.relative:.2g} % of the largest)"
            f" from {self.dtype} on {self.windows:,} of {self.total:,} windows"
        )
        return text if self.changed is None else f"{text}; the best class changes in {self.changed or 'none'} of them"


def measure(
    x: np.ndarray | torch.Tensor,
    scores: Sequence[torch.Tensor],
    network: Callable[[torch.Tensor], Sequence[torch.Tensor]],
    reads: Sequence[tuple[int, int]],
    hop: Sequence[int],
    types: tuple[str, str],
) -> MeasuredError | None:
    """Run the network on some windows of an input, and compare; None for an input without a window.

    Parameters
    ----------
    x
        Input ``(batch, channels, *space)``.
    scores
        Each output of the scan, ``(batch, *out, *positions)``.
    network
        Maps what one output may read, ``(1, channels, *size)``, to all outputs ``(1, *out)``.
    reads
        Where that begins and ends for output 0, per axis.
    hop
        Step between windows, per axis.
    types
        Names of the number type of the scan, and of the network's own.
    """
    axes = len(hop)
    counts = (len(x), *scores[0].shape[-axes:])
    total = prod(counts)
    if not total:
        return None
    have: list[list[torch.Tensor]] = [[] for _ in scores]
    want: list[list[torch.Tensor]] = [[] for _ in scores]
    chosen = np.unravel_index(spread(total, MOST_WINDOWS), counts)
    for item, *place in zip(*(axis.tolist() for axis in chosen), strict=True):
        window = cut(
            x,
            slice(item, item + 1),
            [(p * h + a, p * h + b) for p, h, (a, b) in zip(place, hop, reads, strict=True)],
            as_tensor,
        )
        for k, alone in enumerate(network(window)):
            have[k].append(comparable(scores[k][(item, ..., *place)]).cpu())
            want[k].append(comparable(alone[0]).cpu().reshape(have[k][-1].shape))
    compared = [(torch.stack(a), torch.stack(b)) for a, b in zip(have, want, strict=True)]
    numbers = [pair for pair, out in zip(compared, scores, strict=True) if out.is_floating_point()] or compared
    relative, largest = max((_difference(a, b) for a, b in numbers), key=lambda pair: pair[0])
    other = [a.argmax(1) != b.argmax(1) for a, b in numbers if a.dim() == 2 and a.shape[1] > 1]
    changed = int(torch.stack(other).any(0).sum()) if other else None
    return MeasuredError(*types, largest, relative, changed, len(chosen[0]), total)


def spread(total: int, most: int) -> np.ndarray:
    """Return up to ``most`` numbers below ``total``, one from each of as many equal stretches.

    Where in a stretch is decided by the golden ratio: equal steps could fall on the same column of every image.

    Examples
    --------
    >>> spread(5, 8).tolist()
    [0, 1, 2, 3, 4]
    """
    count = min(total, most)
    steps = np.arange(count)
    return np.asarray((steps + steps * (5**0.5 - 1) / 2 % 1) * total / count, np.int64)


def _difference(have: torch.Tensor, want: torch.Tensor) -> tuple[float, float]:
    """Return the largest relative and absolute difference; NaN equals NaN, and infinity itself."""
    if not want.numel():
        return 0.0, 0.0
    same = (have == want) | (have.isnan() & want.isnan())
    apart = torch.where(same, 0.0, (have - want).abs().nan_to_num(nan=inf, posinf=inf))
    largest = float(apart.max())
    scale = float(want.abs().nan_to_num(nan=0.0, posinf=0.0).max())
    return (largest / scale if scale else largest and inf), largest
