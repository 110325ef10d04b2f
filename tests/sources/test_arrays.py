"""Arrays: what numpy wrote is read, what lies about itself is refused before memory is taken."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from scanwise.errors import DataError
from scanwise.sources import read_array, read_clips, read_input


def saved(path, array):
    np.save(path, array)
    return path


@pytest.mark.parametrize("dtype", ["f4", ">f8", "u1", "i8", "?", "U3"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
def test_what_numpy_saves_is_read_back(tmp_path, dtype, shape):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    array = np.asfortranarray(array) if array.ndim > 2 else array
    for path in (saved(tmp_path / "a.npy", array), tmp_path / "a.npz", tmp_path / "b.npz"):
        if path.name == "a.npz":
            np.savez(path, x=array)
        elif path.name == "b.npz":
            np.savez_compressed(path, x=array)
        read = read_array(path)
        assert read.dtype == array.dtype
        np.testing.assert_array_equal(read, array)


def header(shape, dtype="<f8", version=1, extra=b""):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + extra


def zipped(data, size=None):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", data)
    raw = stream.getvalue()
    if size is not None:  # both headers lie about the unpacked size
        raw = raw.replace(len(data).to_bytes(4, "little"), size.to_bytes(4, "little"))
    return raw


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def pickled():
    stream = io.BytesIO()
    np.save(stream, np.array([{}], dtype=object))
    return stream.getvalue()


BAD = [
    (b"", "the file is empty"),
    (b"not an array", "not a readable .npy or .npz file"),
    (b"\x93NUMPY\x01", "not a readable .npy or .npz file"),
    (b"\x93NUMPY\x01\x00\x50\x00{'descr'", "not a readable .npy or .npz file"),
    (
        header("(1000000, 4096)"),
        r"its header promises \(1000000, 4096\) float64, 32,768,000,000 bytes, but 0 follow",
    ),
    (header("(-1, 4)", extra=bytes(8)), "its header promises"),
    (header("(3,)", extra=bytes(23)), "24 bytes, but 23 follow"),
    (header("(2,)", version=3), "version .3, 0. of the .npy format"),
    (header("(1,)", "<c16", extra=bytes(16)), "holds complex128, neither real numbers nor strings"),
    (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b" " * 20_000, "not a readable .npy or .npz file"),
    (pickled(), "holds object, neither real numbers nor strings"),
    (npz(x=np.ones(2), y=np.ones(2)), r"must hold exactly one array; holds 2 \(x, y\)"),
    (npz(), r"must hold exactly one array; holds 0 \(none\)"),
    (npz(x=np.ones(200))[:-300], "not a readable .npy or .npz file"),
    (zipped(header("(4,)", extra=b"12345678" * 2)), "32 bytes, but 16 follow"),
    (zipped(bytes(777), size=2**32 - 2), "would unpack to 4,294,967,294, more than 100 times as many"),
    (npz(x=np.arange(200.0)).replace(np.float64(77).tobytes(), bytes(8)), "not a readable .npy or .npz file"),
]


@pytest.mark.parametrize(("data", "text"), BAD)
def test_what_cannot_be_read_is_refused_in_one_line_that_names_the_file(tmp_path, data, text):
    path = tmp_path / "bad.npz"
    path.write_bytes(data)
    with pytest.raises(DataError, match=text) as caught:
        read_array(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none.npy: no such file. Check the path"):
        read_array(tmp_path / "none.npy")


def test_an_input_is_channels_first_whatever_its_axes(tmp_path):
    for shape, axes, wanted in [
        ((5,), None, (1, 5)),
        ((2, 5), None, (2, 5)),
        ((2, 5, 6), None, (2, 5, 6)),
        ((5,), 1, (1, 5)),
        ((2, 5), 1, (2, 5)),
        ((5, 6), 2, (1, 5, 6)),
        ((3, 5, 6), 2, (3, 5, 6)),
    ]:
        signal = read_input(saved(tmp_path / "a.npy", np.ones(shape, dtype=np.uint8)), axes=axes)
        assert (signal.x.shape, signal.x.dtype, signal.rate_hz) == (wanted, np.float32, None)


@pytest.mark.parametrize(
    ("array", "axes", "text"),
    [
        (np.ones((2, 5, 6)), 1, r"a recording must be \(samples,\) or \(channels, samples\); has shape \(2, 5, 6\)"),
        (np.ones((2, 0)), 1, "holds no samples"),
        (np.array(["a"]), 1, "holds <U1, not numbers"),
        (np.ones((1, 2, 5, 6)), None, "with one or two axes of space"),
        (np.ones(5), 2, "with 2 axes of space"),
        (np.ones(()), None, "with one or two axes of space"),
        (np.ones((2, 0)), None, r"holds no values, shape \(2, 0\)"),
        (np.array(["a"]), None, "holds <U1, not numbers"),
        (
            np.array([1, np.nan, np.inf]),
            None,
            r"2 of 3 values are NaN or infinite \(as float32\), the first at \[0, 1\]",
        ),
        (np.array([1e300]), None, "1 of 1 values are NaN or infinite"),
    ],
)
def test_an_array_that_is_no_input_is_refused(tmp_path, array, axes, text):
    with pytest.raises(DataError, match=text):
        read_input(saved(tmp_path / "a.npy", array), axes=axes)


def test_an_input_of_an_unknown_kind_is_refused(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    with pytest.raises(DataError, match=r"files of kind '.mp4' are not read. Convert it to one of .png .*.wav .*.npz"):
        read_input(tmp_path / "a.mp4")
    with pytest.raises(DataError, match="no such file"):
        read_input(tmp_path / "b.mp4")


def clips(tmp_path, **arrays):
    np.savez(tmp_path / "clips.npz", **arrays)
    return read_clips(tmp_path / "clips.npz")


@pytest.mark.parametrize(
    ("y", "indices", "classes"),
    [
        (["dog", "ant", "dog"], [1, 0, 1], ("ant", "dog")),
        ([b"dog", b"ant", b"dog"], [1, 0, 1], ("ant", "dog")),
        ([10, 9, 10], [1, 0, 1], ("9", "10")),
        ([True, False, True], [1, 0, 1], ("0", "1")),
    ],
)
def test_strings_integers_and_booleans_are_classes_in_the_order_of_their_values(tmp_path, y, indices, classes):
    found = clips(tmp_path, x=np.ones((3, 2, 8)), y=np.array(y))
    assert found.classes == classes
    assert (found.y.tolist(), found.y.dtype) == (indices, np.int64)
    assert found.names == ("clips.npz[0]", "clips.npz[1]", "clips.npz[2]")
    assert (len(found), found.channels, found.failed) == (3, 2, ())


@pytest.mark.parametrize("shape", [(3,), (3, 2)])
def test_floats_are_targets(tmp_path, shape):
    y = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    found = clips(tmp_path, x=np.ones((3, 2, 8, 9)), y=y)
    assert found.classes is None
    assert found.y.dtype == np.float64
    np.testing.assert_array_equal(found.y, y)


def test_clips_without_a_channel_axis_get_one(tmp_path):
    found = clips(tmp_path, x=np.arange(6).reshape(3, 2), y=np.arange(3))
    assert found.x.shape == (3, 1, 2)
    assert found.x.dtype == np.float32


X, Y = np.ones((3, 1, 8)), np.arange(3)


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"x": X}, r"holds no array named y. Save it with numpy.savez"),
        ({"y": Y}, "holds no array named x"),
        ({"x": X, "y": np.arange(4)}, r"x holds 3 clips, but y has shape \(4,\)"),
        ({"x": X, "y": np.array(3)}, r"y has shape \(\)"),
        ({"x": X, "y": np.ones((3, 2), dtype=int)}, r"labels y must be \(clips,\); got \(3, 2\)"),
        ({"x": X, "y": np.ones((3, 2, 2))}, r"targets y must be \(clips,\) or \(clips, outputs\)"),
        ({"x": X, "y": np.array([1, np.nan, 2])}, r"y holds NaN or infinity \(as float32\). Leave"),
        ({"x": X, "y": np.array([1, 1e300, 2])}, "y holds NaN or infinity"),
        (
            {"x": np.ones(3), "y": Y},
            r"x must be \(clips, length\) or \(clips, channels, \*space\).*got \(3,\)",
        ),
        ({"x": np.ones((3, 1, 2, 2, 2)), "y": Y}, "x must be"),
        ({"x": np.ones((0, 1, 8)), "y": Y[:0]}, "x is empty"),
        ({"x": np.array(["a", "b", "c"]), "y": Y}, "x holds <U1, not numbers"),
        ({"x": X, "y": np.array([b"\xff", b"a", b"b"])}, r"names in y are not UTF-8 .* Save them as text"),
        ({"x": np.where(X, np.inf, X), "y": Y}, "24 of 24 values are NaN or infinite"),
    ],
)
def test_examples_that_do_not_fit_are_refused(tmp_path, arrays, text):
    with pytest.raises(DataError, match=text):
        clips(tmp_path, **arrays)


def test_a_file_that_holds_no_clips_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(
        DataError, match=r"neither a folder nor a .csv or .npz file. Give a folder of images or recordings"
    ):
        read_clips(tmp_path / "a.txt")
    with pytest.raises(DataError, match="no such file"):
        read_clips(tmp_path / "nowhere")
