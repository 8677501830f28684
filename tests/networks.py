"""Seeded networks in Paddle's inference formats, built on the fly but otherwise like official archives.

    python -m tests.networks OUT_FOLDER --width T --format legacy

Run it in the exporting environment: it needs Paddle and PaddleSeg.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import paddle
from paddle.base.layer_helper import LayerHelper
from paddleseg.models import PPLiteSeg
from paddleseg.models.backbones.stdcnet import STDCNet

from semseg_export.synthetic_images import smooth_pixels
from semseg_export.weights import zoo
from semseg_export.weights.architectures import architecture
from semseg_export.workers.network_builder import save

Width = Literal["T", "narrow"]
Format = Literal["pir", "legacy"]
Build = Callable[[], Any]

DESCRIPTION = """\
Deploy:
  model: {program}
  params: inference.pdiparams
  input_shape: [null, 3, null, null]
  output_dtype: int32
  output_op: argmax
  transforms:
  - type: Normalize
Global:
  model_name: {name}
"""


def save_pp_liteseg(
    folder: Path,
    *,
    width: Width = "narrow",
    file_format: Format = "pir",
    classes: int = 19,
    seed: int = 0,
    name: str = "PP-LiteSeg-T",
) -> None:
    """Write a PP-LiteSeg as `save_network` does. "T" is PaddleSeg's own width, "narrow" has a sixteenth of its parameters."""
    wide = architecture("PP-LiteSeg-T")
    build = partial(wide.build, "PP-LiteSeg-T", classes) if width == "T" else partial(_narrow, classes)
    _save(folder, name, build, wide.head, file_format, seed)


def save_network(folder: Path, name: str, *, file_format: Format = "pir", classes: int | None = None, seed: int = 0) -> None:
    """Write one of the eighteen networks with random weights to `folder`: inference.json or .pdmodel, inference.pdiparams, .yml.

    Its batch-norm statistics come from a few smooth random images; without them every pixel would get the same class.
    Input `x` float32 [N, 3, H, W], output int32 [N, H, W], as PaddleSeg's exporter writes them. A legacy program leaves
    the process in static mode.
    """
    entry = architecture(name)
    _save(folder, name, partial(entry.build, name, classes or _classes(name)), entry.head, file_format, seed)


def seeded(name: str, seed: int = 0) -> Any:
    """One of the eighteen networks as a Paddle layer, with the weights that `save_network` writes."""
    entry = architecture(name)
    return _seeded(partial(entry.build, name, _classes(name)), entry.head, seed)


def _classes(name: str) -> int:
    return len(zoo.network(name).data_set.classes)


def _save(folder: Path, name: str, build: Build, head: str, file_format: Format, seed: int) -> None:
    network = _seeded(build, head, seed)
    folder.mkdir(parents=True, exist_ok=True)
    if file_format == "pir":
        save(network, folder)
    else:
        _save_legacy(network, build, folder)
    program = "inference.json" if file_format == "pir" else "inference.pdmodel"
    (folder / "inference.yml").write_text(DESCRIPTION.format(program=program, name=name))


def _seeded(build: Build, head: str, seed: int) -> Any:
    warnings.filterwarnings("ignore")
    paddle.seed(seed)
    network = build()
    _calibrate(network, head, seed)
    return network


def _narrow(classes: int) -> Any:
    backbone = STDCNet(base=16, layers=[2, 2, 2])
    return PPLiteSeg(classes, backbone, arm_out_chs=[16, 24, 32], seg_head_inter_chs=[16, 24, 24], cm_out_ch=32)


