"""What a scan does for a device of its own: layouts, settings, and the way back of scores.

Most of it can be held against the processor; what needs a GPU is skipped without one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nets import Drawn, networks
from small_nets import small, window
from torch import nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from scanwise.run import Scanner
from scanwise.run._device import (
    CACHE_BYTES,
    Delivery,
    placed,
    repeatable,
    sent,
    suits_channels_last,
    usual_bytes,
)
from scanwise.run._torch import TileEvaluator

CPU, CUDA, META = torch.device("cpu"), torch.device("cuda:0"), torch.device("meta")
on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


class Recurrent(nn.Module):
    """A convolution, and a recurrence that cannot be shared."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.lstm, self.linear = nn.Conv1d(2, 4, 3), nn.LSTM(4, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.lstm(self.conv(x).transpose(1, 2))[0][:, -1])  # type: ignore[no-any-return]


class Tangled(nn.Module):
    """Channels in another order, scattered positions, reductions over channels."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.linear = nn.Conv1d(2, 4, 3, stride=2), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        y = torch.cat([y, y.flip(1)], 1)[:, [0, 5, 2, 7]]
        scores = self.linear(y.amax(2, keepdim=True).expand(-1, -1, 4).flatten(1))
        return torch.softmax(scores + y.std(2).mean(1, keepdim=True), 1)


# Where and how it is computed ------------------------------------------------------------------------------------


class Everywhere(TorchDispatchMode):
    """Collects the devices of all tensors that operations touch, apart from single numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.devices: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in pytree.tree_leaves((args, kwargs, out)) if isinstance(leaf, torch.Tensor)]
        self.devices |= {tensor.device.type for tensor in tensors if tensor.dim()}
        return out


@pytest.mark.filterwarnings("ignore::scanwise.errors.SharingEnds")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("net", "shape", "hop"),
    [
        (small(1), (2, 12), 1),
        (small(2), (2, 8, 10), (3, 5)),
        (Recurrent(), (2, 12), 2),
        (Tangled(), (2, 12), 3),
        (Tangled(), (2, 12), 5),
    ],
)
def test_nothing_travels_while_a_tile_is_computed(
    net: nn.Module, shape: tuple[int, ...], hop: int | tuple[int, ...], dtype: torch.dtype
) -> None:
    """On the device without values, which stands for any: a table of indices left behind would be sent every time."""
    scanner = Scanner(net.eval(), shape, hop, backend="torch")
    program, plan = scanner.program, scanner.plan
    on_device = placed(program, META, dtype, channels_last=dtype == torch.bfloat16)
    evaluate = TileEvaluator(on_device, plan, (4,) * program.axes, 10**6, META)
    assert plan.spans[0] is not None
    space = [3 * h + last - first + 1 for h, (first, last) in zip(scanner.hop, plan.spans[0], strict=True)]
    with Everywhere() as seen:
        (scores,) = evaluate(torch.empty(2, shape[0], *space, device=META, dtype=dtype))
    assert seen.devices == {"meta"}
    assert scores.shape == (2, 3, *(4,) * program.axes)


@pytest.mark.parametrize(
    ("device", "dtype", "axes", "groups", "suits"),
    [
        (CUDA, torch.bfloat16, 2, 1, True),
        (CUDA, torch.float16, 1, 1, True),
        (CUDA, torch.float32, 2, 1, False),
        (CUDA, torch.float64, 1, 1, False),
        (CUDA, torch.bfloat16, 2, 2, False),
        (CPU, torch.bfloat16, 2, 1, False),
    ],
)
def test_channels_come_last_where_tensor_cores_want_it(
    device: torch.device, dtype: torch.dtype, axes: int, groups: int, *, suits: bool
) -> None:
    convolution = (nn.Conv1d, nn.Conv2d)[axes - 1](2, 4, 3, groups=groups)
    net = nn.Sequential(convolution, nn.Flatten(), nn.Linear(4 * 3**axes, 2)).eval()
    program = Scanner(net, (2, *[5] * axes), backend="torch").program
    assert suits_channels_last(program, device, dtype) == suits


