from __future__ import annotations

import builtins
import pickle
import subprocess
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest

from semseg_export import checkpoint
from semseg_export.errors import WeightsError


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
    with pytest.raises(WeightsError, match=r"misses slices of its large parameters \('weight@@\.1'\)"):
        checkpoint.read(file)


class Call:
    """Pickled, it is a call of `function`."""

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


def test_what_is_no_checkpoint_is_said(layer: paddle.nn.Layer, tmp_path: Path) -> None:
    file = tmp_path / "model.pdparams"
    paddle.save(layer.state_dict(), str(file))
    whole = file.read_bytes()
    for content in (b"", b"<html>not found</html>", whole[: len(whole) // 2]):
        file.write_bytes(content)
        with pytest.raises(WeightsError, match=r"not a whole \.pdparams of Paddle"):
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
    assert "1 misshapen: c [3] (not [3, 3])" in told
    checkpoint.check(wanted, wanted, "SegFormer-B0")
