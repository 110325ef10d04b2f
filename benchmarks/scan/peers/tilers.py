"""Libraries that turn a window network into a dense one, or lay tiles over an input and blend them."""

from __future__ import annotations

import warnings
from functools import partial
from math import ceil, prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.scan.contender import Call, Case, Form, NotApplicableError
from benchmarks.scan.tiles import piece_shape

from .by_torch import POOLS, module, runner, whole

ROIS = ((2048,), (8192,)), ((128, 128), (256, 256))


def by_monai(case: Case) -> list[Form]:
    """Return `sliding_window_inference` as it is meant, and with weights that leave the halo out.

    As it is meant, the network pads its input with zeros to keep its size, and tiles that overlap by a quarter are
    blended: near their seams scores come from windows that are partly zeros.
    """
    if case.load.hop > 1:
        raise NotApplicableError("lays scores on the input's own grid; there is no hop")
    from monai.inferers import sliding_window_inference

    halo = [w - 1 for w in case.load.window]

    def usual(roi: tuple[int, ...], mode: str, x: np.ndarray) -> Call:
        made, before = _quick(case), [h // 2 for h in halo]
        margins = [n for b, h in zip(before[::-1], halo[::-1], strict=True) for n in (b, h - b)]

        def run(x: Any) -> np.ndarray:
            with torch.inference_mode():
                tensor = torch.from_numpy(x)[None]
                scores = sliding_window_inference(
                    tensor, roi, 4, lambda piece: made(functional.pad(piece, margins)), overlap=0.25, mode=mode
                )
            valid = (slice(b, b + n - h) for b, n, h in zip(before, x.shape[1:], halo, strict=True))
            return np.asarray(scores.numpy()[(0, slice(None), *valid)])

        return lambda: run(x)

    def exact(roi: tuple[int, ...], x: np.ndarray) -> Call:
        made = _quick(case)
        after = [n for h in halo[::-1] for n in (0, h)]
        keep = functional.pad(torch.ones([n - h for n, h in zip(roi, halo, strict=True)], dtype=_dtype(x)), after)
        overlap = [h / n for n, h in zip(roi, halo, strict=True)]

        def run(x: Any) -> np.ndarray:
            with torch.inference_mode():
                scores = sliding_window_inference(
                    *(torch.from_numpy(x)[None], roi, 1, lambda piece: functional.pad(made(piece), after)),
                    overlap=overlap,
                    roi_weight_map=keep,
                )
            valid = (slice(0, n - h) for n, h in zip(x.shape[1:], halo, strict=True))
            return np.asarray(scores.numpy()[(0, slice(None), *valid)])

        return lambda: run(x)

    half = piece_shape(case.load, [ceil(n / 2) for n in case.load.positions])
    forms = []
    for roi in dict.fromkeys(tuple(map(min, shape, half)) for shape in ROIS[case.axes - 1]):
        name = "x".join(map(str, roi))
        forms += [
            Form(f"{name}, {mode} blending", partial(usual, roi, mode), same=False) for mode in ("gaussian", "constant")
        ]
        forms.append(Form(f"{name}, weights 0 in the halo", partial(exact, roi)))
    return forms


def _dtype(x: np.ndarray) -> torch.dtype:
    return torch.from_numpy(x[:0]).dtype


def _quick(case: Case) -> nn.Module:
    """Return the dense network on torch tensors, in the form that is quick on pieces."""
    made = module(case, POOLS[0], rows=True, channels_last=True)

    class Quick(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if case.axes == 1:
                return made(x[:, :, None].contiguous(memory_format=torch.channels_last))[:, :, 0]
            return made(x.contiguous(memory_format=torch.channels_last))

    return Quick()


def by_braindecode(case: Case) -> list[Form]:
    """Return what `to_dense_prediction_model` makes of the network, written with 2-D layers as it expects."""
    if case.load.hop > 1:
        raise NotApplicableError("makes a model that scores every position; there is no hop")
    from braindecode.models.util import to_dense_prediction_model

    def converted() -> nn.Sequential:
        net = _of_2d_layers(case)
        with warnings.catch_warnings():  # it has moved in later versions, which need torchaudio
            warnings.simplefilter("ignore", FutureWarning)
            to_dense_prediction_model(net)
        return net

    try:
        converted()
    except AssertionError as error:
        raise NotApplicableError(f"it refuses the network: {error}") from error

    def prepare(last: bool, x: np.ndarray) -> Call:
        net = converted()
        net = net.to(memory_format=torch.channels_last) if last else net
        return whole(case, runner(net, last), True, x)

    return [
        Form(name, partial(prepare, last), long=True) for name, last in (("as made", False), ("channels_last", True))
    ]


def _of_2d_layers(case: Case) -> nn.Sequential:
    net, units, dtype = nn.Sequential(), case.load.window, next(case.net.parameters()).dtype
    for layer in case.net:
        if isinstance(layer, nn.ReLU):
            net.append(nn.ReLU())
        elif isinstance(layer, nn.MaxPool1d | nn.MaxPool2d):
            size = (1, 2) if case.axes == 1 else (2, 2)
            net.append(nn.MaxPool2d(size, size))
            units = tuple(n // 2 for n in units)
        elif isinstance(layer, nn.Conv1d | nn.Conv2d):
            flat = (1,) if case.axes == 1 else ()
            size, dilation = (*flat, *layer.kernel_size), (*flat, *layer.dilation)
            net.append(
                _filled(nn.Conv2d(layer.in_channels, layer.out_channels, size, dilation=dilation, dtype=dtype), layer)
            )
            units = tuple(n - (k - 1) * d for n, k, d in zip(units, layer.kernel_size, layer.dilation, strict=True))
        elif isinstance(layer, nn.Linear):
            made = nn.Conv2d(layer.in_features // prod(units), layer.out_features, units, dtype=dtype)
            net.append(_filled(made, layer))
            units = (1,) * case.axes
    return net.eval()


def _filled(made: nn.Conv2d, layer: nn.Conv1d | nn.Conv2d | nn.Linear) -> nn.Conv2d:
    with torch.no_grad():
        made.weight.copy_(layer.weight.view_as(made.weight))
        if made.bias is not None and layer.bias is not None:
            made.bias.copy_(layer.bias)
    return made