@pytest.mark.filterwarnings("ignore::scanwise.errors.SharingEnds")
def test_weights_are_put_channels_last_once_and_signals_become_images_of_one_row() -> None:
    program = placed(Scanner(Recurrent().eval(), (2, 12)).program, CPU, torch.bfloat16, channels_last=True)
    convolution, rest = program.nodes[1:]
    assert convolution.params["weight"].shape == (4, 2, 1, 3)
    assert convolution.params["weight"].stride()[1] == 1
    assert {tensor.dtype for tensor in convolution.params.values()} == {torch.bfloat16}
    assert {tensor.dtype for tensor in rest.params.values()} == {torch.float32}


@given(networks(), st.data())
def test_a_scan_with_channels_last_equals_the_network(drawn: Drawn, data: st.DataObject) -> None:
    hop = tuple(data.draw(st.integers(1, w + 2), label="hop") for w in drawn.window_shape[1:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scanwise.run._tiles.suits_channels_last", lambda program, device, dtype: True)
        scanner = Scanner(drawn.build(torch.float64), drawn.window_shape, hop, backend="torch")
        x = drawn.values(tuple(w + 7 for w in drawn.window_shape[1:]), torch.float64)
        got = scanner.scan(x)
    want = scanner.scan_windows(x)
    assert (got - want).abs().max() <= 1e-12 * max(1.0, float(want.abs().max()))


def test_tiles_on_a_gpu_do_not_depend_on_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    for total, usual in ((141 * 2**30, 2**30), (8 * 2**30, 2**30), (4 * 2**30, 2**29)):
        properties = SimpleNamespace(total_memory=total)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device, got=properties: got)
        assert usual_bytes(CUDA) == usual
    assert usual_bytes(CPU) == CACHE_BYTES


# Settings of CUDA's libraries ------------------------------------------------------------------------------------

cudnn: Any = torch.backends.cudnn
matmul: Any = torch.backends.cuda.matmul


def settings() -> list[object]:
    precisions = [part.fp32_precision for part in (cudnn.conv, cudnn.rnn, matmul)]
    return [cudnn.benchmark, cudnn.deterministic, torch.backends.fp32_precision, *precisions]  # type: ignore[attr-defined]


def check_and_stop() -> None:
    benchmark, deterministic, _, *precisions = settings()
    assert (benchmark, deterministic) == (False, True)
    assert "tf32" not in precisions
    raise KeyError("stop")


@pytest.fixture
def restored() -> Iterator[None]:
    """Set all to what torch starts with."""
    yield
    torch.set_float32_matmul_precision("highest")
    cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32 = False, False, True
    torch.backends.fp32_precision = matmul.fp32_precision = "none"  # type: ignore[attr-defined]


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize(
    "wish",
    [
        lambda: None,
        lambda: torch.set_float32_matmul_precision("high"),
        lambda: setattr(cudnn, "allow_tf32", False),
        lambda: setattr(cudnn, "benchmark", True),
        lambda: setattr(torch.backends, "fp32_precision", "tf32"),
    ],
    ids=["none", "matmul", "no tf32", "benchmark", "tf32 everywhere"],
)
def test_a_gpu_computes_in_full_precision_and_repeatably_whatever_was_set(wish: Callable[[], object]) -> None:
    wish()
    before = settings()
    with pytest.raises(KeyError, match="stop"), repeatable(CUDA):
        check_and_stop()
    assert settings() == before
    with repeatable(CPU):
        assert settings() == before


@pytest.mark.usefixtures("restored")
def test_the_last_of_several_scans_restores_the_settings() -> None:
    """In threads side by side, none may find the precision of another's end."""
    before, (one, other) = settings(), (repeatable(CUDA), repeatable(CUDA))
    one.__enter__()
    during = settings()
    other.__enter__()
    one.__exit__(None, None, None)
    assert settings() == during != before
    other.__exit__(None, None, None)
    assert settings() == before


# The way there and back ------------------------------------------------------------------------------------------


def test_on_the_processor_nothing_is_copied() -> None:
    x = torch.randn(2, 3)
    assert sent(x, CPU, torch.float32) is x
    assert sent(x, CPU, torch.float64).dtype == torch.float64


def test_scores_from_a_gpu_are_written_while_the_next_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[object] = []

    def record_event() -> object:
        number = sum(str(event).startswith("copy") for event in events)
        events.append(f"copy {number}")
        return SimpleNamespace(synchronize=lambda: events.append(f"wait {number}"))

    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: SimpleNamespace(record_event=record_event))
    delivery = Delivery(lambda place, scores: events.append((place, scores[0].item())), CUDA, CPU)
    for place in ("a", "b"):
        delivery.put(place, [torch.tensor(len(events))])
    delivery.finish()
    delivery.finish()
    assert events == ["copy 0", "copy 1", "wait 0", ("a", 0), "wait 1", ("b", 1)]


