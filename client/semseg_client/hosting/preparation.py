"""Makes a model ready to be served from a repository: exports it if needed, and puts it on its device."""

from __future__ import annotations

import subprocess
from pathlib import Path

from semseg_contract.official import OFFICIAL

from ..device import Device
from ..errors import ServingError
from ..types import NameOrFolder
from . import weights_folder
from .exporter import run_exporter, tell
from .placement import place
from .repository import check_exported, is_there
from .supervision.triton_process import program

_PROVIDERS = "import onnxruntime; print(*onnxruntime.get_available_providers())"


def prepared(
    model: str | Path | NameOrFolder, repository: Path, architecture: str | None = None, device: Device | None = None
) -> str:
    """The name of `model` in `repository`, where it is ready to be served on `device` (None: where it is now).

    One of PaddleX's networks that is not there yet is fetched and exported. So is a folder of weights, again after each change;
    `architecture` is PaddleX's name of its network, which trained weights (.pdparams) need.

    Raises:
        DeviceError: the installed ONNX Runtime cannot run networks on `device`.
        ServingError: there is no such model, it could not be exported, or its configuration cannot be read.
    """
    provider = None if device is None else device.provider(_execution_providers(device))  # before an export takes minutes
    if isinstance(model, NameOrFolder):
        model = _chosen(model, repository)
    if isinstance(model, Path):
        name = weights_folder.exported(model.expanduser(), architecture, repository)
    else:
        name = _exported(model, repository)
    if device is not None and provider is not None:
        place(repository, name, device, provider)
    return name


def _exported(name: str, repository: Path) -> str:
    if name in OFFICIAL and not is_there(repository, name):
        whole = repository.resolve()
        try:
            run_exporter(name, [name], whole, lambda: is_there(whole, name))
        except OSError as error:
            raise ServingError(f"{name} cannot be exported: {error.filename or whole}: {error.strerror}") from error
    check_exported(repository, name)
    return name


def _chosen(either: NameOrFolder, repository: Path) -> str | Path:
    """An exported model, else a folder that holds weights, else a network of PaddleX's. Tells if both would do."""
    name, folder = either.name, either.folder
    if not weights_folder.holds_weights(folder):
        return name if name in OFFICIAL or is_there(repository, name) else folder
    if is_there(repository, name):
        tell(f"{name}: using the model of that name in {repository}, not the weights in {folder}; for those, write ./{name}")
        return name
    if name in OFFICIAL:
        tell(f"{name}: using the weights in {folder}, not PaddleX's; for PaddleX's, export them: semseg export {name}")
    return folder


def _execution_providers(device: Device) -> list[str]:
    """The execution providers of the ONNX Runtime installed with tritonserver. The CPU needs no check."""
    if device.kind == "cpu":
        return ["CPUExecutionProvider"]
    python = Path(program()).resolve().with_name("python")
    done = subprocess.run([python, "-c", _PROVIDERS], capture_output=True, text=True, check=False)  # noqa: S603 - our Python
    return done.stdout.split() or ["CPUExecutionProvider"]
