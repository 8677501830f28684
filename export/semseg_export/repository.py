"""Entries of the model repository, as docs/contract.md has them. They are written whole beside it, then renamed in."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as triton

from .errors import RepositoryError
from .resize import Resize

CONFIG = "config.pbtxt"
MAX_BATCH_SIZE = 8
SHARED = ("preprocess", "postprocess", "draw")


@dataclass(frozen=True)
class Origin:
    """What the ensemble tells about its network, under the keys of docs/contract.md."""

    class_names: list[str]
    palette: list[list[int]]
    source: str
    source_sha256: str
    converter: str
    exported_at: str
    agreement: float

    def parameters(self) -> dict[str, str]:
        return {
            "class_names": json.dumps(self.class_names, ensure_ascii=False),
            "palette": json.dumps(self.palette),
            "source": self.source,
            "source_sha256": self.source_sha256,
            "converter": self.converter,
            "exported_at": self.exported_at,
            "agreement": f"{self.agreement:.6f}",
        }


def check_name(model: str) -> None:
    """Raises RepositoryError if docs/contract.md forbids the name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", model):
        raise RepositoryError(f"{model!r} cannot name a model: use letters, digits, '.', '_' and '-', a letter or digit first")
    if model.endswith(("_network", "_preprocess")) or model in SHARED:
        raise RepositoryError(f"{model!r} cannot name a model: {', '.join(SHARED)}, *_network and *_preprocess are taken")


def install(repository: Path, model: str, network: bytes, origin: Origin, resize: Resize | None = None) -> int:
    """Install the network `<model>_network` and the ensemble `<model>`; returns the network's version.

    A network that has images resized also gets `<model>_preprocess`, a copy of the shared preprocess set to do that.

    A first export renames both folders in, the network first; a later one renames version n + 1 in and then replaces
    the configurations, so that a running server never sees half a model. Raises RepositoryError.
    """
    try:
        repository.mkdir(parents=True, exist_ok=True)
        # Triton polls every folder of the repository, hidden or not; its neighbours share the file system.
        with TemporaryDirectory(prefix=f".{repository.name}-", dir=repository.resolve().parent) as staging:
            staged = Path(staging)
            version = _next_version(repository / f"{model}_network")
            number = _next_version(repository / f"{model}_preprocess")
            _write(staged / f"{model}_network", network_config(model), version, {"model.onnx": network})
            if resize is not None:
                config = preprocess_config(repository, model, resize)
                _write(staged / f"{model}_preprocess", config, number, _shared_code(repository))
            _write(staged / model, ensemble_config(model, origin, resize), 1, {".gitkeep": b""})
            # All is written before the first is moved in; the ensemble, which names the others, comes last.
            _move_in(staged / f"{model}_network", repository / f"{model}_network", str(version), CONFIG)
            if resize is not None:
                _move_in(staged / f"{model}_preprocess", repository / f"{model}_preprocess", str(number), CONFIG)
            _move_in(staged / model, repository / model, CONFIG)
    except OSError as error:
        raise RepositoryError(f"cannot install {model} into {repository}: {error}") from error
    return version


def _next_version(entry: Path) -> int:
    versions = [int(folder.name) for folder in entry.glob("*") if folder.name.isdecimal()]
    return max(versions, default=0) + 1


def _shared_code(repository: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (repository / "preprocess" / "1").glob("*.py")}


def _write(entry: Path, config: triton.ModelConfig, version: int, files: dict[str, bytes]) -> None:
    (entry / str(version)).mkdir(parents=True)
    for name, content in files.items():
        (entry / str(version) / name).write_bytes(content)
    (entry / CONFIG).write_text(text_format.MessageToString(config, as_utf8=True), encoding="utf-8")


def _move_in(staged: Path, entry: Path, *parts: str) -> None:
    """The whole folder, or, where there is one already, only `parts` of it, one after the other."""
    for part in parts if entry.exists() else [""]:
        (staged / part).rename(entry / part)


def network_config(model: str) -> triton.ModelConfig:
    return triton.ModelConfig(
        name=f"{model}_network",
        backend="onnxruntime",
        max_batch_size=MAX_BATCH_SIZE,
        input=[triton.ModelInput(name="pixels", data_type=triton.TYPE_UINT8, dims=[-1, -1, 3])],
        output=[triton.ModelOutput(name="ids", data_type=triton.TYPE_UINT8, dims=[-1, -1])],
        instance_group=[triton.ModelInstanceGroup(count=1)],
        dynamic_batching=triton.ModelDynamicBatching(),
    )


def preprocess_config(repository: Path, model: str, resize: Resize) -> triton.ModelConfig:
    """The shared preprocess's own configuration under another name, with the Resize that its code reads."""
    shared = repository / "preprocess" / CONFIG
    if not shared.is_file():
        raise RepositoryError(
            f"there is no {shared}: export into the project's model_repository, or copy {', '.join(SHARED)} from it"
        )
    config = text_format.Parse(shared.read_text(encoding="utf-8"), triton.ModelConfig())
    config.name = f"{model}_preprocess"
    config.parameters["resize"].string_value = json.dumps(asdict(resize))
    return config


def ensemble_config(model: str, origin: Origin, resize: Resize | None = None) -> triton.ModelConfig:
    """postprocess and draw stand side by side, so that Triton leaves out the one whose output nobody asked for."""
    return triton.ModelConfig(
        name=model,
        platform="ensemble",
        max_batch_size=MAX_BATCH_SIZE,
        input=[triton.ModelInput(name="image", data_type=triton.TYPE_STRING, dims=[1])],
        output=[
            triton.ModelOutput(name="label_map", data_type=triton.TYPE_UINT8, dims=[-1, -1]),
            triton.ModelOutput(name="picture", data_type=triton.TYPE_STRING, dims=[1]),
        ],
        ensemble_scheduling=triton.ModelEnsembling(
            step=[
                _step("preprocess" if resize is None else f"{model}_preprocess", ["image"], ["pixels", "source_size"]),
                _step(f"{model}_network", ["pixels"], ["ids"]),
                _step("postprocess", ["ids", "source_size"], ["label_map"]),
                _step("draw", ["ids", "source_size"], ["picture"]),
            ]
        ),
        parameters={key: triton.ModelParameter(string_value=value) for key, value in origin.parameters().items()},
    )


def _step(model: str, takes: list[str], gives: list[str]) -> triton.ModelEnsembling.Step:
    return triton.ModelEnsembling.Step(
        model_name=model,
        model_version=-1,
        input_map={name: name for name in takes},
        output_map={name: name for name in gives},
    )
