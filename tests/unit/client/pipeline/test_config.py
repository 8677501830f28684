from __future__ import annotations

import importlib.util
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import semseg_client
from semseg_client import SemsegError
from semseg_client.device import Device
from semseg_client.errors import ConfigurationError, ServingError
from semseg_client.gateway import Settings
from semseg_client.pipeline.config import PipelineConfig, Serving, default_text, load, name_at, name_or_folder
from semseg_client.types import NameOrFolder

B2 = """\
Global:
  pipeline_name: semantic_segmentation
  input: https://paddle-model-ecology.bj.bcebos.com/paddlex/imgs/demo_image/makassaridn-road_demo.png

Pipeline:
  model: PP-LiteSeg-T
  batch_size: 1
"""
NEW = """\
pipeline_name: semantic_segmentation

SubModules:
  SemanticSegmentation:
    module_name: semantic_segmentation
    model_name: PP-LiteSeg-T
    model_dir: null
    batch_size: 1
    target_size: None
"""
NAME = "pipeline.yaml"
PACKAGE = Path(semseg_client.__file__).parent


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(text: str | bytes, name: str = NAME) -> str:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def loaded(text: str | bytes, name: str = NAME) -> PipelineConfig:
    return load(written(text, name))


def refusal(text: str | bytes) -> str:
    """The messages about a file, without its name."""
    with pytest.raises(ConfigurationError) as raised:
        loaded(text)
    assert isinstance(raised.value, SemsegError)
    lines = str(raised.value).splitlines()
    assert all(line.startswith((f"{NAME}, line ", f"{NAME}: ")) for line in lines)
    return "\n".join(line.removeprefix(NAME).removeprefix(", ") for line in lines)


def new(**keys: str) -> str:
    """PaddleX 3.7.2's file with values of its section replaced, or added after the last line."""
    text = NEW
    for key, value in keys.items():
        lines = [line for line in text.splitlines() if line.strip().startswith(f"{key}:")]
        line = f"    {key}: {value}"
        text = text.replace(lines[0], line) if lines else f"{text}{line}\n"
    return text


def test_paddlex_3_7_2s_own_file_is_read() -> None:
    assert loaded(NEW) == PipelineConfig("PP-LiteSeg-T")


def test_paddlex_3_0_0b2s_own_file_is_read() -> None:
    config = loaded(B2)
    assert replace(config, notes=()) == PipelineConfig("PP-LiteSeg-T")
    assert config.notes == (f"{NAME}, line 3: input has no effect here: images are given with each call",)


def test_files_in_flow_style_are_read() -> None:
    b2 = (
        "Global: {pipeline_name: semantic_segmentation, input: https://.../makassaridn-road_demo.png}\n"
        "Pipeline: {model: PP-LiteSeg-T, batch_size: 1}     # device: optional; model may be a local dir\n"
    )
    keys = "{module_name: semantic_segmentation, model_name: PP-LiteSeg-T, model_dir: null, batch_size: 1, target_size: None}"
    text = f"pipeline_name: semantic_segmentation\nSubModules:\n  SemanticSegmentation: {keys}\n"
    assert replace(loaded(b2), notes=()) == loaded(text) == PipelineConfig("PP-LiteSeg-T")


def test_the_built_in_pipeline_is_the_default_text() -> None:
    assert load("semantic_segmentation") == PipelineConfig("PP-LiteSeg-T")
    assert loaded(default_text()) == load("semantic_segmentation")


def test_the_built_in_pipeline_comes_before_a_file_of_that_name() -> None:
    written("no: such key", "semantic_segmentation")
    assert load("semantic_segmentation").model == "PP-LiteSeg-T"
    with pytest.raises(ConfigurationError, match="unknown key 'no'"):
        load("./semantic_segmentation")


def test_the_default_text_has_what_paddlex_3_7_2_needs() -> None:
    ours, theirs = yaml.safe_load(default_text()), yaml.safe_load(NEW)
    theirs["SubModules"]["SemanticSegmentation"]["target_size"] = None
    assert {key: ours[key] for key in theirs} == theirs


def test_the_default_text_tells_the_gateways_defaults() -> None:
    lines = default_text().splitlines()
    for key in yaml.safe_load(default_text())["Serving"]:
        told = lines[lines.index(f"  {key}: null") - 1]
        assert f": {Settings.model_fields[key].default:{'g' if key == 'timeout' else ''}}" in told


