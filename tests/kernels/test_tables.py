"""The engine trusts no table: it refuses it, or computes something within its own memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nets import Drawn, networks

from scanwise.kernels import Engine, absent, operation_codes
from scanwise.run import Scanner
from scanwise.run._lower import lower
from scanwise.run._phases import phases

pytestmark = pytest.mark.skipif(absent() is not None, reason=f"no native engine: {absent()}")


def parts(drawn: Drawn, hop: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, list[list[np.ndarray]]]:
    lowered = lower(Scanner(drawn.build(torch.float32), drawn.window_shape, backend="torch").program)
    args = np.zeros((len(lowered.steps), 4))
    for i, step in enumerate(lowered.steps):
        args[i, : len(step.args)] = step.args
    params = [[tensor.detach().numpy() for tensor in step.params] for step in lowered.steps]
    return phases(lowered, hop).table(operation_codes()), args, params


def scan(engine: Engine, drawn: Drawn, hop: tuple[int, ...]) -> np.ndarray:
    window = drawn.window_shape[1:]
    space = [w + 20 * h for w, h in zip(window, hop, strict=True)]
    x = drawn.values(tuple(space), torch.float32)[None].numpy()
    out = np.empty((1, 3, *(21 for _ in window)), np.float32)
    engine.scan(x, [out], strip=7, along=10, across=7 if len(window) == 2 else 0, threads=2)
    return out


@given(networks(), st.data())
def test_a_table_with_another_number_is_refused_or_computes_within_its_memory(
    drawn: Drawn, data: st.DataObject
) -> None:
    hop = tuple(data.draw(st.integers(1, 3)) for _ in drawn.window_shape[1:])
    table, args, params = parts(drawn, hop)
    assert np.isfinite(scan(Engine(np.dtype("f4"), table, args, params), drawn, hop)).all()
    for _ in range(15):
        broken = table.copy()
        for place in data.draw(st.lists(st.integers(0, len(table) - 1), min_size=1, max_size=3)):
            broken[place] = data.draw(st.integers(-2, 12))
        try:
            engine = Engine(np.dtype("f4"), broken, args, params)
            scan(engine, drawn, hop)
        except ValueError:
            continue


@pytest.mark.parametrize("number", [-1, 10**9, 2**62, -(2**63)])
def test_no_number_of_a_table_can_be_absurd(number: int) -> None:
    net = torch.nn.Sequential(torch.nn.Conv1d(2, 4, 3, groups=2), torch.nn.MaxPool1d(2)).eval()
    lowered = lower(Scanner(net, (2, 4), backend="torch").program)
    args, params = np.zeros((3, 4)), [[t.detach().numpy() for t in step.params] for step in lowered.steps]
    table = phases(lowered, (1,)).table(operation_codes())
    refused = 0
    for place in range(len(table)):
        broken = table.copy()
        broken[place] = number
        try:
            Engine(np.dtype("f4"), broken, args, params)
        except ValueError:
            refused += 1
    assert refused >= 0.9 * len(table)


@pytest.mark.parametrize("op", ["softmax", "max"])
def test_a_function_of_channels_gives_as_many_as_its_kind_does_and_no_code_is_unknown(op: str) -> None:
    """A normalisation that was said to give one channel would write the others where there is no memory."""
    net = torch.nn.Sequential(torch.nn.Conv1d(1, 6, 3), Channels(op)).eval()
    lowered = lower(Scanner(net, (1, 3), backend="torch").program)
    codes, args, params = operation_codes(), np.zeros((3, 4)), [[t.numpy() for t in s.params] for s in lowered.steps]
    Engine(np.dtype("f4"), phases(lowered, (1,)).table(codes), args, params)
    step = lowered.steps[2]
    turned = replace(step, flag=not step.flag, channels=7 - step.channels, size=6, in_place=False)
    steps = (*lowered.steps[:2], turned)
    with pytest.raises(ValueError, match="the table is not a program"):
        Engine(np.dtype("f4"), phases(replace(lowered, steps=steps), (1,)).table(codes), args, params)
    for code in (len(codes["chan"]), 777):
        codes["chan"][op] = code
        with pytest.raises(ValueError, match="the table is not a program"):
            Engine(np.dtype("f4"), phases(lowered, (1,)).table(codes), args, params)


class Channels(torch.nn.Module):
    """A function of all channels."""

    def __init__(self, op: str) -> None:
        super().__init__()
        self.op = op

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.softmax(1) if self.op == "softmax" else x.amax(1)


def test_a_table_must_have_all_its_numbers_and_no_more() -> None:
    net = torch.nn.Conv1d(1, 2, 3).eval()
    lowered = lower(Scanner(net, (1, 3), backend="torch").program)
    args, params = np.zeros((2, 4)), [[t.detach().numpy() for t in step.params] for step in lowered.steps]
    table = phases(lowered, (1,)).table(operation_codes())
    Engine(np.dtype("f4"), table, args, params)
    for length in range(len(table)):
        with pytest.raises(ValueError, match="the table is not a program"):
            Engine(np.dtype("f4"), table[:length], args, params)
    for longer, numbers in ((np.append(table, 0), args), (table, args[:1])):
        with pytest.raises(ValueError, match="the table is not a program"):
            Engine(np.dtype("f4"), longer, numbers, params)


def test_parameters_must_have_the_size_that_the_table_gives() -> None:
    net = torch.nn.Conv1d(1, 2, 3).eval()
    lowered = lower(Scanner(net, (1, 3), backend="torch").program)
    args, (weight, bias) = np.zeros((2, 4)), [t.detach().numpy() for t in lowered.steps[1].params]
    table = phases(lowered, (1,)).table(operation_codes())
    with pytest.raises(ValueError, match="parameter 0 of node 1 has 16 bytes, not 24"):
        Engine(np.dtype("f4"), table, args, [[], [weight[:, :, :2], bias]])
    with pytest.raises(ValueError, match="parameter 1 of node 1 has 4 bytes, not 8"):
        Engine(np.dtype("f4"), table, args, [[], [weight, bias[:1]]])
    with pytest.raises(ValueError, match="node 1 must have 2 parameters"):
        Engine(np.dtype("f4"), table, args, [[], [weight]])
    with pytest.raises(ValueError, match="params must have an entry for each node"):
        Engine(np.dtype("f4"), table, args, [[]])


def test_an_engine_refuses_arrays_and_cuts_that_do_not_fit() -> None:
    net = torch.nn.Conv2d(2, 3, 3).eval()
    scan = Scanner(net, (2, 3, 3), backend="native").chosen.scan
    engine, x, out = scan.walk.engine, np.zeros((1, 2, 9, 8), np.float32), np.zeros((1, 3, 7, 6), np.float32)
    cut = {"strip": 6, "along": 7, "across": 6, "threads": 1}
    engine.scan(x, [out], **cut)
    for wrong in (x[0], x[:, :1], x[..., None], x.astype(complex), x.astype(np.float16)):
        with pytest.raises(ValueError, match=r"x must be an array \(items, channels, \*space\) of numbers"):
            engine.scan(wrong, [out], **cut)
    with pytest.raises(ValueError, match="output 0 has 504 bytes"):
        engine.scan(np.concatenate([x, x]), [out], **cut)
    with pytest.raises(ValueError, match="outs must have an entry for each output"):
        engine.scan(x, [out, out], **cut)
    between = np.zeros(out.nbytes + 4, np.uint8)[2:-2].view(np.float32).reshape(out.shape)
    with pytest.raises(ValueError, match="output 0 begins inside a number"):
        engine.scan(x, [between], **cut)
    with pytest.raises(ValueError, match="contiguous"):
        engine.scan(x, [out.transpose(0, 1, 3, 2)], **cut)
    for change in ({"strip": 0}, {"along": 0}, {"across": 7}, {"across": 0}, {"threads": 0}):
        with pytest.raises(ValueError, match="strip, along, across, counts and threads must fit each other"):
            engine.scan(x, [out], **(cut | change))
    with pytest.raises(ValueError, match="instruction set 'mmx' is not there"):
        Engine(np.dtype("f4"), np.zeros(1), np.zeros((1, 4)), [], "mmx")
