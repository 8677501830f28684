from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from onnx import ModelProto, checker

from semseg_export.checks import parity
from semseg_export.conversion import convert
from semseg_export.conversion.cpu_layout import laid_out
from semseg_export.conversion.graph import served_graph
from semseg_export.errors import DisagreementError
from semseg_export.runtime import Session
from semseg_export.synthetic_images import smooth_pixels
from semseg_export.weights.archive import Normalisation, read_archive
from tests.support import DEMO_WEIGHTS, ROOT
from tests.unit.export.conversion.test_graph import pointwise

SHAPES = [(1, 256, 512), (1, 333, 417), (1, 97, 33), (2, 130, 65), (3, 64, 96), (1, 512, 1024)]
SEEDED = {"PP-LiteSeg-T": ("--width", "T"), "SeaFormer_tiny": ("--network", "SeaFormer_tiny")}


@pytest.fixture(scope="module", params=["demo", *SEEDED])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelProto:
    folder = tmp_path_factory.mktemp("network")
    if request.param == "demo":
        archive = read_archive(DEMO_WEIGHTS)
    else:
        command = [sys.executable, "-m", "tests.networks", str(folder), *SEEDED[request.param]]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        archive = read_archive(folder)
    return served_graph(convert.to_onnx(archive, folder), archive.normalisation).model


def test_laid_out_for_the_cpu_a_network_gives_the_same_ids(served: ModelProto) -> None:
    model = laid_out(served)
    assert model is not None
    checker.check_model(model, full_check=True)
    plain, rewritten = Session(served), Session(model)
    for seed, shape in enumerate(SHAPES):
        pixels = smooth_pixels(seed, shape)
        ids = plain.run(pixels)
        assert len(np.unique(ids)) >= 5
        assert np.array_equal(ids, rewritten.run(pixels)), shape
    assert any(node.op_type == "If" for node in model.graph.node)


def test_a_network_that_does_not_end_in_an_upsampling_stays_as_it_is() -> None:
    served = served_graph(pointwise(5), Normalisation()).model
    assert laid_out(served) is None


def test_logits_that_something_else_reads_too_stay_as_they_are(network: ModelProto) -> None:
    served = served_graph(network, Normalisation()).model
    model = laid_out(served)
    assert model is not None
    [logits] = [node.input[0] for node in served.graph.node if node.op_type == "ArgMax"]
    served.graph.node.add(op_type="Identity", input=[logits], output=["copy"])
    assert laid_out(served) is None


def test_the_other_file_must_answer_the_same() -> None:
    ids = [np.zeros((1, 4, 6), np.uint8), np.zeros((2, 4, 8), np.uint8)]
    parity.require_same(ids, [each.copy() for each in ids])
    other = [each.copy() for each in ids]
    other[1][1, 2, 3] = 1
    with pytest.raises(DisagreementError, match="changes the class of 1 pixels of a 8x4 image: nothing was installed"):
        parity.require_same(ids, other)
