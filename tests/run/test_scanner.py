"""The scanner's door: what it takes, gives, refuses and says."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from scanwise.errors import ArgumentError, NotScannable, SharingEnds
from scanwise.run import Scanner


def small(axes: int = 1) -> nn.Module:
    torch.manual_seed(0)
    if axes == 1:
        net = nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(4 * 5, 3))
    else:
        net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4 * 12, 3))
    return net.double().eval()


def padded() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(1, 3, 5, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2)).double().eval()


def test_numpy_gives_numpy_and_torch_gives_torch() -> None:
    scanner = Scanner(small(), (2, 12))
    x = torch.randn(2, 40, dtype=torch.float64)
    scores = scanner.scan(x.numpy())
    assert isinstance(scores, np.ndarray)
    assert np.array_equal(scores, scanner.scan(x).numpy())


def test_a_batch_is_scanned_item_by_item() -> None:
    scanner = Scanner(small(2), (2, 8, 10), (1, 2))
    x = torch.randn(3, 2, 15, 20, dtype=torch.float64)
    torch.testing.assert_close(scanner.scan(x), torch.stack([scanner.scan(item) for item in x]))


def test_integers_and_read_only_views_are_accepted() -> None:
    scanner = Scanner(small(), (2, 12))
    x = np.arange(160, dtype=np.int16).reshape(40, 4)[:, ::2].T
    x.setflags(write=False)
    assert np.array_equal(scanner.scan(x), scanner.scan(x.astype(float)))
    assert np.array_equal(scanner.scan(x.astype(">f4")), scanner.scan(x.astype(float)))
    assert np.array_equal(scanner.scan(x.astype(np.longdouble)), scanner.scan(x.astype(float)))


def test_the_input_is_left_as_it_was() -> None:
    net = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(24, 1)).double().eval()
    x = torch.randn(2, 30, dtype=torch.float64)
    before = x.clone()
    scanner = Scanner(net, (2, 12))
    scanner.scan(x)
    scanner.scan_windows(x)
    assert torch.equal(x, before)


def test_training_the_module_later_does_not_change_the_scanner() -> None:
    net = small()
    scanner = Scanner(net, (2, 12))
    x = torch.randn(2, 30, dtype=torch.float64)
    before = scanner.scan(x), scanner.scan_windows(x)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1)
    assert torch.equal(scanner.scan(x), before[0])
    assert torch.equal(scanner.scan_windows(x), before[1])


def test_nan_reaches_exactly_the_windows_that_hold_it() -> None:
    scanner = Scanner(small(), (2, 12))
    x = torch.randn(2, 60, dtype=torch.float64)
    x[1, 30] = float("nan")
    hit = scanner.scan(x).isnan().any(0).nonzero().flatten().tolist()
    assert hit == list(range(30 - 11, 31))


def test_a_window_larger_than_the_hop_is_computed_alone_when_little_is_shared() -> None:
    scanner = Scanner(small(), (2, 12), hop=40, backend="torch")
    x = torch.randn(2, 200, dtype=torch.float64)
    assert not scanner.plan.shared
    assert "one by one" in str(scanner.explain())
    torch.testing.assert_close(scanner.scan(x), scanner.scan_windows(x))


def test_the_reuse_factor_is_the_work_of_windows_over_the_work_of_the_scan() -> None:
    scanner = Scanner(small(), (2, 12))
    window = 10 * 2 * 4 * 3 + 20 * 3
    assert scanner.program.window_macs() == window
    assert scanner.reuse_factor == pytest.approx(window / (2 * 4 * 3 + 20 * 3))


def test_explain_has_the_layers_with_their_fields() -> None:
    text = str(Scanner(small(), (2, 12)).explain())
    assert [line.split()[0] for line in text.splitlines()[:6]] == ["layer", "0", "1", "2", "3", "4"]
    alone = Scanner.from_program(Scanner(small(), (2, 12)).program).explain()
    assert alone.layers is None
    assert str(alone).startswith("window")


def test_explain_says_that_a_plain_perceptron_has_nothing_to_share() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(24, 5), nn.ReLU(), nn.Linear(5, 2)).eval()
    text = str(Scanner(net, (2, 12)).explain())
    assert "reuse factor   1.0: nothing to share, because the first layer spans the whole window" in text


def test_where_sharing_ends_a_warning_names_layer_reason_and_cost() -> None:
    with pytest.warns(
        SharingEnds, match=r"sharing ends at 0 \(conv1d\): it pads inside the window.* reuse factor is 1\.0"
    ):
        Scanner(padded(), (1, 12))


def test_strict_refuses_where_sharing_ends() -> None:
    with pytest.raises(NotScannable, match=r"sharing ends at 0 \(conv1d\).*padding='extend'"):
        Scanner(padded(), (1, 12), strict=True)


def test_extended_padding_reads_the_neighbours_where_the_network_saw_zeros() -> None:
    net = padded()
    scanner = Scanner(net, (1, 12), padding="extend", strict=True)
    x = torch.randn(1, 40, dtype=torch.float64)
    with torch.no_grad():
        wide = net[1](net[0](x[None]))[0]  # the whole input, zeros only outside it
        expected = torch.stack([net[3](wide[:, i : i + 12].flatten()) for i in range(29)], 1)
    torch.testing.assert_close(scanner.scan(x), expected)
    explanation = scanner.explain()
    assert explanation.deviation is not None
    assert explanation.deviation > 0.05
    assert "another function than the network's" in str(explanation)


def test_extended_padding_of_an_unpadded_network_changes_nothing() -> None:
    x = torch.randn(2, 40, dtype=torch.float64)
    extended = Scanner(small(), (2, 12), padding="extend")
    assert torch.equal(extended.scan(x), Scanner(small(), (2, 12)).scan(x))
    assert extended.deviation() < 1e-12


class Refused(nn.Module):
    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function
        self.linear = nn.Linear(12, 4)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, x)  # type: ignore[operator, no-any-return]


def _count(net: Refused, x: torch.Tensor) -> torch.Tensor:
    net.calls += 1
    return net.linear(x.flatten(1))


def _twice_alone(net: Refused, x: torch.Tensor) -> torch.Tensor:
    return net.linear(x.flatten(1)) * (2 if x.shape[0] == 1 else 1)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (_twice_alone, "changes with the number of windows"),
        (lambda net, x: net.linear(x.flatten(1)) * x.shape[0], "changes with the number of windows"),
        (lambda net, x: net.linear(x.flatten(1)).amax(1, keepdim=True).squeeze(), "changes with the number of windows"),
        (lambda net, x: {1: net.linear(x.flatten(1))}, "names as keys"),
        (lambda net, x: net.linear(x.flatten(1) + torch.rand_like(x.flatten(1))), "draws random numbers"),
        (
            lambda net, x: net.linear(nn.functional.dropout(x.flatten(1), 0.5, training=True)),
            "draws random numbers",
        ),
        (
            lambda net, x: net.linear(x.flatten(1) - x.flatten(1).mean(0)),
            "with the others in the batch",
        ),
        (lambda net, x: net.linear(x.flatten(1)).mean(0), "one row per window"),
        (
            lambda net, x: net.linear(x.flatten(1) if x.sum() > 0 else -x.flatten(1)),
            "traceable by torch.export",
        ),
        (_count, "it changes calls"),
        (lambda net, x: [[net.linear(x.flatten(1))]], "return a tensor, or a tuple or dict"),
    ],
    ids=[
        "alone",
        "times batch",
        "squeeze",
        "keys",
        "noise",
        "dropout",
        "batch mean",
        "batch reduced",
        "control flow",
        "buffer",
        "nested",
    ],
)
def test_what_no_scan_can_equal_is_refused(function: object, text: str) -> None:
    with pytest.raises(NotScannable, match=text):
        Scanner(Refused(function).eval(), (1, 12))


def test_training_mode_is_refused_by_name() -> None:
    net = small()
    net[2].train()
    with pytest.raises(NotScannable, match=r"eval mode; 2 \(MaxPool1d\) is in training mode. Call module.eval\(\)"):
        Scanner(net, (2, 12))


def test_batch_statistics_are_refused_by_name() -> None:
    net = nn.Sequential(
        nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2, track_running_stats=False), nn.Flatten(), nn.Linear(20, 1)
    )
    with pytest.raises(NotScannable, match="1 normalises over the batch"):
        Scanner(net.eval(), (1, 12))


def test_weights_that_do_not_exist_yet_are_refused() -> None:
    with pytest.raises(NotScannable, match=r"1 \(LazyLinear\) has none yet"):
        Scanner(nn.Sequential(nn.Flatten(), nn.LazyLinear(3)).eval(), (2, 12))
    with pytest.raises(NotScannable, match=r"0 \(Linear\) has none yet"):
        Scanner(nn.Sequential(nn.Linear(12, 3, device="meta")).eval(), (2, 12))


def test_a_module_that_cannot_be_copied_is_refused() -> None:
    net = small()
    with (
        Path(__file__).open() as net.log,
        pytest.raises(ArgumentError, match=r"copy\.deepcopy can copy; got TypeError"),
    ):
        Scanner(net, (2, 12))


class Function(nn.Module):
    """A function of a convolution's output."""

    def __init__(self, function: object, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv1d(2, 4, 3, dtype=dtype)
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x, self.conv(x))  # type: ignore[operator, no-any-return]


