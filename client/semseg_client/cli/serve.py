"""`semseg serve`: runs tritonserver and the REST gateway."""

from __future__ import annotations

import json
import os
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ..errors import ServingError
from ..files import write_whole
from ..pipeline.config import name_at, name_or_folder
from ..ports import is_loopback
from ..triton.protocol import TINY_IMAGE
from ..types import NameOrFolder
from .folder import make_folder
from .run import ended_in_a_line

if TYPE_CHECKING:
    from ..device import Device
    from ..gateway import Settings
    from .service import Addresses


def serve(
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Exported model, PaddleX network (fetched and exported on first use) or ./FOLDER of weights; may be repeated."
            " REST uses the first (SEMSEG_MODEL) for requests that name none.",
            show_default="all exported",
        ),
    ] = None,
    model_repository: Annotated[Path, typer.Option(help="Triton's model repository.")] = Path("model_repository"),
    host: Annotated[str | None, typer.Option(help="REST address (SEMSEG_HOST).", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="REST port (SEMSEG_PORT); 0: any free port.", show_default="8080")
    ] = None,
    root_path: Annotated[
        str | None,
        typer.Option(
            metavar="/PREFIX",
            help="Prefix under which a reverse proxy offers REST, whether it removes the prefix or not (SEMSEG_ROOT_PATH).",
            show_default="none",
        ),
    ] = None,
    grpc_port: Annotated[int, typer.Option(min=0, max=65535, help="Triton's gRPC port; 0: any free port.")] = 8001,
    http_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Also open Triton's own HTTP port, for callers that you trust: anyone who can reach it, including web pages in a"
            " browser on this machine, can take the server down for a few seconds. Triton's default is 8000; 0: any free port.",
            show_default="closed",
        ),
    ] = None,
    metrics_port: Annotated[int, typer.Option(min=0, max=65535, help="Triton's metrics port; 0: any free port.")] = 8002,
    url: Annotated[
        str | None,
        typer.Option(
            help="Serve REST for the running tritonserver at this gRPC address (SEMSEG_URL) instead of starting one.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="REST worker processes (SEMSEG_WORKERS).", show_default="one for every four cores"),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            help="Maximum seconds for an inference; after that, the response is 504 (SEMSEG_TIMEOUT).", show_default="60"
        ),
    ] = None,
    max_body_bytes: Annotated[
        int | None,
        typer.Option(
            min=1, help="Maximum request body in bytes; larger bodies get a 413 (SEMSEG_MAX_BODY_BYTES).", show_default="67108864"
        ),
    ] = None,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Maximum pixels per image (SEMSEG_MAX_PIXELS); each model's own limit also applies.",
            show_default="178956970",
        ),
    ] = None,
    max_images: Annotated[
        int | None,
        typer.Option(min=1, help="Maximum number of images in a batch request (SEMSEG_MAX_IMAGES).", show_default="256"),
    ] = None,
    batch_concurrency: Annotated[
        int | None,
        typer.Option(min=1, help="Images of a batch request processed at once (SEMSEG_BATCH_CONCURRENCY).", show_default="4"),
    ] = None,
    image_hosts: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated hosts from which images may be fetched by URL (SEMSEG_IMAGE_HOSTS): names, *.example.com,"
            " or * for every public host; private addresses only if they, or their network (say 10.0.0.0/8), are also listed.",
            show_default="none",
        ),
    ] = None,
    image_timeout: Annotated[
        float | None,
        typer.Option(help="Maximum seconds for fetching an image (SEMSEG_IMAGE_TIMEOUT).", show_default="10"),
    ] = None,
    allowed_hosts: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated hosts that requests may name, say the public name of a reverse proxy (SEMSEG_ALLOWED_HOSTS):"
            " names, *.example.com, addresses, or * for all.",
            show_default="localhost and loopback; with another --host, see docs/contract.md",
        ),
    ] = None,
    cors_origins: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated origins whose web pages may call (SEMSEG_CORS_ORIGINS): https://app.example.com, or * for all.",
            show_default="none",
        ),
    ] = None,
    api_keys_file: Annotated[
        Path | None,
        typer.Option(help="File of API keys; each request then needs one (SEMSEG_API_KEYS_FILE).", show_default="no key needed"),
    ] = None,
    tls_certificate: Annotated[
        Path | None,
        typer.Option(
            help="PEM file of the certificate for serving REST over TLS (SEMSEG_TLS_CERTIFICATE).", show_default="no TLS"
        ),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(help="PEM file of the certificate's key (SEMSEG_TLS_KEY).", show_default="the certificate's file"),
    ] = None,
    ready_file: Annotated[
        Path | None,
        typer.Option(help="File that holds the addresses as JSON while requests are served.", show_default=False),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print every line of tritonserver's log, and log each request.")
    ] = False,
) -> None:
    """Start tritonserver and the REST gateway, and serve until stopped by a signal."""
    options = {
        "host": host,
        "port": port,
        "root_path": root_path,
        "url": url,
        "workers": workers,
        "timeout": timeout,
        "max_body_bytes": max_body_bytes,
        "max_pixels": max_pixels,
        "max_images": max_images,
        "batch_concurrency": batch_concurrency,
        "image_hosts": image_hosts,
        "image_timeout": image_timeout,
        "allowed_hosts": allowed_hosts,
        "cors_origins": cors_origins,
        "api_keys_file": api_keys_file,
        "tls_certificate": tls_certificate,
        "tls_key": tls_key,
    }
    ports = Ports(grpc_port, http_port, metrics_port)
    start(read_settings(options), model or [], model_repository, ports, ready_file, verbose=verbose)


