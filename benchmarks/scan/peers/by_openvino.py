"""OpenVINO: whole arrays and in tiles, held to float32."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import openvino as ov

from benchmarks.scan.contender import Call, Case, Form, NotApplicableError
from benchmarks.scan.layers import in_rows
from benchmarks.scan.onnx_model import onnx_model
from benchmarks.scan.tiles import Run, in_tiles, least, piece_shape, tile_shapes

from .by_onnxruntime import shapes
from .by_torch import pools_of


def compiled(case: Case, rows: bool, pools: str, shape: tuple[int, ...], apart: bool) -> Any:
    """Return the model compiled for one input shape; ``apart``: a request for each thread instead of all for one."""
    core = ov.Core()
    model = core.read_model(model=onnx_model(in_rows(case.layers) if rows else case.layers, pools))
    model.reshape(list(shape))
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": case.threads}
    settings |= {"NUM_STREAMS": case.threads} if apart else {"PERFORMANCE_HINT": "LATENCY"}
    return core.compile_model(model, "CPU", settings)


def runner(made: Any, piece: np.ndarray) -> Run:
    """Return how a request of its own runs, from one array at a fixed place."""
    request = made.create_infer_request()
    request.set_input_tensor(ov.Tensor(piece, shared_memory=True))

    def run(x: np.ndarray) -> np.ndarray:
        if x is not piece:
            piece[:] = x
        request.infer()
        return np.asarray(request.get_output_tensor().data)

    return run


def whole(case: Case) -> list[Form]:
    """Return models compiled for the whole input."""
    _only_float32(case)

    def prepare(rows: bool, pools: str, x: np.ndarray) -> Call:
        piece = np.ascontiguousarray(x).reshape(1, 1, *(1,) * rows, *x.shape[1:])
        run = runner(compiled(case, rows, pools, piece.shape, False), piece)
        return lambda: run(piece)[0, :, 0] if rows else run(piece)[0]

    return [
        Form(f"{name}, {pools}", partial(prepare, rows, pools), long=True)
        for name, rows in shapes(case)
        for pools in pools_of(case)
    ]


def tiles(case: Case) -> list[Form]:
    """Return models compiled for one piece."""
    _only_float32(case)

    def prepare(tile: tuple[int, ...], rows: int, apart: bool, x: np.ndarray) -> Call:
        shape = (1, 1, *((rows,) if rows else ()), *piece_shape(case.load, tile))
        made = compiled(case, bool(rows), pools_of(case)[-1], shape, apart)
        runs = [runner(made, np.empty(shape, np.float32)) for _ in range(case.threads if apart else 1)]
        return in_tiles(case, x, runs, tile, rows)

    forms = []
    for tile in tile_shapes(case.load):
        for rows in (0, 1, 8) if case.axes == 1 else (0,):
            for apart in (False, True) if case.threads > 1 else (False,):
                name = "x".join(map(str, tile)) + (f", Conv2d 1xk, {rows} rows" if rows else f", Conv{case.axes}d")
                name += ", a piece for each thread" * apart
                forms.append(
                    Form(name, partial(prepare, tile, rows, apart), 1 / 8, least(tile, rows, case.threads), long=True)
                )
    return forms


def _only_float32(case: Case) -> None:
    if case.load.double:
        raise NotApplicableError("computes in float32 at most")
