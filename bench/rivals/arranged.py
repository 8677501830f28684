"""Our own server with its threads arranged by hand: S instances of the network with T threads each."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelInstanceGroup

from semseg_contract import config_pbtxt
from semseg_contract.names import CONFIG, network_of

from ..models import Model
from ..places import HOME, REPOSITORY
from .semseg import Semseg


class Arranged(Semseg):
    """The network's requests share no cores, as they do by default."""

    def __init__(self, model: Model, arrangement: str) -> None:
        self.name = f"semseg-{arrangement}"
        super().__init__(model)
        self._arrangement = arrangement

    def repository(self) -> Path:
        """A copy of the exported repository with this arrangement."""
        copy = HOME / "arranged" / self._arrangement
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(REPOSITORY, copy, copy_function=os.link)
        file = copy / network_of(self.model.name) / CONFIG
        config = config_pbtxt.read(file)
        instances, threads = self._arrangement.split("x")
        del config.instance_group[:]
        config.instance_group.append(ModelInstanceGroup(count=int(instances), kind=ModelInstanceGroup.KIND_CPU))
        config.parameters["intra_op_thread_count"].string_value = threads
        file.unlink()  # a link to the original
        file.write_bytes(config_pbtxt.text(config))
        return copy
