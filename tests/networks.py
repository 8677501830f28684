"""Seeded networks in Paddle's inference formats, built on the fly but otherwise like official archives.

    python -m tests.networks OUT_FOLDER --width T --format legacy

Run it in the exporting environment: it needs Paddle and PaddleSeg.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle.base.layer_helper import LayerHelper
from paddleseg.models import PPLiteSeg
from paddleseg.models.backbones.stdcnet import STDCNet

from semseg_contract.official import OFFICIAL
from semseg_export.synthetic_images import Shape, smooth_pixels
from semseg_export.weights import zoo
from semseg_export.weights.architectures import architecture
from semseg_export.workers.network_builder import input_shape, save

Width = Literal["T", "narrow"]
Format = Literal["pir", "legacy"]
Build = Callable[[], Any]

DESCRIPTION = """\
Deploy:
  model: {program}
  params: inference.pdiparams
  input_shape: {shape}
  output_dtype: int32
  output_op: argmax
  transforms: {transforms}
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
    _save(folder, zoo.network("PP-LiteSeg-T"), name, build, file_format, seed)


def save_network(folder: Path, name: str, *, file_format: Format = "pir", classes: int | None = None, seed: int = 0) -> None:
    """Write one of the twenty networks with random weights to `folder`: inference.json or .pdmodel, inference.pdiparams, .yml.

    Its batch-norm statistics come from a few smooth random images; without them every pixel would get the same class.
    Input `x` float32 [N, 3, H, W], output int32 [N, H, W], as PaddleSeg's exporter writes them; N is 1, H and W 512 for
    MaskFormer. A legacy program leaves the process in static mode.
    """
    build = partial(architecture(name).build, name, classes or _classes(name))
    _save(folder, zoo.network(name), name, build, file_format, seed)


def seeded(name: str, seed: int = 0) -> Any:
    """One of the twenty networks as a Paddle layer, with the weights that `save_network` writes."""
    return _seeded(partial(architecture(name).build, name, _classes(name)), name, seed)


def prepared(name: str, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """RGB pixels [N, H, W, 3] as PaddleX passes them to the network of that name: [N, 3, H, W]."""
    normalize = zoo.network(name).transforms[-1]
    mean, std = (np.array(normalize.get(key, 0.5), np.float32) for key in ("mean", "std"))
    return np.ascontiguousarray(((pixels / np.float32(255) - mean) / std).transpose(0, 3, 1, 2), np.float32)


def _classes(name: str) -> int:
    return len(zoo.network(name).data_set.classes)


def _save(folder: Path, like: zoo.Network, name: str, build: Build, file_format: Format, seed: int) -> None:
    network = _seeded(build, like.name, seed)
    folder.mkdir(parents=True, exist_ok=True)
    size = like.size_for(())
    if file_format == "pir":
        save(network, folder, size)
    else:
        _save_legacy(network, build, folder)
    program = "inference.json" if file_format == "pir" else "inference.pdmodel"
    shape, transforms = json.dumps(input_shape(size)), json.dumps(like.transforms)
    (folder / "inference.yml").write_text(DESCRIPTION.format(program=program, name=name, shape=shape, transforms=transforms))


def _seeded(build: Build, like: str, seed: int) -> Any:
    warnings.filterwarnings("ignore")
    paddle.seed(seed)
    network = build()
    _calibrate(network, like, seed)
    return network


def _narrow(classes: int) -> Any:
    backbone = STDCNet(base=16, layers=[2, 2, 2])
    return PPLiteSeg(classes, backbone, arm_out_chs=[16, 24, 32], seg_head_inter_chs=[16, 24, 24], cm_out_ch=32)


def _calibrate(network: Any, like: str, seed: int) -> None:
    """Draw weights that carry an image's signal to the output, collect feature statistics from images, and favour no class.

    PaddleSeg's own initial weights are so small that every image gets the same labels.
    """

    def images(step: int, shape: Shape = (4, 192, 256)) -> Any:
        return paddle.to_tensor(prepared(like, smooth_pixels(seed + step, shape)))

    random = np.random.default_rng(seed)
    for layer in network.sublayers():
        if isinstance(layer, paddle.nn.Conv2D):
            shape = layer.weight.shape
            layer.weight.set_value(random.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32))
        elif isinstance(layer, paddle.nn.Linear):
            shape = layer.weight.shape
            layer.weight.set_value(random.normal(0, shape[0] ** -0.5, shape).astype(np.float32))
    norms = [layer for layer in network.sublayers() if hasattr(layer, "_momentum")]
    if norms:
        network.train()
        with paddle.no_grad():
            for step in range(4):
                for layer in norms:
                    layer._momentum = step / (step + 1)  # the mean over all steps
                network(images(step))
    network.eval()

    entry = architecture(like)
    layers = dict(network.named_sublayers())
    if not entry.linear:
        _centre(network, layers[entry.head], images(4))
        return
    # Without these factors the queries resemble each other, and one class wins everywhere.
    predictor = network.seghead.predictor
    predictor.query_embed.weight.set_value(10 * predictor.query_embed.weight)
    for last in (predictor.mask_embed.layers[-1], layers[entry.head]):
        _centre(network, last, images(4, (1, zoo.SIDE, zoo.SIDE)))
        last.weight.set_value(8 * last.weight)


def _centre(network: Any, last: Any, image: Any) -> None:
    """Give the outputs of the layer `last`, a 1x1 convolution or linear, a mean of 0 and a standard deviation of 1."""
    features = []
    hook = last.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0].numpy()))
    with paddle.no_grad():
        network(image)
    hook.remove()
    linear = last.weight.ndim == 2
    samples = features[0] if linear else features[0].transpose(0, 2, 3, 1)
    weight = last.weight.numpy().T if linear else last.weight.numpy()[:, :, 0, 0]
    samples = samples.reshape(-1, weight.shape[1])
    mean = samples.mean(axis=0)
    weight = weight - np.outer(weight @ mean, mean) / (mean @ mean)
    weight /= (samples @ weight.T).std(axis=0)[:, None]
    last.weight.set_value(weight.T if linear else weight[:, :, None, None])


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
    parser.add_argument("--network", choices=OFFICIAL, help="one of the twenty; without it, a PP-LiteSeg of --width")
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
