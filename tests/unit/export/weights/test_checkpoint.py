from __future__ import annotations

import builtins
import pickle
import struct
import subprocess
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest

from semseg_export.errors import UnpackError, WeightsError
from semseg_export.weights import checkpoint


@pytest.fixture
def layer() -> paddle.nn.Layer:
    paddle.seed(0)
    return paddle.nn.Sequential(paddle.nn.Conv2D(3, 4, 3), paddle.nn.BatchNorm2D(4))


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_what_paddle_saves_is_read(layer: paddle.nn.Layer, tmp_path: Path, protocol: int) -> None:
    file = tmp_path / "model.pdparams"
    paddle.save(layer.state_dict(), str(file), protocol=protocol)
    values = checkpoint.read(file)
    assert list(values) == list(layer.state_dict())
    for name, tensor in layer.state_dict().items():
        assert (values[name] == tensor.numpy()).all()


def test_tensors_with_their_names_are_read(layer: paddle.nn.Layer, tmp_path: Path) -> None:
    file = tmp_path / "model.pdparams"
    content = OrderedDict((name, (f"{name}_0", tensor.numpy())) for name, tensor in layer.state_dict().items())
    file.write_bytes(pickle.dumps(content, 4))
    assert list(checkpoint.read(file)) == list(content)


def test_indices_are_read_and_other_whole_numbers_are_not(tmp_path: Path) -> None:
    file = tmp_path / "model.pdparams"
    file.write_bytes(pickle.dumps({"relative_position_index": np.arange(169)}, 4))
    assert (checkpoint.read(file)["relative_position_index"] == np.arange(169)).all()
    file.write_bytes(pickle.dumps({"weight": np.zeros(3, np.int8)}, 4))
    with pytest.raises(WeightsError, match="holds int8 under weight, not an array of floats"):
        checkpoint.read(file)


def test_sliced_parameters_are_put_together(tmp_path: Path) -> None:
    whole = np.arange(12, dtype=np.float32).reshape(3, 4)
    flat = whole.ravel()
    how = {"weight": {"OriginShape": (3, 4), "slices": ["weight@@.0", "weight@@.1"]}}
    content = {"weight@@.0": flat[:7], "weight@@.1": flat[7:], checkpoint.SLICED: how}
    file = tmp_path / "model.pdparams"
    file.write_bytes(pickle.dumps(content, 2))
    assert (checkpoint.read(file)["weight"] == whole).all()
    del content["weight@@.1"]
    file.write_bytes(pickle.dumps(content, 2))
    with pytest.raises(WeightsError, match=r"lacks slices of its large parameters \('weight@@\.1'\)"):
        checkpoint.read(file)


