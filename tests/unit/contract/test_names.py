from __future__ import annotations

import pytest

from semseg_contract.names import check_name, model_of, network_of, plain_name


@pytest.mark.parametrize("name", ["PP-LiteSeg-T", "Deeplabv3_Plus-R50", "7.b"])
def test_names_of_the_contract_are_taken(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", "-net", "a b", "../net", "net_network", "preprocess", "postprocess", "draw", "net\n"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a valid model name"):
        check_name(name)


@pytest.mark.parametrize("typed", ["SegFormer-B0", "SegFormer-B0 (slice)", "SegFormer-B0(slice)"])
def test_slice_is_no_part_of_a_name(typed: str) -> None:
    assert plain_name(typed) == "SegFormer-B0"


def test_a_network_belongs_to_its_model() -> None:
    assert model_of(network_of("net")) == "net"
