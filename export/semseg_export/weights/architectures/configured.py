"""A network as its training configuration describes it: the same weights fit networks that compute something else.

Dilations, strides and the way of upsampling change no weight's shape.
"""

from __future__ import annotations

from typing import Any

from paddle.nn import Layer
from paddleseg.cvlibs import manager
from paddleseg.cvlibs.builder import Builder

from ...errors import WeightsError, printable
from .seaformer import SeaFormer


def configured(settings: dict[str, Any], classes: int, plain: Layer) -> Layer:
    """The network of a configuration's section `model`, built by PaddleSeg.

    `plain` is PaddleX's network of that kind. Raises WeightsError if the configuration describes another kind, or none.
    """
    if isinstance(plain, SeaFormer):  # PaddleSeg's package has none, and its other settings show in the shapes of the weights
        if settings.get("type") in manager.MODELS.components_dict:
            raise _other(settings, "SeaFormer")
        if settings.get("align_corners"):
            raise WeightsError("the training configuration has align_corners: true, which is not supported for SeaFormer")
        return plain
    kind = type(plain).__name__
    if settings.get("type") != kind:
        raise _other(settings, kind)
    network: Layer
    try:
        parts = Builder(None, [manager.MODELS, manager.BACKBONES])
        network = parts.build_component({**_untrained(settings), "num_classes": classes})
    except Exception as error:  # whatever PaddleSeg's networks raise for arguments that they do not take
        last = printable(str(error).splitlines()[-1]) if str(error) else type(error).__name__
        raise WeightsError(f"PaddleSeg cannot build the network of the training configuration: {last}") from error
    return network


def _other(settings: dict[str, Any], kind: str) -> WeightsError:
    told = printable(str(settings.get("type")))
    return WeightsError(
        f"the training configuration describes the network {told}, but these are to be the weights of {kind}: name the right"
        " network with MODEL= (--architecture)"
    )


def _untrained(settings: Any) -> Any:
    """The settings without the weights that training began with: nothing is fetched or read."""
    if isinstance(settings, dict):
        return {key: _untrained(value) for key, value in settings.items() if key != "pretrained"}
    return [_untrained(each) for each in settings] if isinstance(settings, list) else settings
