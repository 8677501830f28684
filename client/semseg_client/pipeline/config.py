"""The configuration of a pipeline: PaddleX's YAML files, in the layouts of 3.0.0b2 and 3.7.2, with additional keys.

In 3.0.0b2, `pipeline_name` is under `Global` and the rest under `Pipeline`; in 3.7.2, `pipeline_name` is at the top level and the
rest under `SubModules` and `SemanticSegmentation`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from semseg_contract.limits import LONGEST_SIDE
from semseg_contract.names import plain_name
from semseg_contract.official import OFFICIAL, similar

from ..checked_yaml import Ignored, Misplaced, Reading, Section, Setting, Wrong, near, read_text, seconds, text, whole
from ..device import Device
from ..errors import ConfigurationError, DeviceError, ServingError
from ..triton.protocol import TargetSize
from ..types import NameOrFolder
from ..url_prefix import PREFIX, is_prefix

PIPELINE = "semantic_segmentation"

_DEFAULT = Path(__file__).with_name(f"{PIPELINE}.yaml")
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # as in docs/contract.md
_ADDRESS = re.compile(r"(?:grpcs?://)?(?:\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):(\d{1,5})", re.ASCII)
_TYPING_ERROR = 0.85  # least similarity of a misspelt name; PaddleX's pipeline instance_segmentation scores 0.81


@dataclass(frozen=True)
class Serving:
    """A file's settings for the REST service; None if not set. `timeout` is in seconds."""

    host: str | None = None
    port: int | None = None
    timeout: float | None = None
    max_body_bytes: int | None = None
    root_path: str | None = None

    def given(self) -> dict[str, Any]:
        """The settings that the file contains, under their names in the gateway's Settings."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class PipelineConfig:
    """The settings of a pipeline.

    `model` is the name of a served or exported model or of a network of PaddleX's, without "(slice)"; or a folder of the user's
    own weights; or both, and `prepared` chooses. For a folder, `architecture` is PaddleX's name for the network, if known.
    `batch_size` counts images. `target_size` is in pixels; None means the network's own Resize, or the image as it is. `device`
    None means a GPU if Triton sees one, else the CPU. `url` is the gRPC address of a running tritonserver; if None, one is
    started on `repository` (None: the default one). `timeout` is in seconds. `jobs` is the number of images in flight; None means
    enough for `batch_size`. `notes` lists, one line each, settings without effect.
    """

    model: str | Path | NameOrFolder
    batch_size: int = 1
    target_size: TargetSize | None = None
    device: Device | None = None
    url: str | None = None
    timeout: float = 60.0
    repository: Path | None = None
    jobs: int | None = None
    serving: Serving = Serving()
    architecture: str | None = None
    notes: tuple[str, ...] = ()


def load(pipeline: str | os.PathLike[str]) -> PipelineConfig:
    """The configuration that `pipeline` names: "semantic_segmentation" (the built-in one), or the path of a YAML file.

    Folders named in the file are looked up beside it first, then in the current folder.

    Raises:
        ConfigurationError: there is no such pipeline or file, or the file is wrong.
    """
    name = os.fspath(pipeline)
    if name == PIPELINE:
        return _config(Reading(_DEFAULT.name, default_text()), Path())
    try:
        return _config(Reading(name, read_text(name)), Path(name).parent)
    except FileNotFoundError:
        raise ConfigurationError(_missing(name)) from None


def name_or_folder(model: str | os.PathLike[str]) -> str | Path:
    """Interpret a model argument: a path, or a string with a slash in it, is a folder of weights.

    Raises:
        ConfigurationError: the name is empty.
    """
    if not isinstance(model, str) or "/" in model:
        return Path(model)
    name = plain_name(model)
    if not name:
        raise ConfigurationError("the name of the model is empty: pass a name such as PP-LiteSeg-T, or ./FOLDER of weights")
    return name


def name_at(url: str, model: str | Path | NameOrFolder) -> str:
    """The name under which the running server at `url` serves `model`.

    Raises:
        ServingError: it is a folder, but the server serves models only by name.
    """
    if isinstance(model, Path):
        raise ServingError(
            f"the server at {url} serves models by name, and {model} is a folder: export it into that server's model"
            " repository (semseg-export NAME --weights FOLDER) and use that name instead"
        )
    return model.name if isinstance(model, NameOrFolder) else model


def default_text() -> str:
    """The built-in configuration with comments, for users to edit."""
    return _DEFAULT.read_text(encoding="utf-8")


def _missing(name: str) -> str:
    path = Path(name)
    if near(path.stem, [PIPELINE], _TYPING_ERROR):
        return f"{name}: no such file; did you mean {PIPELINE!r}, the built-in pipeline?"
    if path.suffix in (".yaml", ".yml") or path.name != name:
        return f"{name}: no such file"
    return f"{name}: neither a file nor a pipeline; only {PIPELINE} is supported"


def _config(reading: Reading, folder: Path) -> PipelineConfig:
    shape = _shape(reading.top_keys())
    reading.read(shape)
    _check_pipeline(reading, shape)
    values = reading.values
    model, architecture = _model(reading, shape, folder)
    repository = values.get("repository")
    _check_url(reading)
    reading.check()
    return PipelineConfig(
        model=model,
        architecture=architecture,
        # It need not exist yet: an export creates it.
        repository=repository and (_folder(repository, folder) or Path(repository)),
        serving=Serving(**{name.removeprefix("Serving."): values[name] for name in values if name.startswith("Serving.")}),
        notes=reading.notes(),
        **{name: values[name] for name in ("batch_size", "target_size", "device", "url", "timeout") if name in values},
    )


def _shape(top: list[str]) -> Section:
    """The layout of the first key that only one layout has, or else of the first that resembles one; else the newer layout."""
    shapes = {"Global": _B2, "Pipeline": _B2, "pipeline_name": _372, "SubModules": _372}
    told = [key for key in top if key in shapes] or [key for key in (near(each, shapes) for each in top) if key]
    return shapes[told[0]] if told else _372


def _check_pipeline(reading: Reading, shape: Section) -> None:
    """Report another pipeline's file as exactly that: a list of its unknown keys would hide the real mistake."""
    name = reading.values.get("pipeline_name")
    if name is None:
        if "pipeline_name" not in reading.attempts:
            reading.problem(1, f"key '{'Global.' if shape is _B2 else ''}pipeline_name' is missing; it must be {PIPELINE}")
    elif name != PIPELINE:
        line = reading.lines["pipeline_name"]
        if not near(name, [PIPELINE], _TYPING_ERROR):
            raise reading.failure(line, f"pipeline_name is {name!r}; only {PIPELINE} is supported")
        reading.problem(line, f"pipeline_name is {name!r}; did you mean {PIPELINE!r}?")