def _calibrate(network: Any, head: str, seed: int) -> None:
    """Draw weights that carry an image's signal to the output, collect feature statistics from images, and favour no class.

    PaddleSeg's own initial weights are so small that every image gets the same labels.
    """

    def images(step: int) -> Any:
        pixels = smooth_pixels(seed + step, (4, 192, 256))
        return paddle.to_tensor(pixels.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1)

    random = np.random.default_rng(seed)
    for layer in network.sublayers():
        if isinstance(layer, paddle.nn.Conv2D):
            shape = layer.weight.shape
            layer.weight.set_value(random.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32))
        elif isinstance(layer, paddle.nn.Linear):
            shape = layer.weight.shape
            layer.weight.set_value(random.normal(0, shape[0] ** -0.5, shape).astype(np.float32))
    norms = [layer for layer in network.sublayers() if hasattr(layer, "_momentum")]
    network.train()
    with paddle.no_grad():
        for step in range(4):
            for layer in norms:
                layer._momentum = step / (step + 1)  # the mean over all steps
            network(images(step))
    network.eval()

    features = []
    last = dict(network.named_sublayers())[head]
    hook = last.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0].numpy()))
    with paddle.no_grad():
        network(images(4))
    hook.remove()
    samples = features[0].transpose(0, 2, 3, 1).reshape(-1, last.weight.shape[1])
    mean = samples.mean(axis=0)
    weight = last.weight.numpy()[:, :, 0, 0]
    weight -= np.outer(weight @ mean, mean) / (mean @ mean)
    weight /= (samples @ weight.T).std(axis=0)[:, None]
    last.weight.set_value(weight[:, :, None, None])


def _save_legacy(network: Any, build: Build, folder: Path) -> None:
    """Rebuild the network as an old static program, which Paddle 3.2 cannot write for a dynamic network."""

    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    # These Paddle 3.2 functions reject variables of an old program; everything else in the networks accepts them.
    paddle.nn.functional.sigmoid = lambda x: _old_operation("sigmoid", X=x)
    paddle.bmm = lambda x, y: _old_operation("bmm", X=x, Y=y)
    paddle.linspace = partial(_numbers, paddle.linspace)  # SegFormer needs its values as numbers
    paddle.enable_static()
    with paddle.pir_utils.OldIrGuard():
        program, startup = paddle.static.Program(), paddle.static.Program()
        with paddle.static.program_guard(program, startup):
            x = paddle.static.data("x", [None, 3, None, None], "float32")
            rebuilt = build()
            rebuilt.eval()
            ids = paddle.argmax(rebuilt(x)[0], axis=1, dtype="int32")
        block = program.global_block()
        for index in reversed(range(len(block.ops))):
            # PaddleSeg adds operations that draw initial weights; the static program would repeat them at every run.
            if block.ops[index].type.endswith("gaussian_random"):
                block._remove_op(index)
        executor = paddle.static.Executor(paddle.CPUPlace())
        executor.run(startup)
        rebuilt.set_state_dict(weights)
        paddle.static.save_inference_model(str(folder / "inference"), [x], [ids], executor, program=program)


def _old_operation(kind: str, **inputs: Any) -> Any:
    helper = LayerHelper(kind)
    out = helper.create_variable_for_type_inference(inputs["X"].dtype)
    helper.append_op(type=kind, inputs=inputs, outputs={"Out": out})
    return out


def _numbers(make: Callable[..., Any], *arguments: Any) -> list[Any]:
    with paddle.base.dygraph.guard():
        return list(make(*arguments))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a network with random weights, ready for inference.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--network", choices=zoo.MODELS, help="one of the eighteen; without it, a PP-LiteSeg of --width")
    parser.add_argument("--width", choices=["T", "narrow"], default="narrow")
    parser.add_argument("--format", choices=["pir", "legacy"], default="pir")
    parser.add_argument("--classes", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="PP-LiteSeg-T", help="the PP-LiteSeg's name in inference.yml")
    given = parser.parse_args()
    if given.network:
        save_network(given.folder, given.network, file_format=given.format, classes=given.classes, seed=given.seed)
    else:
        save_pp_liteseg(
            given.folder,
            width=given.width,
            file_format=given.format,
            classes=given.classes or 19,
            seed=given.seed,
            name=given.name,
        )


if __name__ == "__main__":
    main()
