"""Seeded networks in Paddle's inference formats, as real as an official archive and made on the spot.

    python -m tests.networks OUT_FOLDER --width T --format legacy

Run it in the exporting environment: it needs Paddle and PaddleSeg.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any, Literal

Width = Literal["T", "narrow"]
Format = Literal["pir", "legacy"]

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
    """Write a PP-LiteSeg with random weights to `folder`: inference.json or .pdmodel, inference.pdiparams, inference.yml.

    Its batch-norm statistics come from a few smooth random images, without which every pixel would be of one class.
    "T" is PaddleSeg's own width (8.15 million parameters), "narrow" a sixteenth of it. Input `x` float32 [N, 3, H, W],
    output int32 [N, H, W], as PaddleSeg's exporter writes them. A legacy program leaves this process in static mode.
    """
    warnings.filterwarnings("ignore")
    import paddle

    paddle.seed(seed)
    network = _pp_liteseg(width, classes)
    _calibrate(network, seed)
    folder.mkdir(parents=True, exist_ok=True)
    if file_format == "pir":
        _save_pir(network, folder)
    else:
        _save_legacy(network, _pp_liteseg, (width, classes), folder)
    program = "inference.json" if file_format == "pir" else "inference.pdmodel"
    (folder / "inference.yml").write_text(DESCRIPTION.format(program=program, name=name))


def _pp_liteseg(width: Width, classes: int) -> Any:
    from paddleseg.models import PPLiteSeg
    from paddleseg.models.backbones.stdcnet import STDC1, STDCNet

    if width == "T":
        return PPLiteSeg(classes, STDC1(), arm_out_chs=[32, 64, 128], seg_head_inter_chs=[32, 64, 64])
    backbone = STDCNet(base=16, layers=[2, 2, 2])
    return PPLiteSeg(classes, backbone, arm_out_chs=[16, 24, 32], seg_head_inter_chs=[16, 24, 24], cm_out_ch=32)


def _calibrate(network: Any, seed: int) -> None:
    """Draw weights through which an image is seen to the end, take the statistics of its features, favour no class.

    PaddleSeg's own first weights are so small that every image gets the same labels.
    """
    import numpy as np
    import paddle

    from semseg_export.parity import smooth_pixels

    def images(step: int) -> Any:
        pixels = smooth_pixels(seed + step, (4, 192, 256))
        return paddle.to_tensor(pixels.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1)

    random = np.random.default_rng(seed)
    for layer in network.sublayers():
        if isinstance(layer, paddle.nn.Conv2D):
            shape = layer.weight.shape
            layer.weight.set_value(random.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32))
    norms = [layer for layer in network.sublayers() if hasattr(layer, "_momentum")]
    network.train()
    with paddle.no_grad():
        for step in range(4):
            for layer in norms:
                layer._momentum = step / (step + 1)  # the mean over all steps
            network(images(step))
    network.eval()

    features = []
    last = network.seg_heads[0].conv_out
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


def _save_pir(network: Any, folder: Path) -> None:
    import paddle

    class Labels(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Any) -> Any:
            return paddle.argmax(self.network(x)[0], axis=1, dtype="int32")

    spec = [paddle.static.InputSpec([None, 3, None, None], "float32", "x")]
    labels = Labels()
    labels.eval()
    paddle.jit.save(paddle.jit.to_static(labels, input_spec=spec, full_graph=True), str(folder / "inference"))


def _save_legacy(network: Any, build: Any, arguments: tuple[Any, ...], folder: Path) -> None:
    """Build the network again as a static program of the old kind, which Paddle 3.2 writes for no dynamic network."""
    import paddle
    from paddle.base.layer_helper import LayerHelper

    def sigmoid(x: Any) -> Any:
        helper = LayerHelper("sigmoid")
        out = helper.create_variable_for_type_inference(x.dtype)
        helper.append_op(type="sigmoid", inputs={"X": x}, outputs={"Out": out})
        return out

    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    # Paddle 3.2's own sigmoid takes no variable of an old program; everything else in PP-LiteSeg still does.
    paddle.nn.functional.sigmoid = sigmoid
    paddle.enable_static()
    with paddle.pir_utils.OldIrGuard():
        program, startup = paddle.static.Program(), paddle.static.Program()
        with paddle.static.program_guard(program, startup):
            x = paddle.static.data("x", [None, 3, None, None], "float32")
            rebuilt = build(*arguments)
            rebuilt.eval()
            ids = paddle.argmax(rebuilt(x)[0], axis=1, dtype="int32")
        block = program.global_block()
        for index in reversed(range(len(block.ops))):
            # PaddleSeg draws the first weights by hand, which a static program would repeat at every run.
            if block.ops[index].type == "gaussian_random":
                block._remove_op(index)
        executor = paddle.static.Executor(paddle.CPUPlace())
        executor.run(startup)
        rebuilt.set_state_dict(weights)
        paddle.static.save_inference_model(str(folder / "inference"), [x], [ids], executor, program=program)


def main() -> None:
    parser = argparse.ArgumentParser(description=save_pp_liteseg.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--width", choices=["T", "narrow"], default="narrow")
    parser.add_argument("--format", choices=["pir", "legacy"], default="pir")
    parser.add_argument("--classes", type=int, default=19)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="PP-LiteSeg-T", help="the model's name in inference.yml")
    given = parser.parse_args()
    save_pp_liteseg(
        given.folder,
        width=given.width,
        file_format=given.format,
        classes=given.classes,
        seed=given.seed,
        name=given.name,
    )


if __name__ == "__main__":
    main()
