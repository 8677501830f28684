"""The configurations of a model's entries in the repository: protobuf messages, never templates of text."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from tritonclient.grpc import model_config_pb2 as triton

from semseg_contract import config_file
from semseg_contract.limits import MAX_BATCH_SIZE, MEGAPIXEL
from semseg_contract.names import CONFIG, DRAW, POSTPROCESS, PREPROCESS, SHARED, network_of, preprocess_of
from semseg_contract.record import ModelRecord
from semseg_contract.tensors import IDS, IMAGE, LABEL_MAP, LANE, PICTURE, PIXELS, SOURCE_SIZE, limited_pixels

from ..errors import RepositoryError
from .placement import Placement

STAYS = Placement()
# All that waits and is alike goes to the network as one. By Triton's defaults (2.51, and its source of June 2026), a batch that
# could grow is looked at again and again, without a pause, while it waits in front of a request of another shape: a core is
# lost. A batch that has its preferred size does not grow; one that has waited for a microsecond, as all have, goes whatever
# its size.
BATCHING = triton.ModelDynamicBatching(preferred_batch_size=[1], max_queue_delay_microseconds=1)
# Unless told not to ("0"), ONNX Runtime remembers for every shape of its inputs, of which each lane makes one more, where the
# network's tensors lay, and from a shape's second time on takes a block for all of them beside the memory that it has.
PATTERN = "enable_mem_pattern"


def read(file: Path) -> triton.ModelConfig:
    """Raises RepositoryError if it cannot be read."""
    try:
        return config_file.read(file)
    except config_file.UnreadableConfig as error:
        raise RepositoryError(f"cannot read {error}; mend it, or delete the model and export it again") from error


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
    config.name = network_of(model)
    config.backend = "onnxruntime"
    config.max_batch_size = MAX_BATCH_SIZE
    del config.input[:], config.output[:]
    config.input.add(name=PIXELS, data_type=triton.TYPE_UINT8, dims=[-1, -1, 3])
    config.input.add(name=LANE, data_type=triton.TYPE_INT8, dims=[-1])
    config.output.add(name=IDS, data_type=triton.TYPE_UINT8, dims=[-1, -1])
    config.version_policy.CopyFrom(only(version))
    placement.apply(config, files)
    return config


def preprocess_config(repository: Path, model: str, resize: str, version: int) -> triton.ModelConfig:
    """The shared preprocess's own configuration under another name, with the Resize, as JSON, that its code reads."""
    shared = repository / PREPROCESS / CONFIG
    if not shared.is_file():
        raise RepositoryError(
            f"there is no {shared}: export into the project's model_repository, or copy {', '.join(SHARED)} from it"
        )
    config = read(shared)
    config.name = preprocess_of(model)
    config.parameters["resize"].string_value = resize
    config.version_policy.CopyFrom(only(version))
    return config


def ensemble_config(model: str, record: ModelRecord, version: int) -> triton.ModelConfig:
    """postprocess and draw stand side by side, so that Triton leaves out the one whose output nobody asked for.

    The steps name no version: a server that takes up a new one loads it before it lets the old one go, and requests under
    way go on with whichever is there.
    """
    if record.max_pixels is None:
        raise ValueError(f"{model}: the ensemble takes its images from the output of preprocess for max_pixels: set it")
    preprocess = PREPROCESS if record.resize is None else preprocess_of(model)
    prepared = {limited_pixels(record.max_pixels // MEGAPIXEL): PIXELS, SOURCE_SIZE: SOURCE_SIZE, LANE: LANE}
    return triton.ModelConfig(
        name=model,
        platform="ensemble",
        max_batch_size=MAX_BATCH_SIZE,
        version_policy=only(version),
        input=[triton.ModelInput(name=IMAGE, data_type=triton.TYPE_STRING, dims=[1])],
        output=[
            triton.ModelOutput(name=LABEL_MAP, data_type=triton.TYPE_UINT8, dims=[-1, -1]),
            triton.ModelOutput(name=PICTURE, data_type=triton.TYPE_STRING, dims=[1]),
        ],
        ensemble_scheduling=triton.ModelEnsembling(
            step=[
                _step(preprocess, {IMAGE: IMAGE}, prepared),
                _step(network_of(model), {PIXELS: PIXELS, LANE: LANE}, {IDS: IDS}),
                _step(POSTPROCESS, {IDS: IDS, SOURCE_SIZE: SOURCE_SIZE}, {LABEL_MAP: LABEL_MAP}),
                _step(DRAW, {IDS: IDS, SOURCE_SIZE: SOURCE_SIZE}, {PICTURE: PICTURE}),
            ]
        ),
        parameters=record.parameters(),
    )


def only(version: int) -> triton.ModelVersionPolicy:
    """The policy by which a server loads one version and no other."""
    return triton.ModelVersionPolicy(specific=triton.ModelVersionPolicy.Specific(versions=[version]))


def _step(model: str, takes: dict[str, str], gives: dict[str, str]) -> triton.ModelEnsembling.Step:
    return triton.ModelEnsembling.Step(model_name=model, model_version=-1, input_map=takes, output_map=gives)
