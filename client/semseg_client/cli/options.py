"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semseg_contract.limits import LONGEST_SIDE

from ..pipeline.config import PIPELINE

Model = Annotated[
    str | None,
    typer.Option(
        help="Served or exported model, PaddleX network (fetched and exported on first use) or ./FOLDER of weights.",
        show_default="the only one, or else the pipeline's",
    ),
]
PipelineFile = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE", help="Pipeline name, or configuration file in PaddleX's format or ours.", show_default=PIPELINE
    ),
]
Url = Annotated[
    str | None,
    typer.Option(
        help="Use the running tritonserver at this gRPC address instead of starting one.",
        envvar="SEMSEG_URL",
        show_default=False,
    ),
]
ModelRepository = Annotated[
    Path | None, typer.Option(help="Model repository if this command starts a server.", show_default="model_repository")
]
Device = Annotated[
    str | None,
    typer.Option(
        help="Device for the network if this command starts a server: cpu, gpu, gpu:0,1.", show_default="gpu if there is one"
    ),
]
TargetSize = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=LONGEST_SIDE,
        help="Scale each image to fit into a square of this size in pixels before the network sees it.",
        show_default=False,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Number of images sent at once, for the server to batch; 1: one at a time.",
        show_default="enough for two batches, at least 4",
    ),
]
