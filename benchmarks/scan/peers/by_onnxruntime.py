"""ONNX Runtime: whole arrays and in tiles, as Conv1d and as Conv2d."""

from __future__ import annotations

from functools import partial

import numpy as np
import onnxruntime as ort
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as Missing

from benchmarks.scan.contender import Call, Case, Form, NotApplicableError
from benchmarks.scan.layers import in_rows
from benchmarks.scan.onnx_model import onnx_model
from benchmarks.scan.tiles import Run, counts_of, in_tiles, least, piece_shape, tile_shapes

from .by_torch import POOLS, pools_of


def session(case: Case, rows: bool, pools: str, threads: int) -> ort.InferenceSession:
    """Return a session with all graph optimisations on so many threads."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    model = onnx_model(in_rows(case.layers) if rows else case.layers, pools)
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def bound(made: ort.InferenceSession, x: np.ndarray, out: np.ndarray) -> Call:
    """Return a call that reads and writes these arrays, without copies on the way."""
    binding = made.io_binding()
    for bind, end, array in (
        (binding.bind_input, made.get_inputs()[0], x),
        (binding.bind_output, made.get_outputs()[0], out),
    ):
        bind(end.name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

    return partial(_run, made, binding, out, x)


def _run(made: ort.InferenceSession, binding: ort.IOBinding, out: np.ndarray, _kept: np.ndarray) -> np.ndarray:
    made.run_with_iobinding(binding)  # which holds no more than the arrays' addresses
    return out


def whole(case: Case) -> list[Form]:
    """Return sessions on the whole input."""
    _must_be_able(case)

    def prepare(rows: bool, pools: str, x: np.ndarray) -> Call:
        made = session(case, rows, pools, case.threads)
        height = (1,) * rows
        out = np.empty((1, case.outs, *height, *counts_of(case.load, x)), x.dtype)
        run = bound(made, np.ascontiguousarray(x).reshape(1, 1, *height, *x.shape[1:]), out)
        return lambda: run()[0, :, 0] if rows else run()[0]

    return [
        Form(f"{name}, {pools}", partial(prepare, rows, pools))
        for name, rows in shapes(case)
        for pools in pools_of(case)
    ]


def shapes(case: Case) -> list[tuple[str, bool]]:
    """Return the shapes of convolution to try, and whether each takes a signal as rows of an image."""
    return [(f"Conv{case.axes}d", False)] + [("Conv2d 1xk", True)] * (case.axes == 1)


def tiles(case: Case) -> list[Form]:
    """Return sessions on pieces: all threads in one piece, or a piece for each thread."""
    _must_be_able(case)

    def prepare(tile: tuple[int, ...], rows: int, apart: bool, pools: str, x: np.ndarray) -> Call:
        runs = [
            _on_pieces(case, session(case, bool(rows), pools, 1 if apart else case.threads), tile, rows)
            for _ in range(case.threads if apart else 1)
        ]
        return in_tiles(case, x, runs, tile, rows)

    forms = []
    for tile in tile_shapes(case.load):
        for rows in (0, 1, 8) if case.axes == 1 else (0,):
            for apart in (False, True) if case.threads > 1 else (False,):
                for pools in pools_of(case):
                    name = "x".join(map(str, tile)) + (f", Conv2d 1xk, {rows} rows" if rows else f", Conv{case.axes}d")
                    name += f", {pools}" * (len(pools_of(case)) > 1) + ", a piece for each thread" * apart
                    forms.append(
                        Form(name, partial(prepare, tile, rows, apart, pools), 1 / 8, least(tile, rows, case.threads))
                    )
    return forms


def _on_pieces(case: Case, made: ort.InferenceSession, tile: tuple[int, ...], rows: int) -> Run:
    height = (rows,) if rows else ()
    dtype = np.float64 if case.load.double else np.float32
    piece = np.empty((1, 1, *height, *piece_shape(case.load, tile)), dtype)
    run = bound(made, piece, np.empty((1, case.outs, *height, *tile), dtype))

    def on_piece(x: np.ndarray) -> np.ndarray:
        piece[:] = x
        return run()

    return on_piece


def _must_be_able(case: Case) -> None:
    try:
        session(case, False, POOLS[0], case.threads)
    except Missing as error:
        raise NotApplicableError(str(error)) from error