def test_every_key_of_the_default_text_can_be_set() -> None:
    Path("weights").mkdir()
    text = default_text()
    for before, after in {
        "model_dir: null": "model_dir: weights",
        "batch_size: 1": "batch_size: 4",
        "target_size: null": "target_size: [1024, 512]",
        "device: null": "device: gpu:1",
        "timeout: 60.0": "timeout: 30",
        "repository: null": "repository: models",
        "host: null": "host: 127.0.0.2",
        "port: null": "port: 9000",
        "  timeout: null": "  timeout: 2.5",
        "max_body_bytes: null": "max_body_bytes: 1000",
        "root_path: null": "root_path: /seg",
    }.items():
        assert text.count(before) == 1
        text = text.replace(before, after)
    assert loaded(text) == PipelineConfig(
        Path("weights"),
        4,
        (1024, 512),
        Device("gpu", (1,)),
        timeout=30,
        repository=Path("models"),
        serving=Serving("127.0.0.2", 9000, 2.5, 1000, "/seg"),
        architecture="PP-LiteSeg-T",
    )
    assert loaded(default_text().replace("url: null", "url: triton:8001")) == PipelineConfig("PP-LiteSeg-T", url="triton:8001")


def test_what_serving_says_is_what_the_gateway_takes() -> None:
    config = loaded(f"{NEW}Serving: {{port: 0, timeout: 5}}\n")
    assert config.serving.given() == {"port": 0, "timeout": 5.0}
    assert Settings(**config.serving.given()).port == 0
    assert set(vars(Serving())) <= set(Settings.model_fields)
    assert loaded(NEW).serving.given() == {}


@pytest.mark.parametrize("nothing", ["null", "None", "~", "'None'", ""])
def test_null_and_none_leave_a_key_as_if_it_were_not_there(nothing: str) -> None:
    keys = "".join(f"{key}: {nothing}\n" for key in ("device", "url", "timeout", "repository", "Serving", "Hpi", "use_hpip"))
    text = new(module_name=nothing, model_dir=nothing, batch_size=nothing, target_size=nothing)
    assert loaded(f"{text}{keys}") == PipelineConfig("PP-LiteSeg-T")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("512", 512), ("1", 1), ("16384", 16384), ("[1024, 512]", (1024, 512)), ("-1", None), ("null", None), ("None", None)],
)
def test_target_sizes_of_paddlex_are_read(value: str, expected: int | tuple[int, int] | None) -> None:
    assert loaded(new(target_size=value)).target_size == expected


@pytest.mark.parametrize(("value", "expected"), [("5", 5.0), ("0.25", 0.25), (".5", 0.5), ("1e3", 1000.0), ("1.5e-2", 0.015)])
def test_seconds_are_numbers_as_people_write_them(value: str, expected: float) -> None:
    assert loaded(f"{NEW}timeout: {value}\n").timeout == expected


@pytest.mark.parametrize("url", ["localhost:8001", "10.0.0.1:1", "triton-0.triton:65535", "'[::1]:8001'", "grpcs://triton:8001"])
def test_addresses_are_read(url: str) -> None:
    assert loaded(f"{NEW}url: {url}\n").url == url.strip("'")


@pytest.mark.parametrize("written_as", ["SegFormer-B0 (slice)", "SegFormer-B0(slice)", "SegFormer-B0"])
def test_slice_is_dropped_from_a_models_name(written_as: str) -> None:
    assert loaded(new(model_name=written_as)).model == "SegFormer-B0"
    assert loaded(B2.replace("PP-LiteSeg-T", written_as)).model == "SegFormer-B0"


def test_a_local_folder_is_looked_for_beside_the_file_first() -> None:
    for folder in ("files/weights", "weights", "here"):
        Path(folder).mkdir(parents=True)
    assert loaded(new(model_dir="weights"), "files/a.yaml").model == Path("files/weights")
    assert loaded(new(model_dir="here"), "files/a.yaml").model == Path("here")
    assert loaded(new(model_dir=str(Path("here").absolute())), "files/a.yaml").model == Path("here").absolute()


def test_a_folder_of_weights_keeps_the_name_of_its_network() -> None:
    Path("weights").mkdir()
    assert loaded(new(model_dir="weights", model_name="SegFormer-B0 (slice)")).architecture == "SegFormer-B0"
    assert loaded(new(model_dir="weights", model_name="null")).architecture is None
    assert loaded(NEW).architecture is None