def _model(reading: Reading, shape: Section, folder: Path) -> tuple[str | Path | NameOrFolder, str | None]:
    """The model and, if it is a folder of weights, the name of their network."""
    name, weights = reading.values.get("model_name"), reading.values.get("model_dir")
    line = reading.lines.get("model_dir", 1)
    if shape is _B2 and name is not None:  # one key holds either a name or a folder
        there = None if "/" in name else _folder(name, folder)
        if there is not None and _MODEL_NAME.fullmatch(name):
            return NameOrFolder(name, there), None
        if there is not None or "/" in name:
            name, weights, line = None, name, reading.lines["model_name"]
    if name is not None:
        name = plain_name(name)
        if not _MODEL_NAME.fullmatch(name):
            near = similar(name, OFFICIAL)
            hint = f"; did you mean {near[0]!r}?" if near else "; use letters, digits, '.', '_' and '-'"
            reading.problem(reading.lines["model_name"], f"{name!r} is not a valid model name{hint}")
    if weights is not None:
        found = _folder(weights, folder)
        if found is None:
            reading.problem(line, f"there is no folder {weights!r} beside this file or in the current folder")
        if "url" in reading.lines:
            told = f"the running server at url (line {reading.lines['url']}) serves models by name, not {weights!r}"
            reading.problem(line, told)
        return found or Path(weights), name
    if name is None and not reading.attempts & {"model_name", "model_dir"}:
        key = "Pipeline.model" if shape is _B2 else "SubModules.SemanticSegmentation.model_name"
        reading.problem(1, f"key '{key}' is missing")
    return name or "", None


