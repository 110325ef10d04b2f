"""PyTorch: whole arrays, compiled, in tiles, and window by window."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.scan.contender import Call, Case, Form
from benchmarks.scan.layers import Layer, in_rows
from benchmarks.scan.tiles import Run, few_tile_shapes, in_tiles, least, tile_shapes

POOLS = ("maximum of slices", "max_pool")
BATCHES = (256, 1024, 4096)


class Dense(nn.Module):
    """Layers over a whole input, with dilated convolutions and pools of stride 1.

    ``pools`` are the library's, or the maximum of shifted slices, axis by axis.
    """

    def __init__(self, layers: Sequence[Layer], pools: str) -> None:
        super().__init__()
        self.layers, self.pools = tuple(layers), pools
        for i, layer in enumerate(layers):
            if layer.weight is not None:
                self.register_buffer(f"weight{i}", torch.tensor(layer.weight))
                self.register_buffer(f"bias{i}", torch.tensor(layer.bias))

    def forward(self, x: Tensor) -> Tensor:
        """Return scores ``(batch, outputs, *positions)``."""
        flat = x.dim() == 3
        for i, layer in enumerate(self.layers):
            if layer.kind == "conv":
                conv = functional.conv1d if flat else functional.conv2d
                weight, bias = getattr(self, f"weight{i}"), getattr(self, f"bias{i}")
                x = conv(x, weight, bias, stride=layer.stride, dilation=layer.step)
            elif layer.kind == "relu":
                x = functional.relu(x)
            elif self.pools == "max_pool":
                pool = functional.max_pool1d if flat else functional.max_pool2d
                x = pool(x, layer.kernel, stride=layer.stride, dilation=layer.step)
            else:
                x = _maximum(x, layer)
        return x


def _maximum(x: Tensor, layer: Layer) -> Tensor:
    for axis, (k, step, stride) in enumerate(zip(layer.kernel, layer.step, layer.stride, strict=True), 2):
        count = (x.shape[axis] - (k - 1) * step - 1) // stride + 1
        best = None
        for t in range(k):
            index: list[Any] = [slice(None)] * x.dim()
            index[axis] = slice(t * step, t * step + (count - 1) * stride + 1, stride)
            best = x[tuple(index)] if best is None else torch.maximum(best, x[tuple(index)])
        assert best is not None
        x = best
    return x


def pools_of(case: Case) -> tuple[str, ...]:
    """Return the ways to pool that differ for a network."""
    return POOLS if any(layer.kind == "pool" for layer in case.layers) else POOLS[:1]


def module(case: Case, pools: str, rows: bool = False, channels_last: bool = False) -> nn.Module:
    """Return the dense network, signals as images of height 1 with ``rows``."""
    made = Dense(in_rows(case.layers) if rows and case.axes == 1 else case.layers, pools).eval()
    return made.to(memory_format=torch.channels_last) if channels_last else made


def runner(made: Any, channels_last: bool) -> Run:
    """Return how a module runs on a numpy array."""

    def run(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            tensor = torch.from_numpy(x)
            return made(tensor.to(memory_format=torch.channels_last) if channels_last else tensor).numpy()

    return run


def whole(case: Case, run: Run, rows: bool, x: np.ndarray) -> Call:
    """Return a call that gives the input as it is, or as one row of an image."""
    if rows and case.axes == 1:
        return lambda: run(x[None, :, None])[0, :, 0]
    return lambda: run(x[None])[0]


def _whole(case: Case, pools: str, rows: bool, channels_last: bool, x: np.ndarray) -> Call:
    return whole(case, runner(module(case, pools, rows, channels_last), channels_last), rows, x)


def eager(case: Case) -> list[Form]:
    """Return dilated convolutions in torch's usual layout."""
    shapes = [(f"Conv{case.axes}d", False)] + [("Conv2d 1xk", True)] * (case.axes == 1)
    return [
        Form(f"{shape}, {pools}", partial(_whole, case, pools, rows, False), long=pools == "max_pool")
        for shape, rows in shapes
        for pools in pools_of(case)
    ]


def channels_last(case: Case) -> list[Form]:
    """Return the same as 2-D, channels last."""
    return [Form(pools, partial(_whole, case, pools, True, True)) for pools in pools_of(case)]


def compiled(case: Case) -> list[Form]:
    """Return the compiled 2-D form, weights frozen, whole and in tiles."""
    from torch._inductor import config

    config.freezing = not case.load.double  # frozen float64 weights do not compile

    def make() -> Run:
        torch._dynamo.reset()
        return runner(torch.compile(module(case, POOLS[0], True, True), dynamic=False), True)

    def on_pieces(tile: tuple[int, ...], rows: int, x: np.ndarray) -> Call:
        return in_tiles(case, x, [make()], tile, rows)

    forms = [Form("whole", lambda x: whole(case, make(), True, x))]
    rows = 8 if case.axes == 1 else 0
    for tile in few_tile_shapes(case.load):
        name = f"tiles of {'x'.join(map(str, tile))}" + f", {rows} rows" * bool(rows)
        forms.append(Form(name, partial(on_pieces, tile, rows), 1 / 8, least(tile, rows)))
    return forms


def tiles(case: Case) -> list[Form]:
    """Return whole-array forms on pieces that overlap by the halo."""

    def prepare(tile: tuple[int, ...], rows: int, last: bool, pools: str, x: np.ndarray) -> Call:
        made = module(case, pools, bool(rows), last)
        return in_tiles(case, x, [runner(made, last)], tile, rows)

    forms = []
    for tile in tile_shapes(case.load):
        for rows in (0, 1, 8) if case.axes == 1 else (0,):
            for last in (False, True) if rows or case.axes == 2 else (False,):
                name = f"{'x'.join(map(str, tile))}" + f", {rows} rows" * bool(rows) + ", channels_last" * last
                forms.append(Form(name, partial(prepare, tile, rows, last, POOLS[0]), 1 / 8, least(tile, rows)))
    return forms


def windows(case: Case) -> list[Form]:
    """Return the network itself on batches of windows."""

    def prepare(batch: int, last: bool, x: np.ndarray) -> Call:
        net = case.load.network()
        net = net.to(memory_format=torch.channels_last) if last else net
        view = torch.from_numpy(x)
        for axis, size in enumerate(case.load.window, 1):
            view = view.unfold(axis, size, case.load.hop)
        counts = view.shape[1 : 1 + case.axes]
        view = view.movedim(0, case.axes)  # positions first, then channels
        across = counts[1] if case.axes == 2 else 1
        steps = (max(1, batch // across), min(across, batch))[: case.axes]
        places = [*product(*(range(0, n, step) for n, step in zip(counts, steps, strict=True)))]

        def call() -> np.ndarray:
            out = torch.empty(*counts, case.outs, dtype=view.dtype)
            with torch.inference_mode():
                for place in places:
                    some = tuple(slice(p, p + n) for p, n in zip(place, steps, strict=True))
                    flat = view[some].flatten(0, case.axes - 1)
                    flat = flat.to(memory_format=torch.channels_last) if last else flat
                    out[some] = net(flat).view_as(out[some])
            return out.movedim(-1, 0).numpy()

        return call

    layouts = (False, True) if case.axes == 2 else (False,)
    return [
        Form(f"batches of {batch}" + ", channels_last" * last, partial(prepare, batch, last), 1 / 64, long=True)
        for batch in BATCHES
        for last in layouts
    ]
