from __future__ import annotations

import pytest

from semseg_contract.official import OFFICIAL
from semseg_contract.transforms import Resize
from semseg_export.errors import WeightsError
from semseg_export.weights import zoo


@pytest.fixture(autouse=True)
def official(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEMSEG_WEIGHTS_URL", raising=False)


def test_there_are_the_tutorials_eighteen_networks_and_two_more() -> None:
    assert len(set(OFFICIAL)) == 20
    assert [network.name for network in zoo.NETWORKS if network.family == "MaskFormer"] == ["MaskFormer_tiny", "MaskFormer_small"]
    assert {network.family for network in zoo.NETWORKS[:18]} == {"PP-LiteSeg", "OCRNet", "DeepLab", "SegFormer", "SeaFormer"}


def test_maskformer_takes_one_size_that_of_its_resize_or_paddlexs() -> None:
    network = zoo.network("MaskFormer_tiny")
    assert network.size_for((Resize((640, 330), keep_ratio=False, size_divisor=32),)) == (640, 352)
    assert network.size_for((Resize((640, 330)),)) == (512, 512)  # the images' shapes differ
    assert network.size_for(()) == (512, 512)
    assert zoo.network("SegFormer-B0").size_for((Resize((640, 330), keep_ratio=False),)) is None


def test_the_contract_has_all_of_them_by_name() -> None:
    assert tuple(network.name for network in zoo.NETWORKS) == OFFICIAL


def test_a_network_knows_both_kinds_of_its_weights() -> None:
    network = zoo.network("SegFormer-B0")
    assert network.archive == zoo.archive_url("SegFormer-B0")
    assert network.checkpoint == (
        "https://paddle-model-ecology.bj.bcebos.com/paddlex/official_pretrained_model/SegFormer-B0_pretrained.pdparams"
    )


def test_official_archives_have_the_address_of_paddlex() -> None:
    assert zoo.archive_url("SeaFormer_tiny") == (
        "https://paddle-model-ecology.bj.bcebos.com/paddlex/official_inference_model/paddle3.0.0/SeaFormer_tiny_infer.tar"
    )


def test_a_near_name_is_offered() -> None:
    with pytest.raises(WeightsError, match=r"did you mean PP-LiteSeg-T.*\? To export .* WEIGHTS="):
        zoo.archive_url("pp liteseg t")


def test_a_name_near_to_none_gets_them_all() -> None:
    with pytest.raises(WeightsError, match=r"PaddleX has no network 'yolo'; it has OCRNet_HRNet-W48, .*MaskFormer_small\. To"):
        zoo.archive_url("yolo")


def test_the_demo_network_is_not_downloaded() -> None:
    with pytest.raises(WeightsError, match="pass WEIGHTS=demo/PP-LiteSeg-Demo"):
        zoo.archive_url("PP-LiteSeg-Demo")


def test_a_mirror_must_name_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMSEG_WEIGHTS_URL", "https://mirror.example/weights")
    with pytest.raises(WeightsError, match=r"has no \{model\} in it"):
        zoo.archive_url("PP-LiteSeg-T")
