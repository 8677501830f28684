"""Builds the config.pbtxt of each repository entry of a model, as protobuf messages."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from tritonclient.grpc import model_config_pb2 as triton

from semseg_contract import config_pbtxt
from semseg_contract.limits import MAX_BATCH_SIZE, MEGAPIXEL
from semseg_contract.names import CONFIG, DRAW, POSTPROCESS, PREPROCESS, SHARED, network_of, preprocess_of
from semseg_contract.record import ModelRecord
from semseg_contract.tensors import IDS, IMAGE, LABEL_MAP, LANE, PICTURE, PIXELS, SOURCE_SIZE, limited_pixels

from ..errors import RepositoryError
from .placement import Placement

STAYS = Placement()
# Batch all waiting requests of one shape. By default, while a batch could still grow and a request of another shape waits behind
# it, Triton (2.51, and its source of June 2026) polls without pause, which costs a core. A preferred size of 1 and a delay of a
# microsecond avoid that: every batch is complete at once, and every request has waited long enough.
BATCHING = triton.ModelDynamicBatching(preferred_batch_size=[1], max_queue_delay_microseconds=1)
# By default ONNX Runtime remembers a memory plan for every input shape, and allocates a block for it when the shape recurs.
# Every length of `lane` is a new shape, so memory would grow without limit. "0" turns this off.
PATTERN = "enable_mem_pattern"


def read(file: Path) -> triton.ModelConfig:
    """Read a config.pbtxt. Raises RepositoryError if that fails."""
    try:
        return config_pbtxt.read(file)
    except config_pbtxt.UnreadableConfig as error:
        raise RepositoryError(f"cannot read {error}; fix the file, or delete the model and export it again") from error


def network_config(
    model: str, version: int, files: Collection[str], placement: Placement = STAYS, present: Path | None = None
) -> triton.ModelConfig:
    """The network's configuration for a version with these `files`.

    The owner's settings in the `present` file, such as instances and threads, are kept unless `placement` overrides them.
    """
    config = read(present) if present is not None and present.is_file() else triton.ModelConfig()
    if not config.name:
        config.dynamic_batching.SetInParent()
    if config.HasField("dynamic_batching") and not config.dynamic_batching.ByteSize():  # unless the owner has set it
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
    """The shared preprocess's configuration, renamed for the model, with the Resize (JSON) for its code to read."""
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
    """The ensemble. postprocess and draw are siblings, so that Triton skips the one whose output is not requested.

    The steps name no version: while a server switches versions, both may be loaded, and requests use an available one.
    """
    if record.max_pixels is None:
        raise ValueError(f"{model}: max_pixels is missing; it decides which output of preprocess the ensemble reads")
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
    """The policy that makes a server load this version and no other."""
    return triton.ModelVersionPolicy(specific=triton.ModelVersionPolicy.Specific(versions=[version]))


def _step(model: str, takes: dict[str, str], gives: dict[str, str]) -> triton.ModelEnsembling.Step:
    return triton.ModelEnsembling.Step(model_name=model, model_version=-1, input_map=takes, output_map=gives)