def _check_url(reading: Reading) -> None:
    if "url" in reading.lines:
        for key in filter(reading.lines.__contains__, ("repository", "device")):
            reading.note(reading.lines[key], f"{key} has no effect here: the server at url has its own")


def _folder(name: str, beside: Path) -> Path | None:
    return next(filter(_is_folder, (beside / name, Path(name))), None)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # the name is too long, or access is denied
        return False


def _target_size(node: yaml.Node) -> TargetSize | None:
    side = whole(1, LONGEST_SIDE)
    if isinstance(node, yaml.ScalarNode) and node.value == "-1":  # PaddleX: do not scale the image
        return None
    try:
        if not isinstance(node, yaml.SequenceNode):
            return side(node)
        width, height = map(side, node.value)
    except (Wrong, ValueError):
        raise Wrong(f"a whole number of pixels from 1 to {LONGEST_SIDE}, or two: [1024, 512]") from None
    return width, height


def _device(node: yaml.Node) -> Device:
    try:
        return Device.parse(text(node))
    except DeviceError as error:
        raise Wrong(str(error), whole=True) from None


def _address(node: yaml.Node) -> str:
    found = _ADDRESS.fullmatch(node.value) if isinstance(node, yaml.ScalarNode) else None
    if found is None or not 0 < int(found[1]) <= 65535:
        raise Wrong("a gRPC address, HOST:PORT, such as localhost:8001")
    return found[0]


def _prefix(node: yaml.Node) -> str:
    path = text(node)
    if not is_prefix(path):
        raise Wrong(PREFIX)
    return path


def _module_name(node: yaml.Node) -> str:
    if text(node) != PIPELINE:
        raise Wrong(PIPELINE)
    return PIPELINE


def _of_the_other(theirs: str, ours: str) -> Misplaced:
    reason = f"it belongs to PaddleX {theirs}'s layout, but this file has {ours}'s; use only one"
    return Misplaced(reason, ("pipeline_name", "model_name"))


_ENGINE = Ignored("ONNX Runtime in Triton runs the network")
_ENGINE_KEYS = dict.fromkeys(("engine", "engine_config", "use_hpip", "hpi_config", "hpi_params"), _ENGINE)
_NAME = Setting("pipeline_name", text)
_NETWORK = {"batch_size": Setting("batch_size", whole(1)), "target_size": Setting("target_size", _target_size)}
_DEVICE = Setting("device", _device)
_EVERYWHERE: Section = {
    "url": Setting("url", _address),
    "timeout": Setting("timeout", seconds),
    "repository": Setting("repository", text),
    "Serving": {
        "host": Setting("Serving.host", text),
        "port": Setting("Serving.port", whole(0, 65535)),
        "timeout": Setting("Serving.timeout", seconds),
        "max_body_bytes": Setting("Serving.max_body_bytes", whole(1)),
        "root_path": Setting("Serving.root_path", _prefix),
        "visualize": Ignored("each request chooses whether to return the picture", here="true"),
        "return_urls": Ignored("the response itself contains the picture"),
        "extra": Ignored("it is for PaddleX's own service"),
    },
    "Hpi": _ENGINE,
    **_ENGINE_KEYS,
}
_B2: Section = {
    "Global": {"pipeline_name": _NAME, "input": Ignored("images are given with each call")},
    "Pipeline": {"model": Setting("model_name", text), **_NETWORK, "device": _DEVICE, **_ENGINE_KEYS},
    **_EVERYWHERE,
    **dict.fromkeys(("pipeline_name", "SubModules"), _of_the_other("3.7.2", "3.0.0b2")),
}
_372: Section = {
    "pipeline_name": _NAME,
    "SubModules": {
        "SemanticSegmentation": {
            "module_name": Setting("module_name", _module_name),
            "model_name": Setting("model_name", text),
            "model_dir": Setting("model_dir", text),
            "model": Misplaced("did you mean 'model_name'?", ("model_name",)),
            **_NETWORK,
            **_ENGINE_KEYS,
        }
    },
    "device": _DEVICE,
    **_EVERYWHERE,
    **dict.fromkeys(("Global", "Pipeline"), _of_the_other("3.0.0b2", "3.7.2")),
}
