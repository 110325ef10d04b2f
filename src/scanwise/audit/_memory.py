"""How much memory one step of training takes, counted tensor by tensor."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["PeakMemory", "peak_of_step"]


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of all tensors that live at a time while it is entered, and keeps the most.

    A storage counts from the operation that first gives it back until it is freed, once, however many views it has.
    What exists before is announced with `hold`. What an operation takes and gives back within itself (the scratch
    space of a convolution) is not seen. The count depends on the operations alone: not on the allocator, not on the
    machine's load.

    Attributes
    ----------
    alive_bytes, peak_bytes
        Now, and at most since the last `reset`.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive_bytes = self.peak_bytes = 0
        self._storages: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def hold(self, tensors: Iterable[Tensor]) -> None:
        """Count tensors, if they are not counted yet."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            key, size = storage._cdata, storage.nbytes()
            if key not in self._storages:
                self._storages[key] = weakref.ref(storage, lambda _, key=key, size=size: self._free(key, size))  # type: ignore[misc]
                self.alive_bytes += size
        self.peak_bytes = max(self.peak_bytes, self.alive_bytes)

    def reset(self) -> None:
        """Let the peak be what is alive now."""
        self.peak_bytes = self.alive_bytes

    def _free(self, key: int, size: int) -> None:
        del self._storages[key]
        self.alive_bytes -= size

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.hold(leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor))
        return result


def peak_of_step(net: nn.Module, x: Tensor, y: Tensor) -> int:
    """Return the most bytes alive at a time in one training step on a batch: loss, gradients, AdamW's update.

    Counted are the batch, parameters, gradients, AdamW's two moments, activations and temporary tensors. It is the
    second step that counts, when the moments exist. `net` is changed.
    """
    collecting = gc.isenabled()
    gc.disable()  # or what waits in a cycle of references would be freed at any moment; so, never
    try:
        optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3)
        memory = PeakMemory()
        memory.hold([x, y, *net.parameters(), *net.buffers()])
        with memory:
            for _ in range(2):
                memory.reset()
                optimiser.zero_grad()
                functional.cross_entropy(net(x), y).backward()  # type: ignore[no-untyped-call]
                optimiser.step()
        return memory.peak_bytes
    finally:
        if collecting:
            gc.enable()