@pytest.mark.parametrize("hop", [1, 40])
def test_no_scores_are_left_on_their_way(monkeypatch: pytest.MonkeyPatch, hop: int) -> None:
    class Late(Delivery):
        def __init__(self, *how: Any) -> None:
            super().__init__(*how)
            self.late = True

    stream = SimpleNamespace(record_event=lambda: SimpleNamespace(synchronize=lambda: None))
    x = torch.randn(3, 2, 150)
    scanner = Scanner(small(), (2, 12), hop, backend="torch", max_memory="4kB")
    want = scanner.scan(x)
    monkeypatch.setattr("scanwise.run._tiles.Delivery", Late)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    assert torch.equal(scanner.scan(x), want)


@pytest.mark.parametrize(("device", "home"), [(CPU, CPU), (CUDA, CUDA), (CPU, CUDA)])
def test_scores_that_need_no_waiting_are_written_at_once(device: torch.device, home: torch.device) -> None:
    written: list[object] = []
    Delivery(lambda place, scores: written.append(place), device, home).put("a", [torch.zeros(1)])
    assert written == ["a"]


# On a GPU --------------------------------------------------------------------------------------------------------


@on_a_gpu
@pytest.mark.filterwarnings("ignore::scanwise.errors.SharingEnds")
@pytest.mark.parametrize("hop", [1, 3, 40])
@pytest.mark.parametrize(
    ("net", "shape"),
    [(small(1), (2, 12)), (small(2), (2, 8, 10)), (Recurrent().eval(), (2, 12)), (Tangled().eval(), (2, 12))],
)
def test_a_gpu_gives_the_processors_scores_tile_by_tile(net: nn.Module, shape: tuple[int, ...], hop: int) -> None:
    here = Scanner(net, shape, hop, backend="torch")
    there = Scanner(net, shape, hop, device="cuda", max_memory="200kB")
    x = torch.randn(3, 2, *(20 * n for n in shape[1:]))
    want, got = here.scan(x), there.scan(x)
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)
    assert not got.is_cuda
    assert torch.equal(there.scan(x.cuda()).cpu(), got)
    assert np.array_equal(there.scan(x.numpy()), got.numpy())
    numbers = (x * 100).to(torch.int16)
    torch.testing.assert_close(there.scan(numbers), here.scan(numbers), rtol=1e-5, atol=1e-3)


@on_a_gpu
def test_the_memory_of_a_gpu_does_not_grow_with_the_input() -> None:
    scanner = Scanner(small(1), (2, 12), device="cuda", max_memory="16MB")
    peaks = []
    for length in (2_000_000, 20_000_000):
        torch.cuda.reset_peak_memory_stats()
        scanner.scan(torch.zeros(2, length))
        peaks.append(torch.cuda.max_memory_allocated())
    assert peaks[1] <= 1.1 * peaks[0]


@on_a_gpu
@pytest.mark.filterwarnings("ignore::scanwise.errors.ReducedPrecision")
@pytest.mark.parametrize("axes", [1, 2])
def test_bfloat16_on_a_gpu_is_as_far_off_as_measured(axes: int) -> None:
    scanner = Scanner(small(axes), window(axes), device="cuda", precision="bfloat16")
    x = torch.randn(2, *(n + 5 for n in window(axes)[1:]))
    worst = float((scanner.scan(x) - scanner.scan_windows(x)).abs().max())
    assert scanner.measured_error is not None
    assert scanner.measured_error.largest <= worst < 0.1
