from __future__ import annotations

import numpy as np
import paddle
import pytest

from semseg_export.errors import WeightsError
from semseg_export.weights import zoo
from semseg_export.weights.architectures import architecture


def size_of(network: paddle.nn.Layer) -> float:
    """The number of parameters and running statistics, in millions."""
    return sum(int(np.prod(value.shape)) for value in network.state_dict().values()) / 1e6


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("PP-LiteSeg-T", 8.15),
        ("OCRNet_HRNet-W18", 12.12),
        ("Deeplabv3-R50", 39.12),
        ("Deeplabv3_Plus-R50", 26.79),
        ("SegFormer-B0", 3.72),
        ("SeaFormer_tiny", 1.69),
        ("SeaFormer_small", 4.03),
        ("SeaFormer_base", 8.67),
        ("SeaFormer_large", 14.04),
        ("MaskFormer_tiny", 41.79),
        ("MaskFormer_small", 63.13),
    ],
)
def test_networks_are_of_the_published_size(name: str, millions: float) -> None:
    entry = architecture(name)
    network = entry.build(name, len(zoo.network(name).data_set.classes))
    assert size_of(network) == pytest.approx(millions, abs=0.005)
    assert f"{entry.head}.weight" in network.state_dict()


def test_the_number_of_classes_is_that_of_the_head() -> None:
    for name in ("PP-LiteSeg-T", "SegFormer-B0", "SeaFormer_tiny", "MaskFormer_tiny"):
        entry = architecture(name)
        assert entry.classes(entry.build(name, 5).state_dict()[f"{entry.head}.weight"].shape) == 5


def test_seaformer_gives_logits_of_the_size_of_any_image() -> None:
    network = architecture("SeaFormer_tiny").build("SeaFormer_tiny", 7)
    network.eval()
    with paddle.no_grad():
        assert network(paddle.zeros([2, 3, 97, 130]))[0].shape == [2, 7, 97, 130]


def test_seaformer_bears_the_names_of_the_published_weights() -> None:
    names = set(architecture("SeaFormer_base").build("SeaFormer_base", 150).state_dict())
    assert len(names) == 610
    assert names >= {
        "backbone.smb1.stem_block.0._conv.weight",
        "backbone.smb1.layer1.conv.2._batch_norm._mean",
        "backbone.smb5.layer1.conv.4._conv.weight",
        "backbone.trans2.transformer_blocks.3.attn.pos_emb_columnk.pos_embed",
        "backbone.trans1.transformer_blocks.0.attn.proj_encode_row.1._conv.weight",
        "backbone.trans1.transformer_blocks.0.mlp.dwconv.bias",
        "fuse2.global_act._batch_norm._variance",
        "linear_fuse._conv.weight",
        "cls_seg.bias",
    }


def test_maskformer_bears_the_names_of_the_published_weights() -> None:
    names = set(architecture("MaskFormer_tiny").build("MaskFormer_tiny", 150).state_dict())
    assert len(names) == 381
    assert names >= {
        "backbone.patch_embed.proj.weight",
        "backbone.layers.2.blocks.5.attn.relative_position_bias_table",
        "backbone.layers.2.blocks.5.attn.relative_position_index",
        "backbone.layers.0.downsample.reduction.weight",
        "backbone.norm3.weight",
        "seghead.pixel_decoder.lateral_convs.3._conv.weight",
        "seghead.predictor.transformer.decoder.decoder_list.5.multihead_attn.out_proj.bias",
        "seghead.predictor.query_embed.weight",
        "seghead.predictor.class_embed.bias",
        "seghead.predictor.mask_embed.layers.2.weight",
    }


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"did you mean SeaFormer_base"):
        architecture("SeaFormer-base")
