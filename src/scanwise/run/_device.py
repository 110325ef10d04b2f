"""How programs, input and scores reach a device, and what makes a GPU give the same bits again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from threading import Lock
from typing import Any

import torch

from scanwise.program import Node, Program

# Maps of a tile should stay in the processor's cache: whole-array maps are written to memory and fault on every page.
CACHE_BYTES = 8 * 2**20
# On a GPU a tile should outlast the start of its kernels and the copies beside them, by far; more gains nothing. Bits
# may depend on where a scan is cut, so the size must not depend on what happens to be free: it is fixed, and only on a
# small GPU a share of all its memory, which leaves most to the workspaces of convolutions.
GPU_BYTES = 2**30
GPU_SHARE = 8
# Tensor cores take channels last; other layouts are transposed for each convolution (NVIDIA's guide to convolutional
# layers; tensorflow#60044 for bfloat16). Float32 without TF32 has no use for them, and is slower that way: 1.7 s
# became 2.8 in pytorch#44943, and NVIDIA took the change back in tensorflow#56744.
CHANNELS_LAST = (torch.bfloat16, torch.float16)


def usual_bytes(device: torch.device) -> int:
    """Return what the maps of a tile may take where nobody set a bound."""
    if device.type != "cuda":
        return CACHE_BYTES
    return min(GPU_BYTES, torch.cuda.get_device_properties(device).total_memory // GPU_SHARE)


class _Repeatable:
    """Settings of CUDA's libraries, which are the whole process': the first of several scans sets, the last restores.

    They are set one by one: `torch.backends.cudnn.flags` leaves TF32 on, and fails at its end, where it was set for all
    operations at once. What is not TF32 is left alone, so that it goes on following such a setting.
    """

    def __init__(self) -> None:
        self.lock, self.scans = Lock(), 0

    def __enter__(self) -> None:
        with self.lock:
            if not self.scans:
                cudnn: Any = torch.backends.cudnn
                parts = (cudnn.conv, cudnn.rnn, torch.backends.cuda.matmul)
                self.fast: list[Any] = [part for part in parts if part.fp32_precision == "tf32"]
                self.before = cudnn.benchmark, cudnn.deterministic
                cudnn.benchmark, cudnn.deterministic = False, True
                for part in self.fast:
                    part.fp32_precision = "ieee"
            self.scans += 1

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.scans -= 1
            if not self.scans:
                torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = self.before
                for part in self.fast:
                    part.fp32_precision = "tf32"


_REPEATABLE = _Repeatable()


def repeatable(device: torch.device) -> AbstractContextManager[None]:
    """Let CUDA's libraries compute in full precision, with algorithms that are neither timed nor random.

    Elsewhere nothing is to be set.
    """
    return _REPEATABLE if device.type == "cuda" else nullcontext()


def suits_channels_last(program: Program, device: torch.device, dtype: torch.dtype) -> bool:
    """Tell whether convolutions should run with channels last."""
    convolutions = [node for node in program.nodes if node.kind == "conv"]
    # In groups they have been 40 times slower that way (pytorch#34977).
    whole = all(node.attrs["groups"] == 1 for node in convolutions)
    return device.type == "cuda" and dtype in CHANNELS_LAST and whole and program.axes <= 2


def placed(program: Program, device: torch.device, dtype: torch.dtype, *, channels_last: bool) -> Program:
    """Return a program whose parameters are on a device, once and for all.

    Parameters
    ----------
    program, device
        What to move where.
    dtype
        What to compute in; where it is not the network's own number type, parameters are converted, apart from those
        of the part that runs window by window: not every operator there knows every type.
    channels_last
        Whether the weights of convolutions lie in memory that way. Torch runs a convolution as its weights lie, maps
        follow. A signal becomes an image of one row for it, since `torch.conv1d` puts channels first itself.
    """
    converted = dtype != getattr(torch, program.dtype)

    def moved(node: Node, name: str, tensor: torch.Tensor) -> torch.Tensor:
        if converted and tensor.is_floating_point() and node.kind != "window":
            tensor = tensor.to(dtype)
        tensor = tensor.to(device)
        if channels_last and node.kind == "conv" and name == "weight":
            image = tensor.unsqueeze(2) if tensor.dim() == 3 else tensor
            return image.to(memory_format=torch.channels_last)
        return tensor

    nodes = (
        replace(node, params={name: moved(node, name, tensor) for name, tensor in node.params.items()})
        for node in program.nodes
    )
    return replace(program, nodes=tuple(nodes))


def sent(region: torch.Tensor, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Return a piece of the input on a device, in a number type; the same tensor where it is so already.

    To a GPU it goes in the smaller of both types and by way of page-locked memory, so that it is copied while the GPU
    still computes the piece before.
    """
    if device.type == "cuda" and region.device.type == "cpu":
        smaller = min(region.dtype, dtype, key=lambda kind: kind.itemsize)
        staged = torch.empty(region.shape, dtype=smaller, pin_memory=True).copy_(region)
        region = staged.to(device, non_blocking=True)
    return region.to(device=device, dtype=dtype)


class Delivery:
    """Brings the scores of one piece after the other to where they belong.

    From a GPU to the processor's memory they are a piece late: they are copied and written while the GPU computes the
    next one.

    Parameters
    ----------
    write
        Called with a place and the scores that belong there.
    device, home
        Where scores are computed, and where they belong.
    """

    def __init__(
        self, write: Callable[[object, Sequence[torch.Tensor]], None], device: torch.device, home: torch.device
    ) -> None:
        self.write, self.device = write, device
        self.late = device.type == "cuda" and home.type == "cpu"
        self.waiting: tuple[object, list[torch.Tensor], torch.Event] | None = None

    def put(self, place: object, scores: Sequence[torch.Tensor]) -> None:
        """Deliver the scores of a piece, or see to it that they are on their way."""
        if not self.late:
            self.write(place, scores)
            return
        # Torch takes page-locked memory for a copy that nobody waits for.
        copies = [tensor.to("cpu", non_blocking=True) for tensor in scores]
        copied = torch.cuda.current_stream(self.device).record_event()
        self.finish()
        self.waiting = place, copies, copied

    def finish(self) -> None:
        """Wait for the scores on their way, and write them."""
        if self.waiting is not None:
            place, copies, copied = self.waiting
            self.waiting = None
            copied.synchronize()
            self.write(place, copies)