def _through_dropout(x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    y = nn.functional.dropout(x, 0.5, training=False)
    y.relu_()
    return (x + y).amax(2)


def _through_einsum(x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    v = torch.einsum("bct->btc", h)
    v.relu_()
    return h.mean(2)


def _later_use(x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    y = h.relu_()
    return y.mean(2) + h.amax(2)


@pytest.mark.parametrize("function", [_through_dropout, _through_einsum, _later_use])
def test_changes_in_place_reach_every_name_of_the_tensor(function: object) -> None:
    scanner = Scanner(Function(function).eval(), (2, 9))
    x = -torch.rand(2, 30, dtype=torch.float64) - 1
    torch.testing.assert_close(scanner.scan(x), scanner.scan_windows(x))


@pytest.mark.parametrize(
    "function",
    [
        lambda x, h: h.mean(2).argmax(1),
        lambda x, h: h.amax(2) > 0,
        lambda x, h: h.mean(2).float(),
        lambda x, h: (h.amax(2), h.max(2).indices),
        lambda x, h: torch.fft.rfft(h, dim=2)[:, :, 1],
        lambda x, h: nn.functional.fold(nn.functional.unfold(h[:, :, None], (1, 3)), (1, 7), (1, 3)),
        lambda x, h: h.clamp(min=0, max=float("inf")).to(h.dtype).mean(2),
    ],
    ids=["whole numbers", "booleans", "float32", "two types", "complex", "fold", "infinite bound"],
)
def test_outputs_of_every_number_type_are_exact(function: object) -> None:
    net = Function(function).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SharingEnds)
        scanner = Scanner(net, (2, 9), hop=2)
    x = torch.randn(2, 30, dtype=torch.float64)
    for got, want in zip(
        *(out if isinstance(out, tuple) else (out,) for out in (scanner.scan(x), scanner.scan_windows(x))), strict=True
    ):
        assert got.dtype == want.dtype
        torch.testing.assert_close(got, want)


def test_where_a_maximum_lies_is_named_as_the_end_of_sharing() -> None:
    net = Function(lambda x, h: tuple(h.max(2))).eval()
    with pytest.raises(NotScannable, match="it returns where a maximum lies"):
        Scanner(net, (2, 9), strict=True)


def test_numbers_of_another_type_keep_it_where_sharing_has_ended() -> None:
    weights = torch.full((4, 2), 1 + 1e-12, dtype=torch.float64)
    net = Function(lambda x, h: h.mean(2).double() @ weights, torch.float32).eval()
    with pytest.warns(SharingEnds, match="it changes the number type"):
        scanner = Scanner(net, (2, 9))
    x = torch.randn(2, 30)
    assert scanner.scan(x).dtype == torch.float64
    torch.testing.assert_close(scanner.scan(x), scanner.scan_windows(x))


def test_numpy_integers_are_hops() -> None:
    assert Scanner(small(), (2, 12), np.int64(3)).hop == (3,)


def test_many_lengths_do_not_fill_the_memory() -> None:
    scanner = Scanner(small(), (2, 12), backend="torch")
    for length in range(12, 60):
        scanner.scan(torch.zeros(2, length))
    assert scanner.chosen.scan.evaluator.cache_info().currsize <= 16


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"window_shape": (12,)}, r"window_shape must be \(channels, \*window\)"),
        ({"window_shape": (2, 0)}, "positive sizes"),
        ({"window_shape": (1, 2, 2, 2, 2)}, "1 to 3 window axes"),
        ({"window_shape": (2, 99)}, r"accept windows of shape \(batch, 2, 99\)"),
        ({"hop": 0}, "hop must be a whole number of at least 1"),
        ({"hop": (1, 2)}, r"or one per axis \(1\)"),
        ({"hop": 1.5}, "hop must be a whole number .* got 1.5"),
        ({"hop": True}, "hop must be a whole number .* got True"),
        ({"window_shape": (2, 9.5)}, r"window_shape must be .* got \(2, 9.5\)"),
        ({"window_shape": 9}, "window_shape must be .* got 9"),
        ({"device": "cuda:99"}, "device must be one that torch can use here; got 'cuda:99'"),
        ({"padding": "same"}, "padding must be 'exact' or 'extend'; got 'same'"),
        ({"max_memory": "lots"}, "max_memory must be a positive amount of bytes; got 'lots'"),
        ({"module": len}, "module must be a torch.nn.Module; got builtin_function_or_method"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        Scanner(**{"module": small(), "window_shape": (2, 12), **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (torch.zeros(12), r"array \(channels, \*space\) or \(batch, channels, \*space\); got \(12,\)"),
        (torch.zeros(3, 40), r"x must have 2 channels; got 3 in shape \(3, 40\)"),
        ("a recording", "x must be a dense numpy array or torch tensor of real numbers; got str"),
        (torch.zeros(2, 40, dtype=torch.complex64), "real numbers; got an array of torch.complex64"),
        (np.array([["a"] * 40] * 2), "real numbers; got an array of <U1"),
        (torch.zeros(2, 40).to_sparse(), "dense numpy array"),
    ],
)
def test_wrong_inputs_are_named(x: object, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        Scanner(small(), (2, 12)).scan(x)  # type: ignore[arg-type]


@pytest.mark.parametrize("hop", [1, 40])
def test_a_memory_bound_too_small_for_one_window_is_refused(hop: int) -> None:
    scanner = Scanner(small(), (2, 12), hop, max_memory=100)
    with pytest.raises(ArgumentError, match="max_memory must hold the feature maps of one window"):
        scanner.scan(torch.zeros(2, 40))


def test_a_defect_in_the_rewriting_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from scanwise.errors import ScanwiseError
    from scanwise.program import _rewrite

    def broken(x: torch.Tensor) -> torch.Tensor:
        return x.amax(2)

    class Net(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return broken(x)

    monkeypatch.setitem(_rewrite.RULES, "amax", _rewrite.RULES["amin"])
    with pytest.raises(ScanwiseError, match="This is a defect of scanwise"):
        Scanner(Net().eval(), (2, 12))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_the_scan_runs_on_a_gpu() -> None:
    x = torch.randn(2, 15, 20, dtype=torch.float64)
    here, there = Scanner(small(2), (2, 8, 10)), Scanner(small(2), (2, 8, 10), device="cuda")
    torch.testing.assert_close(there.scan(x), here.scan(x))
    assert there.scan(x.cuda()).is_cuda
