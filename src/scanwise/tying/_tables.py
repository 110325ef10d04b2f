"""Modules whose buffers are tables of integers that follow from a map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["Tables"]


class Tables(nn.Module):
    """A module whose own buffers are tables: they follow it from device to device, and nothing else is done to them.

    What turns a network into another one is meant for its parameters, and tables would not survive it: nothing that
    goes to the meta device has values when it comes back, ``to_empty`` keeps none, ``type`` makes integers floats. A
    layer would then read the wrong parameters, without a complaint. So tables wait where they are
    while theta is on meta.
    """

    def keep(self, **arrays: np.ndarray) -> None:
        """Register tables, in the arrays' own memory; they are no state."""
        for name, array in arrays.items():
            table = torch.from_numpy(array)
            if not array.size:
                table = table.clone()  # an empty array of numpy's has an address, which `torch.export.save` warns of
            self.register_buffer(name, table, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        tables = {name: table for name, table in self._buffers.items() if table is not None}
        self._buffers.update(dict.fromkeys(tables))
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, table in tables.items():
            device = fn(table.new_empty(0)).device
            self._buffers[name] = table if device.type == "meta" else table.to(device)
        return self
