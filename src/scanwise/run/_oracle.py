"""The oracle: cut every window and run the network on it. Slow on purpose, never optimised; all else must equal it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import torch
from torch.utils import _pytree as pytree

from scanwise.geometry import positions


def scan_windows(
    network: Callable[[torch.Tensor], Any], x: torch.Tensor, window: Sequence[int], hop: Sequence[int]
) -> Any:
    """Run ``network`` on every window of ``x``, one at a time.

    Parameters
    ----------
    network
        Maps windows ``(batch, channels, *window)`` to ``(batch, *out)``, or to a tuple or dict of such.
    x
        Input ``(batch, channels, *space)``.
    window, hop
        Per axis, in samples.

    Returns
    -------
    tensor, tuple or dict
        ``(batch, *out, *positions)``: at ``[..., i]`` the output for window ``[i * hop, i * hop + window)``.
    """
    counts = [positions(size, w, h) for size, w, h in zip(x.shape[2:], window, hop, strict=True)]
    items = []
    with torch.no_grad():
        if 0 in counts or not len(x):
            blank = network(torch.zeros(1, x.shape[1], *window, dtype=x.dtype, device=x.device))
            return pytree.tree_map(lambda out: out.new_zeros(len(x), *out.shape[1:], *counts), blank)
        for index in product(*map(range, counts)):
            cut = tuple(slice(i * h, i * h + w) for i, h, w in zip(index, hop, window, strict=True))
            items.append(network(x[(slice(None), slice(None), *cut)].clone()))
    return pytree.tree_map(lambda *outs: torch.stack(outs, -1).reshape(*outs[0].shape, *counts), *items)