def test_in_3_0_0b2_a_model_is_a_folder_if_it_has_a_slash_and_either_if_there_is_one() -> None:
    for folder in ("best_model", "files/best_model", "best model"):
        Path(folder).mkdir(parents=True)
    assert loaded(B2.replace("PP-LiteSeg-T", "./best_model")).model == Path("best_model")
    either = NameOrFolder("best_model", Path("files/best_model"))
    assert loaded(B2.replace("PP-LiteSeg-T", "best_model"), "files/a.yaml").model == either
    assert loaded(B2.replace("PP-LiteSeg-T", "best model")).model == Path("best model")  # no model may have this name
    assert refusal(B2.replace("PP-LiteSeg-T", "output/best_model")) == (
        "line 6: there is no folder 'output/best_model' beside this file or in the current folder"
    )


def test_a_running_server_knows_models_by_name() -> None:
    assert name_at("host:1", "roads") == name_at("host:1", NameOrFolder("roads", Path("roads"))) == "roads"
    with pytest.raises(ServingError, match="the server at host:1 serves models by name, and roads is a folder: export it into"):
        name_at("host:1", Path("roads"))


def test_a_repository_is_looked_for_beside_the_file_and_need_not_be_there() -> None:
    Path("files/models").mkdir(parents=True)
    assert loaded(f"{NEW}repository: models\n", "files/a.yaml").repository == Path("files/models")
    assert loaded(f"{NEW}repository: later\n", "files/a.yaml").repository == Path("later")


def test_devices_stand_where_each_shape_has_them() -> None:
    assert loaded(f"{NEW}device: gpu:0,1\n").device == Device("gpu", (0, 1))
    assert loaded(f'{B2}  device: "gpu"\n').device == Device("gpu", (0,))


def test_both_shapes_take_our_keys() -> None:
    ours = "url: localhost:8001\ntimeout: 5\nServing:\n  port: 9090\n"
    for text in (B2, NEW):
        config = loaded(text + ours)
        assert (config.url, config.timeout, config.serving) == ("localhost:8001", 5.0, Serving(port=9090))


def test_what_paddlex_sets_without_effect_here_is_noted() -> None:
    text = new(use_hpip="true", hpi_config="{backend: onnxruntime}") + (
        "Hpi:\n  backend_configs: {}\nengine: paddle_static\nServing:\n  visualize: false\n  return_urls: true\n  extra: {a: 1}\n"
    )
    engine = "ONNX Runtime in Triton runs the network"
    assert [note.removeprefix(f"{NAME}, ") for note in loaded(text).notes] == [
        f"line 10: use_hpip has no effect here: {engine}",
        f"line 11: hpi_config has no effect here: {engine}",
        f"line 12: Hpi has no effect here: {engine}",
        f"line 14: engine has no effect here: {engine}",
        "line 16: visualize has no effect here: each request chooses whether to return the picture",
        "line 17: return_urls has no effect here: the response itself contains the picture",
        "line 18: extra has no effect here: it is for PaddleX's own service",
    ]


def test_what_sets_nothing_is_not_noted() -> None:
    text = (
        new(use_hpip="False", hpi_config="{}") + "Hpi:\nengine: null\nServing: {visualize: True, return_urls: null, extra: {}}\n"
    )
    assert loaded(text).notes == ()


def test_a_running_server_leaves_repository_and_device_without_effect() -> None:
    config = loaded(f"{NEW}url: localhost:8001\nrepository: models\ndevice: cpu\n")
    assert [note.removeprefix(f"{NAME}, ") for note in config.notes] == [
        "line 11: repository has no effect here: the server at url has its own",
        "line 12: device has no effect here: the server at url has its own",
    ]


