"""The model folder: what is saved comes back, and nothing damaged is taken for a model."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import scanwise as sw
from scanwise.errors import ModelError, OutputExists

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def folder(model: sw.Model, tmp_path: Path) -> Path:
    model.save(tmp_path / "model")
    return tmp_path / "model"


def edit(folder: Path, change: Change) -> None:
    """Change ``model.json``."""
    path = folder / "model.json"
    layout = json.loads(path.read_text())
    change(layout)
    path.write_text(json.dumps(layout))


def test_a_saved_model_comes_back_equal(model: sw.Model, folder: Path, canvas: np.ndarray) -> None:
    loaded = sw.load(folder)
    assert loaded.info == model.info
    assert loaded.history == model.history
    assert not loaded.net.training
    np.testing.assert_array_equal(loaded.scanner().scan(canvas), model.scanner().scan(canvas))


def test_the_folder_holds_four_files_of_data(folder: Path) -> None:
    assert sorted(file.name for file in folder.iterdir()) == [
        "README.md", "log.jsonl", "model.json", "weights.safetensors",
    ]  # fmt: skip
    assert json.loads((folder / "model.json").read_text())["schema"] == 1
    card = (folder / "README.md").read_text()
    assert "12 x 12 pixels" in card
    assert "| ring |" in card
    assert "On 12 held-out examples: accuracy 100.00%." in card


def test_saving_again_needs_permission_and_then_replaces(model: sw.Model, folder: Path) -> None:
    with pytest.raises(OutputExists, match="exists already"):
        model.save(folder)
    model.save(folder, overwrite=True)
    assert sw.load(folder).info == model.info


def test_a_folder_that_is_no_model_is_never_replaced(model: sw.Model, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputExists, match=r"holds no model\.json"):
        model.save(tmp_path, overwrite=True)
    assert (tmp_path / "thesis.tex").exists()


def test_a_failed_save_leaves_the_old_model(model: sw.Model, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (folder / "weights.safetensors").read_bytes()

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(sw.DataError, match="No space left"):
        model.save(folder, overwrite=True)
    monkeypatch.undo()
    assert (folder / "weights.safetensors").read_bytes() == before
    assert [entry.name for entry in folder.parent.iterdir()] == ["model"]


def test_a_model_without_its_log_or_card_is_a_model(folder: Path) -> None:
    (folder / "log.jsonl").unlink()
    (folder / "README.md").unlink()
    assert sw.load(folder).history == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda layout: layout.update(schema=2), r"schema must be 1; got 2\. Update Scanwise: a newer one"),
        (lambda layout: layout.update(schema=0), r"schema must be 1; got 0\. Restore the file from a copy\."),
        (lambda layout: layout.update(hop=[2**31, 1]), "hop must have one step from 1 to 2147483647"),
        (lambda layout: layout.update(schema="1"), r"schema must be a whole number of at least 0; got '1'"),
        (lambda layout: layout.pop("schema"), "lacks schema"),
        (lambda layout: layout.pop("hop"), r"lacks hop\. Restore the file from a copy, or train again\."),
        (lambda layout: layout.update(run="rm"), "has unknown fields: run"),
        (lambda layout: layout.update(architecture="os.system"), "model must be one of convnet, mlp"),
        (lambda layout: layout.update(architecture=3), "architecture must be text; got 3"),
        (lambda layout: layout["arguments"].update(code="x"), "convnet takes no 'code'"),
        (lambda layout: layout["arguments"].update(hidden=[2**40]), "parameters"),
        (lambda layout: layout["arguments"].update(hidden=[17]), "must be torch.float32 "),
        (lambda layout: layout.update(arguments=[]), "arguments must be a JSON object; got list"),
        (lambda layout: layout.update(task="regress"), "task must be classify"),
        (lambda layout: layout.update(channels=2), "arguments must agree with channels, window and features"),
        (lambda layout: layout.update(window=[12, 13]), "arguments must agree with channels, window and features"),
        (lambda layout: layout.update(window=[]), "window must have one or two axes"),
        (lambda layout: layout.update(window="12"), "window must be a list; got '12'"),
        (lambda layout: layout.update(hop=[1]), "hop must have one step from 1 to 2147483647"),
        (lambda layout: layout.update(hop=[0, 1]), "hop must have one step from 1 to 2147483647"),
        (lambda layout: layout.update(hop=[True, 1]), "hop must be a whole number of at least 0; got True"),
        (lambda layout: layout.update(classes=["a", "a", "b"]), "classes must be distinct, one per output"),
        (lambda layout: layout.update(classes=["a", "b"]), "classes must be distinct, one per output"),
        (lambda layout: layout.update(background=["sea"]), "background must be among the classes"),
        (
            lambda layout: layout.update(background_labelled=0),
            "background_labelled must be true or false; got 0",
        ),
        (lambda layout: layout.update(mean=[]), "mean and std must have one number per channel"),
        (lambda layout: layout.update(std=[0]), "std must be above 0"),
        (lambda layout: layout.update(std=[10**400]), "std must be a finite number"),
        (lambda layout: layout.update(thresholds=[0.5]), "thresholds must be one per class"),
        (lambda layout: layout.update(thresholds=None), "thresholds must be one per class"),
        (lambda layout: layout.update(sample_rate_hz=-1), "sample_rate_hz must be above 0"),
        (lambda layout: layout.update(versions={"torch": 2}), "versions must be text; got 2"),
        (lambda layout: layout.update(weights_sha256="00"), "must have the checksum that model.json names"),
    ],
)
def test_wrong_descriptions_are_refused_in_one_line(folder: Path, change: Change, message: str) -> None:
    edit(folder, change)
    with pytest.raises(ModelError, match=message) as caught:
        sw.load(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is not valid JSON"),
        (b"{", "is not valid JSON"),
        (b"[]", "must be a JSON object; got list"),
        (b'{"schema": NaN}', "NaN is no JSON number"),
        (b'{"schema": 1, "schema": 1}', "a key is repeated"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"\xff\xfe\x00", "cannot be read as text"),
    ],
)
def test_what_is_no_description_is_refused(folder: Path, text: bytes, message: str) -> None:
    (folder / "model.json").write_bytes(text)
    with pytest.raises(ModelError, match=message):
        sw.load(folder)


def test_a_huge_description_is_not_read(folder: Path) -> None:
    with (folder / "model.json").open("wb") as file:
        file.truncate(2**27)
    with pytest.raises(ModelError, match="must be at most 67,108,864 bytes; got more"):
        sw.load(folder)


def test_every_cut_of_the_weights_is_refused(folder: Path) -> None:
    path = folder / "weights.safetensors"
    whole = path.read_bytes()
    for length in {0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1}:
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"weights\.safetensors: cannot be read as safetensors"):
            sw.load(folder)


def test_one_changed_bit_of_the_weights_is_noticed(folder: Path) -> None:
    path = folder / "weights.safetensors"
    damaged = bytearray(path.read_bytes())
    damaged[-3] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ModelError, match=r"must have the checksum .* Restore the folder from a copy"):
        sw.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("head.bias"), r"head\.bias must be torch\.float32 \(3,\); got nothing"),
        (
            lambda tensors: tensors.update(extra=torch.zeros(1)),
            r"extra must be nothing; got torch\.float32 \(1,\)",
        ),
        (
            lambda tensors: tensors.update({"head.bias": torch.zeros(3, dtype=torch.float64)}),
            r"head\.bias must be torch\.float32 \(3,\); got torch\.float64 \(3,\)",
        ),
        (
            lambda tensors: tensors.update({"head.bias": torch.zeros(4)}),
            r"head\.bias must be torch\.float32 \(3,\); got torch\.float32 \(4,\)",
        ),
        (lambda tensors: tensors.update(extra=torch.zeros(2**20)), "must hold .* bytes of weights; got more"),
    ],
)
def test_tensors_of_another_network_are_refused(folder: Path, change: Change, message: str) -> None:
    path = folder / "weights.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    with pytest.raises(ModelError, match=message):
        sw.load(folder)


def test_missing_weights_are_refused(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()
    with pytest.raises(ModelError, match=r"weights\.safetensors: cannot be read"):
        sw.load(folder)


def test_a_pickle_in_place_of_weights_is_never_opened(folder: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    torch.save({"head.bias": Bomb()}, folder / "weights.safetensors")
    with pytest.raises(ModelError, match="cannot be read as safetensors"):
        sw.load(folder)
    assert not (tmp_path / "exploded").exists()


def test_what_is_no_model_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ModelError, match=r"must be a model folder; it holds no model\.json\. Check the path"):
            sw.load(path)


def test_a_damaged_log_is_refused_with_the_remedy(folder: Path) -> None:
    (folder / "log.jsonl").write_text("epoch 1\n")
    with pytest.raises(ModelError, match=r"log\.jsonl: is not valid JSON .* Remove it: the model works without"):
        sw.load(folder)


def test_class_names_cannot_write_into_the_card(shapes: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    x, y = shapes
    evil = np.where(y == "ring", "ring", "<b>|\n# cross")
    sw.train((x, evil), "mlp", hidden=[2], epochs=1, validation=0.2).save(tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text()
    assert "<b>" not in card
    assert "\n# cross" not in card


def test_the_folder_is_readable_by_others_as_any_folder_is(folder: Path) -> None:
    (folder.parent / "plain").mkdir()
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE((folder.parent / "plain").stat().st_mode)


def test_a_folder_that_may_not_be_opened_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(ModelError, match=r"model: cannot be opened \(Permission denied\). Check its permissions"):
        sw.load(folder)


def test_names_of_classes_are_inert_on_the_card_and_need_not_be_unicode(
    shapes: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    names = np.where(shapes[1] == "ring", "<b>|#", "odd\udcff")
    sw.train((shapes[0], names), "mlp", hidden=[8], epochs=1).save(tmp_path / "model")
    assert "| &#60;b&#62;&#124;&#35; | 0." in (tmp_path / "model" / "README.md").read_text()
    assert sw.load(tmp_path / "model").info.classes == ("<b>|#", "odd\udcff", "background")
