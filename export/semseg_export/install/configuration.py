"""Builds the config.pbtxt of each repository entry of a model, as protobuf messages."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from tritonclient.grpc import model_config_pb2 as triton

from semseg_contract import config_pbtxt
from semseg_contract.limits import MAX_BATCH_SIZE, MEGAPIXEL
from semseg_contract.names import (
    CONFIG,
    DRAW,
    ENGINE,
    ONNXRUNTIME,
    POSTPROCESS,
    PREPROCESS,
    SHARED,
    network_of,
    preprocess_of,
)
from semseg_contract.record import ModelRecord
from semseg_contract.tensors import IDS, IMAGE, LABEL_MAP, LANE, PICTURE, PIXELS, SOURCE_SIZE, limited_pixels
from semseg_contract.transforms import Preparation

from ..errors import RepositoryError, printable
from .placement import Placement

STAYS = Placement()
# Batch all waiting requests of one shape. By default, while a batch could still grow and a request of another shape waits behind
# it, Triton (2.51, and its source of June 2026) polls without pause, which costs a core. A preferred size of 1 and a delay of a
# microsecond avoid that: every batch is complete at once, and every request has waited long enough.
BATCHING = triton.ModelDynamicBatching(preferred_batch_size=[1], max_queue_delay_microseconds=1)
# By default ONNX Runtime remembers a memory plan for every input shape, and allocates a block for it when the shape recurs.
# Every length of `lane` is a new shape, so memory would grow without limit. "0" turns this off.
PATTERN = "enable_mem_pattern"
PREPARATION = "preparation"
RESIZE = "resize"  # what versions exported before there were preparations have instead; so does their copy of the code


def read(file: Path) -> triton.ModelConfig:
    """Read a config.pbtxt. Raises RepositoryError if that fails."""
    try:
        return config_pbtxt.read(file)
    except config_pbtxt.UnreadableConfig as error:
        raise RepositoryError(f"cannot read {error}; fix the file, or delete the model and export it again") from error


def network_config(
    ensemble: triton.ModelConfig, version: int, files: Collection[str], placement: Placement = STAYS, present: Path | None = None
) -> triton.ModelConfig:
    """The network's configuration for a version of `ensemble` with these `files`.

    The owner's settings in the `present` file, such as instances and threads, are kept unless `placement` overrides them.
    """
    preparation = _preparation(ensemble)
    width, height = preparation.fixed or (-1, -1)
    config = read(present) if present is not None and present.is_file() else triton.ModelConfig()
    if not config.name:
        config.dynamic_batching.SetInParent()
    if config.HasField("dynamic_batching") and not config.dynamic_batching.ByteSize():  # unless the owner has set it
        config.dynamic_batching.CopyFrom(BATCHING)
    if PATTERN not in config.parameters:
        config.parameters[PATTERN].string_value = "0"
    config.name = network_of(ensemble.name)
    if (engine := _engine(ensemble)) != ONNXRUNTIME:
        config.parameters[ENGINE].string_value = engine
    elif ENGINE in config.parameters:
        del config.parameters[ENGINE]
    config.max_batch_size = ensemble.max_batch_size
    del config.input[:], config.output[:]
    config.input.add(name=PIXELS, data_type=_pixel_type(preparation), dims=[height, width, 3])
    config.input.add(name=LANE, data_type=triton.TYPE_INT8, dims=[-1])
    config.output.add(name=IDS, data_type=triton.TYPE_UINT8, dims=[height, width])
    config.version_policy.CopyFrom(only(version))
    placement.apply(config, files, preparation)
    return config


def preprocess_config(repository: Path, ensemble: triton.ModelConfig, version: int) -> triton.ModelConfig | None:
    """The shared preprocess's configuration, renamed for the model, with the preparation (JSON) for its code to read.

    None if the model uses the shared preprocess itself.
    """
    name = preprocess_of(ensemble.name)
    if all(step.model_name != name for step in ensemble.ensemble_scheduling.step):
        return None
    config = read(_shared(repository) / CONFIG)
    config.name = name
    for key in (PREPARATION, RESIZE):
        if key in ensemble.parameters:
            config.parameters[key].CopyFrom(ensemble.parameters[key])
    pixels = _pixel_type(_preparation(ensemble))
    for output in config.output:
        if output.name.startswith(PIXELS):
            output.data_type = pixels
    config.version_policy.CopyFrom(only(version))
    return config


def shared_code(repository: Path) -> dict[str, bytes]:
    """The code of the shared preprocess, by file name, for a model with a preparation of its own. Raises RepositoryError."""
    code = {file.name: file.read_bytes() for file in (_shared(repository) / "1").glob("*.py")}
    if "transforms.py" not in code:
        raise RepositoryError(
            f"{', '.join(SHARED)} in {repository} are from an older version, which cannot prepare images for this model:"
            " replace them with those of this version"
        )
    return code


def _shared(repository: Path) -> Path:
    folder = repository / PREPROCESS
    if not (folder / CONFIG).is_file():
        raise RepositoryError(
            f"there is no {folder / CONFIG}: export into the project's model_repository, or copy {', '.join(SHARED)} from it"
        )
    return folder


def _preparation(ensemble: triton.ModelConfig) -> Preparation:
    """Raises RepositoryError."""
    told = ensemble.parameters[PREPARATION].string_value if PREPARATION in ensemble.parameters else ""
    try:
        return Preparation.read(told) if told else Preparation()
    except (ValueError, TypeError, KeyError) as error:
        raise RepositoryError(
            f"{ensemble.name}: the parameter {PREPARATION} of this version cannot be read ({printable(repr(error))}): export the"
            " model again"
        ) from error


def _engine(ensemble: triton.ModelConfig) -> str:
    """The engine that the export of this version chose. Older versions know only ONNX Runtime."""
    told = ensemble.parameters[ENGINE].string_value if ENGINE in ensemble.parameters else ""
    try:
        return str(json.loads(told)["name"]) if told else ONNXRUNTIME
    except (ValueError, TypeError, KeyError) as error:
        raise RepositoryError(
            f"{ensemble.name}: the parameter {ENGINE} of this version cannot be read ({printable(repr(error))}): export the"
            " model again"
        ) from error


def _pixel_type(preparation: Preparation) -> int:
    return int(triton.TYPE_FP32 if preparation.floats else triton.TYPE_UINT8)


def ensemble_config(model: str, record: ModelRecord, version: int, max_batch_size: int = MAX_BATCH_SIZE) -> triton.ModelConfig:
    """The ensemble of a network that takes at most `max_batch_size` images at once.

    postprocess and draw are siblings, so that Triton skips the one whose output is not requested.
    The steps name no version: while a server switches versions, both may be loaded, and requests use an available one.
    """
    if record.max_pixels is None:
        raise ValueError(f"{model}: max_pixels is missing; it decides which output of preprocess the ensemble reads")
    preprocess = PREPROCESS if record.preparation is None else preprocess_of(model)
    prepared = {limited_pixels(record.max_pixels // MEGAPIXEL): PIXELS, SOURCE_SIZE: SOURCE_SIZE, LANE: LANE}
    return triton.ModelConfig(
        name=model,
        platform="ensemble",
        max_batch_size=max_batch_size,
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