SIZES = "must be a whole number of pixels from 1 to 16384, or two: [1024, 512]"
TEXT = "must be text, in quotes if it looks like a number or another type"
SHAPE = "layout, but this file has"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        # Keys
        (NEW.replace("model_name", "modle_name"), "line 6: unknown key 'modle_name'; did you mean 'model_name'?"),
        (NEW.replace("SubModules", "submodules"), "line 3: unknown key 'submodules'; did you mean 'SubModules'?"),
        (NEW.replace("pipeline_name", "pipelin_name"), "line 1: unknown key 'pipelin_name'; did you mean 'pipeline_name'?"),
        (NEW.replace("model_name", "model"), "line 6: unknown key 'model'; did you mean 'model_name'?"),
        (B2.replace("model:", "model_name:"), "line 6: unknown key 'model_name'; did you mean 'model'?"),
        (B2.replace("Pipeline:", "Pipelines:"), "line 5: unknown key 'Pipelines'; did you mean 'Pipeline'?"),
        (f"{NEW}Serving:\n  prot: 1\n", "line 11: unknown key 'prot'; did you mean 'port'?"),
        (
            f"{NEW}Serving:\n  zzz: 1\n",
            "line 11: unknown key 'zzz'; known here: host, port, timeout, max_body_bytes, root_path, visualize, return_urls,"
            " extra",
        ),
        (
            new(device="cpu"),
            "line 10: unknown key 'device' in SubModules.SemanticSegmentation; it belongs at the top of the file",
        ),
        (
            f"{NEW}batch_size: 2\n",
            "line 10: unknown key 'batch_size' in the file; it belongs in SubModules.SemanticSegmentation",
        ),
        (
            new(timeout="2"),
            "line 10: unknown key 'timeout' in SubModules.SemanticSegmentation; it belongs at the top of the file or in Serving",
        ),
        (f"{B2}device: cpu\n", "line 8: unknown key 'device' in the file; it belongs in Pipeline"),
        (
            "pipeline_name: semantic_segmentation\nmodel_name: A\n",
            "line 2: unknown key 'model_name' in the file; it belongs in SubModules.SemanticSegmentation",
        ),
        (
            "pipeline_name: semantic_segmentation\nPipeline: {model: A}\n",
            f"line 2: unknown key 'Pipeline'; it belongs to PaddleX 3.0.0b2's {SHAPE} 3.7.2's; use only one",
        ),
        (
            f"{B2}SubModules:\n",
            f"line 8: unknown key 'SubModules'; it belongs to PaddleX 3.7.2's {SHAPE} 3.0.0b2's; use only one",
        ),
        (f"{NEW}? [a, b]\n: 1\n", "line 10: a key is a list of 2, but must be a name"),
        (
            f"{NEW}<<: {{device: cpu}}\n",
            "line 10: unknown key '<<'; known here: pipeline_name, SubModules, device, url, timeout, repository, Serving, Hpi,"
            " engine, engine_config, use_hpip, hpi_config, hpi_params",
        ),
        (new(model_name="A") + "    model_name: B\n", "line 10: key 'model_name' already appears on line 6"),
        (
            f"{NEW}SubModules: {{}}\nSubModules: {{}}\n",
            "line 10: key 'SubModules' already appears on line 3\nline 11: key 'SubModules' already appears on line 3",
        ),
        # Required keys
        ("pipeline_name: semantic_segmentation\n", "line 1: key 'SubModules.SemanticSegmentation.model_name' is missing"),
        (new(model_name="null"), "line 1: key 'SubModules.SemanticSegmentation.model_name' is missing"),
        (NEW.partition("\n")[2], "line 1: key 'pipeline_name' is missing; it must be semantic_segmentation"),
        (
            "Pipeline: {batch_size: 1}\n",
            "line 1: key 'Global.pipeline_name' is missing; it must be semantic_segmentation\n"
            "line 1: key 'Pipeline.model' is missing",
        ),
        # Pipelines
        (
            "pipeline_name: OCR\nSubModules:\n  TextDetection: {model_name: PP-OCRv5_server_det, limit_side_len: 64}\n",
            "line 1: pipeline_name is 'OCR'; only semantic_segmentation is supported",
        ),
        (
            B2.replace("semantic_", "instance_"),
            "line 2: pipeline_name is 'instance_segmentation'; only semantic_segmentation is supported",
        ),
        (
            NEW.replace("pipeline_name: semantic_segmentation", "pipeline_name: semantic_segmentaton"),
            "line 1: pipeline_name is 'semantic_segmentaton'; did you mean 'semantic_segmentation'?",
        ),
        (new(module_name="text_detection"), "line 5: module_name is 'text_detection', but must be semantic_segmentation"),
        # Values
        (new(model_name="[A]"), f"line 6: model_name is a list of 1, but {TEXT}"),
        (new(model_name="{a: b}"), f"line 6: model_name is a section of keys, but {TEXT}"),
        (new(model_name="18"), f"line 6: model_name is 18, but {TEXT}"),
        (new(model_name="yes"), f"line 6: model_name is yes, but {TEXT}"),
        (new(model_name="' '"), f"line 6: model_name is ' ', but {TEXT}"),
        (
            new(model_name="../secret"),
            "line 6: '../secret' is not a valid model name; use letters, digits, '.', '_' and '-'",
        ),
        (
            B2.replace("PP-LiteSeg-T", "PP LiteSeg"),
            "line 6: 'PP LiteSeg' is not a valid model name; did you mean 'PP-LiteSeg-T'?",
        ),
        (new(model_dir="7"), f"line 7: model_dir is 7, but {TEXT}"),
        (
            new(model_dir="weights"),
            "line 7: there is no folder 'weights' beside this file or in the current folder",
        ),
        (
            new(model_dir=f"'{'a' * 300}'"),
            f"line 7: there is no folder '{'a' * 300}' beside this file or in the current folder",
        ),
        (new(batch_size="two"), "line 8: batch_size is 'two', but must be a whole number from 1 up"),
        (new(batch_size="0"), "line 8: batch_size is 0, but must be a whole number from 1 up"),
        (new(batch_size="1.5"), "line 8: batch_size is 1.5, but must be a whole number from 1 up"),
        (new(batch_size="'1'"), "line 8: batch_size is '1', but must be a whole number from 1 up"),
        (new(batch_size="true"), "line 8: batch_size is true, but must be a whole number from 1 up"),
        (new(batch_size="1:30"), "line 8: batch_size is 1:30, but must be a whole number from 1 up"),
        (new(batch_size="010"), "line 8: batch_size is 010, but must be a whole number from 1 up"),
        (new(batch_size="9" * 5000), f"line 8: batch_size is {'9' * 200}..., but must be a whole number from 1 up"),
        (new(target_size="0"), f"line 9: target_size is 0, but {SIZES}"),
        (new(target_size="16385"), f"line 9: target_size is 16385, but {SIZES}"),
        (new(target_size="(512, 512)"), f"line 9: target_size is '(512, 512)', but {SIZES}"),
        (new(target_size="[512]"), f"line 9: target_size is a list of 1, but {SIZES}"),
        (new(target_size="[1, 2, 3]"), f"line 9: target_size is a list of 3, but {SIZES}"),
        (new(target_size="[512, big]"), f"line 9: target_size is a list of 2, but {SIZES}"),
        (new(target_size="{w: 1}"), f"line 9: target_size is a section of keys, but {SIZES}"),
        (f"{NEW}device: tpu\n", "line 10: device 'tpu': unknown; did you mean cpu or gpu or npu or xpu?"),
        (f"{NEW}device: gpu:0,0\n", "line 10: device 'gpu:0,0': 0 is given twice"),
        (f"{NEW}device: 0\n", f"line 10: device is 0, but {TEXT}"),
        (
            f"{NEW}url: http://triton:8001\n",
            "line 10: url is 'http://triton:8001', but must be a gRPC address, HOST:PORT, such as localhost:8001",
        ),
        (f"{NEW}url: triton\n", "line 10: url is 'triton', but must be a gRPC address, HOST:PORT, such as localhost:8001"),
        (f"{NEW}url: triton:0\n", "line 10: url is 'triton:0', but must be a gRPC address, HOST:PORT, such as localhost:8001"),
        (
            f"{NEW}url: triton:65536\n",
            "line 10: url is 'triton:65536', but must be a gRPC address, HOST:PORT, such as localhost:8001",
        ),
        (f"{NEW}url: [a]\n", "line 10: url is a list of 1, but must be a gRPC address, HOST:PORT, such as localhost:8001"),
        (f"{NEW}timeout: 0\n", "line 10: timeout is 0, but must be a number of seconds above 0"),
        (f"{NEW}timeout: -1\n", "line 10: timeout is -1, but must be a number of seconds above 0"),
        (f"{NEW}timeout: .inf\n", "line 10: timeout is .inf, but must be a number of seconds above 0"),
        (f"{NEW}timeout: .nan\n", "line 10: timeout is .nan, but must be a number of seconds above 0"),
        (f"{NEW}timeout: 1e999\n", "line 10: timeout is '1e999', but must be a number of seconds above 0"),
        (f"{NEW}timeout: 10 s\n", "line 10: timeout is '10 s', but must be a number of seconds above 0"),
        (f"{NEW}repository: 5\n", f"line 10: repository is 5, but {TEXT}"),
        (f"{NEW}Serving: on\n", "line 10: Serving is on, but must be keys with values"),
        (f"{NEW}Serving:\n  port: 65536\n", "line 11: port is 65536, but must be a whole number from 0 to 65535"),
        (
            f"{NEW}Serving:\n  root_path: seg/\n",
            "line 11: root_path is 'seg/', but must be a path like /seg or /vision/seg: begin with a slash, end without one, and"
            " use only letters, digits and ._~:@!$+,;=-",
        ),
        (f"{NEW}Serving:\n  max_body_bytes: 64MB\n", "line 11: max_body_bytes is '64MB', but must be a whole number from 1 up"),
        (
            f"{NEW}model: A\n",
            "line 10: unknown key 'model'; known here: pipeline_name, SubModules, device, url, timeout, repository, Serving, Hpi,"
            " engine, engine_config, use_hpip, hpi_config, hpi_params",
        ),
        ("pipeline_name: semantic_segmentation\nSubModules: 5\n", "line 2: SubModules is 5, but must be keys with values"),
        # YAML
        (f"{NEW}device: gpu: 0\n", "line 10: not YAML: mapping values are not allowed here"),
        (f"{NEW}\tdevice: cpu\n", "line 10: not YAML: found character '\\t' that cannot start any token"),
        (f"{NEW}device: [cpu\n", "line 11: not YAML: expected ',' or ']', but got '<stream end>'"),
        (f"{NEW}device: \x07\n", "line 10: not YAML: contains the character U+0007"),
        (
            NEW.encode() + b"# gr\xfcn\n",
            "line 10: is neither UTF-8 nor GBK; save it as UTF-8, for example with iconv -f ENCODING -t UTF-8",
        ),
        ("", ": is empty"),
        ("# nothing but this\n", ": is empty"),
        ("- a\n- b\n", "line 1: is a list of 2, but must be keys with values"),
        ("\nPP-LiteSeg-T\n", "line 2: is 'PP-LiteSeg-T', but must be keys with values"),
        (f"{NEW}---\na: b\n", "line 10: a second document begins; a file may hold only one"),
        ("a: &a [1]\nb: *a\n", "line 2: the alias *a is not supported; write the value out"),
        ("a: &a\n  b: *a\n", "line 2: the alias *a is not supported; write the value out"),
        (
            f"{NEW}device: !!python/object/apply:os.system [ls]\n",
            "line 10: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not supported; leave it out",
        ),
        (f"{NEW}device: !mine cpu\n", "line 10: the tag '!mine' is not supported; leave it out"),
        ("a: " + "[" * 60000, "line 1: nested deeper than 16 levels"),
        (f"{NEW}# {'a' * 2**16}\n", ": is larger than 65536 bytes"),
    ],
)
def test_each_mistake_is_told_with_its_line_and_what_is_right(text: str | bytes, told: str) -> None:
    assert refusal(text) == told


