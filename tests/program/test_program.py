"""Programs: what a network becomes, its fields and costs, and its life on disk."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch
from hypothesis import given
from nets import Drawn, networks
from safetensors.torch import save_file
from torch import nn

from scanwise.errors import ModelError, SharingEnds
from scanwise.geometry import Field
from scanwise.program import KINDS, load_program, receptive_field, rewrite, save_program
from scanwise.run import Scanner


def test_strides_and_jumps_have_vanished_into_tap_steps() -> None:
    net = nn.Sequential(nn.Conv1d(1, 2, 3, stride=2), nn.MaxPool1d(2), nn.Conv1d(2, 3, 2, dilation=3), nn.Flatten())
    program = rewrite(net.eval(), (1, 33))
    assert [node.kind for node in program.nodes] == ["input", "conv", "pool", "conv", "gather", "take"]
    assert [node.attrs.get("step") for node in program.nodes[1:4]] == [[1], [2], [12]]
    assert program.jump == (4,)


def test_flatten_and_linear_become_one_convolution_over_the_remaining_positions() -> None:
    program = rewrite(nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(3 * 4, 5)).eval(), (1, 6, 8))
    last = program.nodes[-1]
    assert (last.kind, last.attrs["kernel"], last.attrs["step"]) == ("conv", [3, 4], [2, 2])
    assert last.channels == 5


def test_batch_norm_is_folded_into_the_convolution_before_it_in_float64() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4)).eval()
    norm = net[1]
    norm.running_var.uniform_(0.5, 2)
    norm.running_mean.normal_()
    program = rewrite(net, (2, 3))
    assert [node.kind for node in program.nodes] == ["input", "conv"]
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    expected = (net[0].weight.double() * scale[:, None, None]).float()
    torch.testing.assert_close(program.nodes[1].params["weight"], expected, rtol=1e-7, atol=0)


def test_a_convolution_that_others_read_too_keeps_its_weights() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.conv(x)
            return (self.norm(y) + y).flatten(1)

    program = rewrite(Both().eval(), (1, 3))
    assert [node.kind for node in program.nodes] == ["input", "conv", "affine", "binary"]


def test_dropout_and_identity_are_gone() -> None:
    program = rewrite(nn.Sequential(nn.Dropout(), nn.Identity(), nn.Flatten(), nn.Linear(6, 1)).eval(), (2, 3))
    assert [node.kind for node in program.nodes] == ["input", "conv"]


@given(networks())
def test_a_program_survives_its_file(drawn: Drawn) -> None:
    import tempfile

    net = drawn.build(torch.float64)
    program = rewrite(net, drawn.window_shape)
    with tempfile.TemporaryDirectory() as folder:
        save_program(program, Path(folder) / "net.safetensors")
        again = load_program(Path(folder) / "net.safetensors")
    assert {node.kind for node in again.nodes} <= KINDS
    x = drawn.values(tuple(w + 3 for w in drawn.window_shape[1:]), torch.float64)
    assert torch.equal(Scanner.from_program(again).scan(x), Scanner.from_program(program).scan(x))


def test_settings_that_json_cannot_write_survive_the_file(tmp_path: Path) -> None:
    class Clamped(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.clamp(min=0.5, max=float("inf")).nan_to_num(posinf=float("inf")).flatten(1)

    save_program(rewrite(Clamped().eval(), (1, 4)), tmp_path / "net")
    again = load_program(tmp_path / "net")
    x = torch.tensor([[-1.0, 0.7, float("inf"), 2.0]])
    assert Scanner.from_program(again).scan(x).flatten().tolist() == [0.5, 0.699999988079071, float("inf"), 2.0]


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.lstm = nn.Conv1d(1, 3, 3), nn.LSTM(3, 4, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(self.conv(x).transpose(1, 2))[0][:, -1]


def test_a_program_whose_sharing_ends_survives_its_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Recurrent().double().eval()
    with pytest.warns(SharingEnds, match="lstm"):
        scanner = Scanner(net, (1, 9), hop=2)
    save_program(scanner.program, tmp_path / "net.safetensors")
    again = Scanner.from_program(load_program(tmp_path / "net.safetensors"), hop=2)
    x = torch.randn(2, 1, 40, dtype=torch.float64)
    torch.testing.assert_close(again.scan(x), scanner.scan_windows(x))
    assert [str(end) for end in again.program.ends] == [str(end) for end in scanner.program.ends]


def test_the_work_of_a_recurrent_layer_is_counted() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = rewrite(Recurrent().eval(), (1, 9))
    assert program.window_macs() == 7 * 9 + 7 * 4 * 4 * (3 + 4)


def _program_file(path: Path) -> Path:
    save_program(rewrite(nn.Sequential(nn.Flatten(), nn.Linear(4, 1)).eval(), (1, 4)), path)
    return path


def _header(path: Path, change: object) -> None:
    from safetensors import safe_open

    with safe_open(str(path), "pt") as file:
        header = json.loads(file.metadata()["scanwise-program"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    change(header)  # type: ignore[operator]
    save_file(tensors, str(path), {"scanwise-program": json.dumps(header)})


def test_a_missing_damaged_or_foreign_program_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="must be a program file"):
        load_program(tmp_path / "nothing")
    path = _program_file(tmp_path / "net")
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ModelError, match="must be a program file"):
        load_program(path)
    save_file({"a": torch.zeros(1)}, str(path))
    with pytest.raises(ModelError, match="must be a program file"):
        load_program(path)


def test_a_newer_program_file_is_refused(tmp_path: Path) -> None:
    path = _program_file(tmp_path / "net")
    _header(path, lambda header: header.update(version=99))
    with pytest.raises(ModelError, match=r"version 1 or older; got 99\. Update scanwise"):
        load_program(path)


def test_a_program_file_cannot_call_what_it_likes(tmp_path: Path) -> None:
    path = _program_file(tmp_path / "net")
    _header(path, lambda header: header["nodes"][1].update(kind="exec"))
    with pytest.raises(ModelError, match="node 1 is not one of a program"):
        load_program(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save_program(rewrite(Recurrent().eval(), (1, 9)), path)

    def spoil(header: dict[str, list[dict[str, dict[str, dict[str, list[dict[str, str]]]]]]]) -> None:
        (window,) = [node for node in header["nodes"] if node["kind"] == "window"]
        window["attrs"]["residue"]["calls"][0]["op"] = "aten.from_file.default"

    _header(path, spoil)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"pure ATen operators; got 'aten\.from_file\.default'"):
        Scanner.from_program(load_program(path)).scan(torch.zeros(1, 20))


def vgg16() -> nn.Module:
    layers: list[nn.Module] = []
    channels = 1
    for width, times in ((2, 2), (2, 2), (2, 3), (2, 3), (2, 3)):
        for _ in range(times):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers).eval()


def test_the_field_of_vgg16_is_the_published_one() -> None:
    """212 pixels at jump 32, Araujo et al. (Distill 2019), table of networks; its padding reaches 90 pixels out."""
    last = list(receptive_field(vgg16(), (1, 64, 64)))[-1]
    assert last.fields == (Field(212, 32, -90), Field(212, 32, -90))


def test_the_field_of_a_dilated_stack_is_the_arithmetic_one() -> None:
    """Kernel 8, dilations 1, 2, 4, 8, two convolutions a block, three stacks: 631 samples."""
    layers = [nn.Conv1d(1, 1, 8, dilation=d) for _ in range(3) for d in (1, 2, 4, 8) for _ in range(2)]
    last = list(receptive_field(nn.Sequential(*layers).eval(), (1, 700)))[-1]
    assert last.fields == (Field(631, 1, 0),)


def test_the_table_names_layers_costs_and_where_the_field_is_unknown() -> None:
    table = receptive_field(Recurrent().eval(), (1, 9))
    assert [(row.path, row.op, row.shape) for row in table] == [("conv", "Conv1d", (3, 7)), ("lstm", "LSTM", (7, 4))]
    assert table[0].fields == (Field(3, 1, 0),)  # type: ignore[union-attr]
    assert table[1].fields is None  # type: ignore[union-attr]
    assert "whole window at most" in str(table)
    assert str(table).splitlines()[0].split() == [
        "layer", "operation", "output", "receptive", "field", "jump", "start", "parameters", "MACs",
    ]  # fmt: skip