class Call:
    """An object whose pickle calls `function`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    ("function", "told"),
    [
        (builtins.eval, r"builtins\.eval"),
        (subprocess.Popen, r"\w+\.Popen"),
        (np.load, r"numpy.*\.load"),
        (getattr, r"builtins\.getattr"),
    ],
)
def test_code_is_refused_by_name_and_does_not_run(tmp_path: Path, protocol: int, function: Any, told: str) -> None:
    trap = tmp_path / "trap"
    file = tmp_path / "model.pdparams"
    calls = {
        builtins.eval: (f"open({str(trap)!r}, 'w')",),
        subprocess.Popen: (["touch", str(trap)],),
        np.load: (str(trap),),
        getattr: ("", "join"),
    }
    file.write_bytes(pickle.dumps({"weight": Call(function, *calls[function])}, protocol))
    with pytest.raises(WeightsError, match=rf"model\.pdparams was refused: it wants to run {told}, .*do not trust it"):
        checkpoint.read(file)
    assert not trap.exists()


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def text(content: str) -> bytes:
    return b"X" + struct.pack("<I", len(content.encode())) + content.encode()


def kind(code: str, state: bytes = b"") -> bytes:
    return named("numpy", "dtype") + text(code) + b"K\x00K\x01\x87R" + state


def under_a_name(value: bytes) -> bytes:
    return b"\x80\x04}" + text("weight") + value + b"s."


def state_of(values: Any, *state: Any) -> bytes:
    """A pickle of an array whose state is replaced with `state`."""

    class Forged:
        def __reduce__(self) -> Any:
            return (*values.__reduce__()[:2], state)

    return pickle.dumps({"weight": Forged()}, 4)


CORE = np.zeros(1).__reduce__()[0].__module__
FORGED = b"(J\x03\x00\x00\x00" + text("|") + b"N" + text("a") + b"\x85}J\x00\x00\x00\x40K\x01K\x10tb"  # an itemsize of 1 GiB
POINTERS = named("numpy", "ndarray") + b"(K\x01\x85" + kind("O") + b"C\x08abcdefghtR"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"(" + text("id") + b"ios\nsystem\n.", id="INST"),
        pytest.param(b"(" + named("os", "system") + text("id") + b"o.", id="OBJ"),
        pytest.param(b"\x80\x02" + named("subprocess", "Popen") + b"(" + text("id") + b"t\x81.", id="NEWOBJ"),
        pytest.param(b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", id="attribute of an allowed name"),
        pytest.param(b"\x80\x02" + named("\x1b[2J", "x") + b".", id="name that a terminal obeys"),
        pytest.param(b"\x80\x02\x82\x01.", id="EXT"),
        pytest.param(b"\x80\x02Pfile\n.", id="persistent id"),
        pytest.param(b"\x80\x05\x97.", id="buffer from outside"),
        pytest.param(under_a_name(POINTERS), id="objects over bytes"),
        pytest.param(b"\x80\x04" + named("builtins", "tuple") + POINTERS + b"\x85R.", id="objects over bytes, used"),
        pytest.param(
            under_a_name(named("numpy", "ndarray") + b"(K\x01\x85" + text("f4") + b"C\x08abcdefghJ\xf0\xff\xff\xfftR"),
            id="bytes before a buffer",
        ),
        pytest.param(under_a_name(kind("V8", FORGED)), id="fields beyond the item"),
        pytest.param(under_a_name(kind("f4", FORGED)), id="state of a dtype"),
        pytest.param(under_a_name(named(CORE, "scalar") + kind("O") + b"\x85R"), id="scalar of nothing"),
        pytest.param(under_a_name(named("_codecs", "encode") + text("a") + text("zlib_codec") + b"\x86R"), id="another codec"),
        pytest.param(
            under_a_name(named(CORE, "_reconstruct") + named("numpy", "ndarray") + b"\x8a\x06\0\0\0\0\0\x01\x85C\x01b\x87R"),
            id="array of a terabyte",
        ),
        pytest.param(b"\x80\x02K\x01r\xff\xff\xff\x7f.", id="memo of 32 GB"),
        pytest.param(b"\x80\x04\x8e" + struct.pack("<Q", 1 << 50) + b"abc.", id="bytes that are not there"),
        pytest.param(b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b".", id="frame that is not there"),
        pytest.param(b"\x80\x02})" + b"\x85" * 200_000 + b"K\x01s.", id="key as deep as the stack"),
        pytest.param(b"\x80\x02(K\x01" + b"2" * 600_000 + b"t.", id="steps without end"),
        pytest.param(b"I" + b"9" * 100_000 + b"\n.", id="number of many digits"),
        pytest.param(state_of(np.zeros(1, np.float32), 1, (1_000_000,), np.dtype("f4"), False, b"abcd"), id="too few bytes"),
        pytest.param(state_of(np.zeros(1, np.float32), 1, (1,), np.dtype("f4"), False, b"abcdefgh"), id="too many bytes"),
        pytest.param(state_of(np.zeros(1, np.float32), 1, (-1,), np.dtype("f4"), False, b"abcd"), id="negative side"),
        pytest.param(state_of(np.zeros(1, np.float32), 1, (2,), np.dtype("O"), False, [1, 2]), id="objects"),
        pytest.param(pickle.dumps({1: np.zeros(1, np.float32)}, 4), id="number for a name"),
        pytest.param(pickle.dumps({"\x1b[2J": np.zeros(1, np.float32)}, 4), id="control characters in a name"),
        pytest.param(pickle.dumps(dict.fromkeys(map(str, range(99)), np.zeros(1000, np.float16)), 4), id="one array, many names"),
        pytest.param(
            b"\x80\x02" + named("collections", "OrderedDict") + b")R}" + text("items") + b"K\x01sb.", id="own attributes"
        ),
    ],
)
def test_hostile_weights_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.pdparams"
    file.write_bytes(content)
    with pytest.raises(UnpackError) as refusal:
        checkpoint.read(file)
    told = str(refusal.value)
    assert told.isprintable()
    assert len(told) < 500


def test_what_is_no_checkpoint_is_said(layer: paddle.nn.Layer, tmp_path: Path) -> None:
    file = tmp_path / "model.pdparams"
    paddle.save(layer.state_dict(), str(file))
    whole = file.read_bytes()
    for content in (b"", b"<html>not found</html>", whole[: len(whole) // 2]):
        file.write_bytes(content)
        with pytest.raises(WeightsError, match=r"not a complete \.pdparams file from Paddle"):
            checkpoint.read(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.pkl", b"")
    with pytest.raises(WeightsError, match="as PyTorch saves weights"):
        checkpoint.read(file)
    file.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(WeightsError, match="holds a list, not parameters by name"):
        checkpoint.read(file)
    file.write_bytes(pickle.dumps({"epoch": 3}))
    with pytest.raises(WeightsError, match="holds int under epoch, not an array of floats"):
        checkpoint.read(file)


def test_the_missing_the_unexpected_and_the_misshapen_are_named() -> None:
    wanted = {"a": [1], "b": [2], "c": [3, 3], **{f"d{index}": [1] for index in range(9)}}
    with pytest.raises(WeightsError) as failure:
        checkpoint.check({"a": [1], "c": [3], "x": [4]}, wanted, "SegFormer-B0")
    told = str(failure.value)
    assert "10 missing: b, d0, d1, …" in told
    assert "1 unexpected: x;" in told
    assert "1 with the wrong shape: c [3] (not [3, 3])" in told
    checkpoint.check(wanted, wanted, "SegFormer-B0")