def test_all_mistakes_of_a_file_are_told_together_in_the_order_of_their_lines() -> None:
    text = (
        "timeout: soon\n" + new(model_name="a b", batch_size="0").replace("target_size", "tagret_size") + "device: tpu\nzzz: 1\n"
    )
    assert [line.partition(":")[0] for line in refusal(text).splitlines()] == [
        "line 1",
        "line 7",
        "line 9",
        "line 10",
        "line 11",
        "line 12",
    ]


def test_a_misspelt_section_is_read_for_its_own_mistakes() -> None:
    assert refusal(new(batch_size="0").replace("SemanticSegmentation", "SemanticSegmentaton")) == (
        "line 4: unknown key 'SemanticSegmentaton'; did you mean 'SemanticSegmentation'?\n"
        "line 8: batch_size is 0, but must be a whole number from 1 up"
    )


def test_weights_of_ones_own_do_not_go_with_a_running_server() -> None:
    Path("weights").mkdir()
    told = "the running server at url (line {}) serves models by name, not './weights'"
    assert refusal(new(model_dir="./weights") + "url: localhost:8001\n") == f"line 7: {told.format(10)}"
    assert refusal(B2.replace("PP-LiteSeg-T", "./weights") + "url: localhost:8001\n") == f"line 6: {told.format(8)}"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere.yaml", "nowhere.yaml: no such file"),
        ("folder/nowhere.yml", "folder/nowhere.yml: no such file"),
        ("OCR", "OCR: neither a file nor a pipeline; only semantic_segmentation is supported"),
        (
            "instance_segmentation",
            "instance_segmentation: neither a file nor a pipeline; only semantic_segmentation is supported",
        ),
        (
            "semantic_segmentaton",
            "semantic_segmentaton: no such file; did you mean 'semantic_segmentation', the built-in pipeline?",
        ),
        (
            "./Semantic-Segmentation.yaml",
            "./Semantic-Segmentation.yaml: no such file; did you mean 'semantic_segmentation', the built-in pipeline?",
        ),
        (".", ".: Is a directory"),
        ("a\0b", "a\0b: embedded null byte"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(name: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(name)
    assert str(raised.value) == told


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_must_not_be_read_is_told() -> None:
    Path(written(NEW)).chmod(0)
    with pytest.raises(ConfigurationError, match=r"^pipeline\.yaml: Permission denied$"):
        load(NAME)


def test_the_file_is_named_as_the_caller_named_it(tmp_path: Path) -> None:
    written(NEW.replace("model_name", "modle_name"), "semantic_segmentation.yaml")
    with pytest.raises(ConfigurationError) as raised:
        load(tmp_path / "semantic_segmentation.yaml")
    told = "line 6: unknown key 'modle_name'; did you mean 'model_name'?"
    assert str(raised.value) == f"{tmp_path}/semantic_segmentation.yaml, {told}"


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read() -> None:
    text = NEW.replace("\n", "\r\n").encode("utf-8-sig")
    assert loaded(text) == PipelineConfig("PP-LiteSeg-T")
    assert refusal(text.replace(b"batch_size: 1", b"batch_size: 0")).startswith("line 8: ")


@pytest.mark.parametrize("encoding", ["gbk", "utf-16"])
def test_a_file_from_windows_in_china_is_read(encoding: str) -> None:
    Path("道路模型").mkdir()
    text = NEW.replace("model_dir: null", "") + "# 语义分割 配置文件\nrepository: 道路模型\n"
    assert loaded(text.encode(encoding)).repository == Path("道路模型")


@pytest.mark.parametrize("text", [B2, NEW, default_text()])
def test_a_file_cut_anywhere_is_read_or_refused(text: str) -> None:
    for end in range(0, len(text), max(1, len(text) // 25)):
        try:
            config = loaded(text[:end])
        except ConfigurationError:
            continue
        assert isinstance(config.model, str)


@pytest.mark.parametrize(
    "value", ["[]", "{}", "[[]]", "{a: {b: [c]}}", "''", "0", "-1", "1e400", "true", "2020-01-01", "0x1F", "'\\0'", '"\\0"']
)
def test_no_value_anywhere_does_more_than_be_refused(value: str) -> None:
    lines = f"{NEW}device: cpu\nurl: a:1\ntimeout: 1\nrepository: r\nServing: {{}}\nHpi: 1\n".splitlines()
    for number, line in enumerate(lines):
        if line:
            changed = [*lines[:number], f"{line.partition(':')[0]}: {value}", *lines[number + 1 :]]
            with suppress(ConfigurationError):
                loaded("\n".join(changed))


def test_reading_constructs_no_object_of_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    def construct(*_: object) -> None:
        pytest.fail("a value was constructed")

    monkeypatch.setattr(yaml.SafeLoader, "construct_document", construct)
    assert loaded(NEW).model == "PP-LiteSeg-T"


@pytest.mark.parametrize("module", ["device", "checked_yaml", "pipeline.config"])
def test_a_configuration_needs_neither_the_gateway_nor_onnx_runtime(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("fastapi", "onnxruntime", "pydantic", "pydantic_settings", "semseg_client.gateway"):
        monkeypatch.setitem(sys.modules, name, None)
    spec = importlib.util.spec_from_file_location(f"semseg_client.{module}_again", PACKAGE / f"{module.replace('.', '/')}.py")
    assert spec is not None
    assert spec.loader is not None
    again = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, again)
    spec.loader.exec_module(again)


@pytest.mark.parametrize("given", ["", " ", "(slice)"])
def test_an_empty_name_of_a_model_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError, match="the name of the model is empty"):
        name_or_folder(given)