@dataclass(frozen=True)
class Ports:
    """Triton's ports. 0: any free port; None: closed."""

    grpc: int = 8001
    http: int | None = None
    metrics: int = 8002


def read_settings(options: Mapping[str, Any], file: Mapping[str, Any] | None = None) -> Settings:
    """The gateway's settings: from the command's options, else the environment, else a pipeline's file. None counts as absent."""
    try:
        from pydantic import ValidationError

        from ..gateway import Settings
    except ModuleNotFoundError as error:
        _exit_without(error)
    unset = {name: value for name, value in (file or {}).items() if f"SEMSEG_{name.upper()}" not in os.environ}
    try:
        return Settings(**unset | {name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        wrong = [f"SEMSEG_{str(one['loc'][0]).upper()}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors()]
        raise typer.BadParameter("; ".join(wrong)) from None


def start(
    settings: Settings,
    models: Sequence[str | Path | NameOrFolder],
    repository: Path,
    ports: Ports | None = None,
    ready_file: Path | None = None,
    *,
    architecture: str | None = None,
    device: Device | None = None,
    verbose: bool = False,
) -> None:
    """Serve `models` (default: the one in the settings, or all of the repository) until stopped by a signal.

    They come from `repository`, each as `prepared` makes it, or from the running server in the settings.
    """
    try:
        from ..hosting.preparation import prepared
        from ..hosting.repository import exported_models
        from ..hosting.supervision.supervisor import Supervisor
        from .service import serve as run
    except ModuleNotFoundError as error:
        _exit_without(error)
    ports = ports or Ports()
    if verbose and "access_log" not in settings.model_fields_set:
        settings = settings.model_copy(update={"access_log": "text"})
    asked = [_wanted(model) for model in models or filter(None, [settings.model])]
    triton = None
    if "url" in settings.model_fields_set:
        served = [name_at(settings.url, model) for model in asked]
    else:
        with ended_in_a_line(None):
            asked = asked or list(exported_models(repository))
            if not asked:
                raise ServingError(f"no model in {repository}; name one of PaddleX's to fetch and serve it: --model PP-LiteSeg-T")
            served = list(dict.fromkeys(prepared(model, repository, architecture, device) for model in asked))
        triton = Supervisor(
            repository,
            served,
            grpc_port=ports.grpc,
            http_port=ports.http,
            metrics_port=ports.metrics,
            on_line=typer.echo if verbose else None,
            say=typer.echo,
        )
        typer.echo(f"Starting tritonserver with {', '.join(served)}")
    settings = settings.model_copy(update={"model": served[0] if served else None})

    def announce(addresses: Addresses) -> None:
        typer.echo(announcement(addresses, settings))
        if ready_file is not None:
            write_whole(ready_file, json.dumps(asdict(addresses)).encode())

    if ready_file is not None:
        make_folder(ready_file.parent, "--ready-file")
        try:
            ready_file.unlink(missing_ok=True)  # left behind by a killed run
        except OSError as error:
            raise typer.BadParameter(f"{ready_file}: {error.strerror}", param_hint="--ready-file") from None
    try:
        run(settings, triton, announce, typer.echo, verbose=verbose)
    finally:
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)


def _wanted(model: str | Path | NameOrFolder) -> str | Path | NameOrFolder:
    if isinstance(model, NameOrFolder):
        return model
    found = name_or_folder(model)
    if isinstance(found, str) and found != model:
        typer.echo(f'"(slice)" is not part of a model name: serving {found}')
    return found


def _exit_without(error: ModuleNotFoundError) -> NoReturn:
    sys.exit(f"semseg: serving needs {error.name}: pip install 'paddle-semseg-client[gateway]'")


def announcement(addresses: Addresses, settings: Settings) -> str:
    """The text to print once requests are served."""
    lines = [
        f"REST     {addresses.rest}/semantic-segmentation, described at {addresses.rest}/docs",
        f"Model    {settings.model or 'the only one served'}",
        f"gRPC     {addresses.grpc}",
    ]
    if addresses.http is not None:
        lines.append(f"HTTP     {addresses.http}")
    if addresses.metrics is not None:
        lines.append(f"Metrics  {addresses.metrics}")
    body = json.dumps({"image": b64encode(TINY_IMAGE).decode()})
    key = ' -H "X-API-Key: $KEY"' if settings.api_keys_file else ""
    lines.append(f"Try      curl -s {addresses.rest}/semantic-segmentation{key} -d '{body}'")
    if not (settings.api_keys_file or settings.tls_client_ca or is_loopback(settings.host)):
        lines.append(
            f"Open     anyone who can reach {addresses.rest} can use it without a key: set --api-keys-file, or restrict"
            " access to it"
        )
    return "\n".join(lines)
