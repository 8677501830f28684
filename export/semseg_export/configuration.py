"""The configurations of a model's entries in the repository: protobuf messages, never templates of text."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as triton

from .errors import RepositoryError
from .memory import MEGAPIXEL, Memory
from .placement import Placement
from .resize import Resize

CONFIG = "config.pbtxt"
MAX_BATCH_SIZE = 8
SHARED = ("preprocess", "postprocess", "draw")
STAYS = Placement()
# All that waits and is alike goes to the network as one. By Triton's defaults (2.51, and its source of June 2026), a batch that
# could grow is looked at again and again, without a pause, while it waits in front of a request of another shape: a core is
# lost. A batch that has its preferred size does not grow; one that has waited for a microsecond, as all have, goes whatever
# its size.
BATCHING = triton.ModelDynamicBatching(preferred_batch_size=[1], max_queue_delay_microseconds=1)
# Unless told not to ("0"), ONNX Runtime remembers for every shape of its inputs, of which each lane makes one more, where the
# network's tensors lay, and from a shape's second time on takes a block for all of them beside the memory that it has.
PATTERN = "enable_mem_pattern"


@dataclass(frozen=True)
class Origin:
    """What the ensemble tells about its network, under the keys of docs/contract.md."""

    class_names: list[str]
    palette: list[list[int]]
    megapixels: int
    memory: Memory
    source: str
    source_sha256: str
    converter: str
    exported_at: str
    agreement: float
    comparison: list[dict[str, float | None]]
    precision: str = "fp32"
    fidelity: dict[str, float] | None = None
    calibration: dict[str, str | int] | None = None
    resize: Resize | None = None
    folder_sha256: str | None = None

    def parameters(self) -> dict[str, str]:
        told = {
            "class_names": json.dumps(self.class_names, ensure_ascii=False),
            "palette": json.dumps(self.palette),
            "max_pixels": str(self.megapixels * MEGAPIXEL),
            "memory": json.dumps(asdict(self.memory)),
            "source": self.source,
            "source_sha256": self.source_sha256,
            "converter": self.converter,
            "exported_at": self.exported_at,
            "agreement": f"{self.agreement:.6f}",
            "comparison": json.dumps(self.comparison),
            "precision": self.precision,
        }
        if self.fidelity is not None:
            told["fidelity"] = json.dumps(self.fidelity)
        if self.calibration is not None:
            told["calibration"] = json.dumps(self.calibration)
        if self.resize is not None:
            told["resize"] = json.dumps(asdict(self.resize))
        if self.folder_sha256 is not None:
            told["folder_sha256"] = self.folder_sha256
        return told


def text(config: triton.ModelConfig) -> bytes:
    return str(text_format.MessageToString(config, as_utf8=True)).encode()


def read(file: Path) -> triton.ModelConfig:
    """Raises RepositoryError if it cannot be read."""
    try:
        return text_format.Parse(file.read_text(encoding="utf-8"), triton.ModelConfig())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise RepositoryError(f"cannot read {file}: {error}; mend it, or delete the model and export it again") from error


def network_config(
    model: str, version: int, files: Collection[str], placement: Placement = STAYS, present: Path | None = None
) -> triton.ModelConfig:
    """That of a version of these `files`. What its owner set in the configuration that is there already, such as instances and
    threads, stays, so far as `placement` does not tell otherwise."""
    config = read(present) if present is not None and present.is_file() else triton.ModelConfig()
    if not config.name:
        config.dynamic_batching.SetInParent()
    if config.HasField("dynamic_batching") and not config.dynamic_batching.ByteSize():  # the owner has not set it
        config.dynamic_batching.CopyFrom(BATCHING)
    if PATTERN not in config.parameters:
        config.parameters[PATTERN].string_value = "0"
    config.name = f"{model}_network"
    config.backend = "onnxruntime"
    config.max_batch_size = MAX_BATCH_SIZE
    del config.input[:], config.output[:]
    config.input.add(name="pixels", data_type=triton.TYPE_UINT8, dims=[-1, -1, 3])
    config.input.add(name="lane", data_type=triton.TYPE_INT8, dims=[-1])
    config.output.add(name="ids", data_type=triton.TYPE_UINT8, dims=[-1, -1])
    config.version_policy.CopyFrom(only(version))
    placement.apply(config, files)
    return config


def preprocess_config(repository: Path, model: str, resize: str, version: int) -> triton.ModelConfig:
    """The shared preprocess's own configuration under another name, with the Resize, as JSON, that its code reads."""
    shared = repository / "preprocess" / CONFIG
    if not shared.is_file():
        raise RepositoryError(
            f"there is no {shared}: export into the project's model_repository, or copy {', '.join(SHARED)} from it"
        )
    config = read(shared)
    config.name = f"{model}_preprocess"
    config.parameters["resize"].string_value = resize
    config.version_policy.CopyFrom(only(version))
    return config


def ensemble_config(model: str, origin: Origin, version: int) -> triton.ModelConfig:
    """postprocess and draw stand side by side, so that Triton leaves out the one whose output nobody asked for.

    The steps name no version: a server that takes up a new one loads it before it lets the old one go, and requests under
    way go on with whichever is there.
    """
    preprocess = "preprocess" if origin.resize is None else f"{model}_preprocess"
    prepared = {f"pixels_{origin.megapixels}mp": "pixels", "source_size": "source_size", "lane": "lane"}
    return triton.ModelConfig(
        name=model,
        platform="ensemble",
        max_batch_size=MAX_BATCH_SIZE,
        version_policy=only(version),
        input=[triton.ModelInput(name="image", data_type=triton.TYPE_STRING, dims=[1])],
        output=[
            triton.ModelOutput(name="label_map", data_type=triton.TYPE_UINT8, dims=[-1, -1]),
            triton.ModelOutput(name="picture", data_type=triton.TYPE_STRING, dims=[1]),
        ],
        ensemble_scheduling=triton.ModelEnsembling(
            step=[
                _step(preprocess, {"image": "image"}, prepared),
                _step(f"{model}_network", {"pixels": "pixels", "lane": "lane"}, {"ids": "ids"}),
                _step("postprocess", {"ids": "ids", "source_size": "source_size"}, {"label_map": "label_map"}),
                _step("draw", {"ids": "ids", "source_size": "source_size"}, {"picture": "picture"}),
            ]
        ),
        parameters={key: triton.ModelParameter(string_value=value) for key, value in origin.parameters().items()},
    )


def only(version: int) -> triton.ModelVersionPolicy:
    """The policy by which a server loads one version and no other."""
    return triton.ModelVersionPolicy(specific=triton.ModelVersionPolicy.Specific(versions=[version]))


def _step(model: str, takes: dict[str, str], gives: dict[str, str]) -> triton.ModelEnsembling.Step:
    return triton.ModelEnsembling.Step(model_name=model, model_version=-1, input_map=takes, output_map=gives)
