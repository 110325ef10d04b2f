"""JAX: whole arrays and in tiles, channels last and first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from benchmarks.scan.contender import Call, Case, Form
from benchmarks.scan.layers import Layer, in_rows
from benchmarks.scan.tiles import Run, few_tile_shapes, in_tiles, least

from .by_torch import POOLS, pools_of, whole


def runner(layers: Sequence[Layer], last: bool, pools: str) -> Run:
    """Return the compiled scan, from and to channels first."""
    axes = next(len(layer.kernel) for layer in layers if layer.kernel)
    places = range(1, 1 + axes) if last else range(2, 2 + axes)
    space = "DHW"[-axes:]
    names = (f"N{space}C", f"{space}IO", f"N{space}C") if last else (f"NC{space}", f"OI{space}", f"NC{space}")
    weights = [
        None
        if layer.weight is None
        else jnp.asarray(np.moveaxis(layer.weight, (1, 0), (-2, -1)) if last else layer.weight)
        for layer in layers
    ]

    def pool(x: Any, layer: Layer) -> Any:
        if pools == "max_pool":
            sizes = [[1] * x.ndim for _ in range(3)]
            for i, place in enumerate(places):
                for size, value in zip(sizes, (layer.kernel[i], layer.stride[i], layer.step[i]), strict=True):
                    size[place] = value
            return lax.reduce_window(x, -jnp.inf, lax.max, sizes[0], sizes[1], "VALID", window_dilation=sizes[2])
        for i, place in enumerate(places):
            k, step, stride = layer.kernel[i], layer.step[i], layer.stride[i]
            end = x.shape[place] - (k - 1) * step
            slices = [lax.slice_in_dim(x, t * step, t * step + end, stride, place) for t in range(k)]
            for other in slices[1:]:
                slices[0] = jnp.maximum(slices[0], other)
            x = slices[0]
        return x

    @jax.jit
    def dense(x: Any) -> Any:
        x = jnp.moveaxis(x, 1, -1) if last else x
        for layer, weight in zip(layers, weights, strict=True):
            if layer.kind == "relu":
                x = jnp.maximum(x, 0)
            elif layer.kind == "pool":
                x = pool(x, layer)
            else:
                x = lax.conv_general_dilated(
                    x, weight, layer.stride, "VALID", rhs_dilation=layer.step, dimension_numbers=names
                )
                x = x + (layer.bias if last else layer.bias.reshape(-1, *(1,) * axes))
        return x

    def run(x: np.ndarray) -> np.ndarray:
        scores = np.asarray(dense(x).block_until_ready())
        return np.moveaxis(scores, -1, 1) if last else scores

    return run


def forms(case: Case) -> list[Form]:
    """Return all layouts, whole and in tiles."""
    jax.config.update("jax_enable_x64", case.load.double)

    def on_all(last: bool, rows: bool, pools: str, x: np.ndarray) -> Call:
        run = runner(in_rows(case.layers) if rows else case.layers, last, pools)
        return whole(case, run, rows, x)

    def on_pieces(tile: tuple[int, ...], last: bool, rows: int, x: np.ndarray) -> Call:
        run = runner(in_rows(case.layers) if rows else case.layers, last, POOLS[0])
        return in_tiles(case, x, [run], tile, rows)

    made = []
    for last in (True, False):
        layout = "channels last" if last else "channels first"
        for rows in (False, True) if case.axes == 1 else (False,):
            name = f"{layout}, 2-D" if rows else layout
            made += [
                Form(f"{name}, {pools}", partial(on_all, last, rows, pools), long=True) for pools in pools_of(case)
            ]
            for tile in few_tile_shapes(case.load):
                text = f"{name}, tiles of {'x'.join(map(str, tile))}" + ", 8 rows" * rows
                made.append(
                    Form(text, partial(on_pieces, tile, last, 8 * rows), 1 / 8, least(tile, 8 * rows), long=True)
                )
    return made
