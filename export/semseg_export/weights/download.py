"""Downloads a file once: resumes broken transfers, caches the file, records its SHA-256 and checks it on every later use."""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path

import httpx
from filelock import FileLock

from ..errors import WeightsError
from ..progress import Meter, Step

PAUSES = (1.0, 3.0, 9.0)  # seconds before each new attempt
TIMEOUT = httpx.Timeout(30, connect=10)
LARGEST = 4 << 30  # bytes; the largest network has 0.3 GB


class _BrokenOff(Exception):
    """This attempt failed, but the next one may succeed."""


def fetch(url: str, cache: Path, step: Step, pauses: tuple[float, ...] = PAUSES) -> tuple[Path, str]:
    """The file at `url`, kept in `cache`, and its SHA-256. Raises WeightsError.

    Files beside it end in `.sha256` (in sha256sum's format), `.lock` and, during the transfer, `.part` and `.part.validator`.
    """
    file = cache / _file_name(url)
    part, record = _beside(file, ".part"), _beside(file, ".sha256")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        step.show("Waiting for another export to download the same file")
        with FileLock(_beside(file, ".lock")):
            if file.exists():
                return file, _checked(file, record, f"delete {file} to download it again")
            _download(url, part, step, pauses)
            digest = _checked(part, record, f"the publisher changed it; delete {record} to accept the new one", url)
            part.replace(file)
            return file, digest
    except OSError as error:
        raise WeightsError(f"cannot store {url} in {cache}: {error.strerror or error}") from error


def forget(file: Path) -> None:
    """Remove a cached file and its record, so that the next `fetch` downloads it again."""
    for each in (file, _beside(file, ".sha256")):
        each.unlink(missing_ok=True)


def _file_name(url: str) -> str:
    """A readable name that is unique to the address."""
    last = re.sub(r"[^A-Za-z0-9._-]", "_", url.partition("?")[0].rstrip("/").rpartition("/")[2])
    return f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{last}"


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _checked(file: Path, record: Path, remedy: str, name: str | None = None) -> str:
    """The SHA-256 of `file`, recorded the first time. Raises WeightsError if it differs from the recorded one."""
    digest = sha256(file)
    if not record.exists():
        record.write_text(f"{digest}  {file.name.removesuffix('.part')}\n")
    recorded = record.read_text().partition(" ")[0]
    if digest != recorded:
        raise WeightsError(f"{name or file} has SHA-256 {digest[:12]}…, not {recorded[:12]}… as when first downloaded: {remedy}")
    return digest


def _download(url: str, part: Path, step: Step, pauses: tuple[float, ...]) -> None:
    for pause in (*pauses, 0):
        trouble = _attempt(url, part, step.meter("Downloading", in_bytes=True))
        if not trouble:
            return
        if pause:
            step.show(f"{trouble}: trying again in {pause:g} s")
            time.sleep(pause)
    raise WeightsError(
        f"{url} could not be downloaded ({trouble}): check the network and run this again to resume, export a local archive with"
        " WEIGHTS= (semseg export --weights), or name a mirror in SEMSEG_WEIGHTS_URL"
    )


def _attempt(url: str, part: Path, meter: Meter) -> str:
    """Why the transfer broke off, if another attempt may succeed; "" if it is complete. Raises WeightsError."""
    try:
        _transfer(url, part, meter)
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise WeightsError(f"{url} cannot be downloaded: {error}; use http:// or https://") from error
    except httpx.TooManyRedirects as error:
        raise WeightsError(f"{url} redirects too many times: check the address") from error
    except (_BrokenOff, httpx.TransportError) as error:
        return str(error) or type(error).__name__
    return ""


def _transfer(url: str, part: Path, meter: Meter) -> None:
    """Append to `part`. Start over if the file has changed on the server, or if the server cannot send the rest."""
    validator = _beside(part, ".validator")
    headers = {"Accept-Encoding": "identity"}
    if part.exists() and validator.exists():
        headers |= {"Range": f"bytes={part.stat().st_size}-", "If-Range": validator.read_text()}
    with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=TIMEOUT) as response:
        if response.url.scheme == "http" and any(step.url.scheme == "https" for step in response.history):
            raise WeightsError(
                f"{url} redirects from https:// to {response.url}, where anyone could change the file: use another address"
            )
        start = _start(response, part)
        if start == 0:
            _remember(response, validator)
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        with part.open("ab" if start else "wb") as stream:
            for block in response.iter_raw():
                if stream.tell() + len(block) > LARGEST:
                    part.unlink()
                    validator.unlink(missing_ok=True)
                    raise WeightsError(
                        f"{url} sends more than {LARGEST >> 30} GiB, more than any network needs: check the address"
                    )
                stream.write(block)
                meter.update(stream.tell(), total)
    validator.unlink(missing_ok=True)


def _start(response: httpx.Response, part: Path) -> int:
    """Where in the file the response's body begins. Raises _BrokenOff if another attempt may help, otherwise WeightsError."""
    status = f"{response.status_code} {response.reason_phrase}".rstrip()
    if response.status_code == 200:
        return 0
    if response.status_code == 206 and part.exists():
        start = part.stat().st_size
        if response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            return start
    if response.status_code in (206, 416):
        part.unlink(missing_ok=True)
        raise _BrokenOff(f"{status} for the rest of the file")
    if response.status_code == 429 or response.status_code >= 500:
        raise _BrokenOff(status)
    raise WeightsError(f"{response.url} returned {status}: check the address, or pass your own weights with WEIGHTS= (--weights)")


def _remember(response: httpx.Response, validator: Path) -> None:
    """Keep the tag or date that tells a later attempt whether the file is still the same. Without one, it starts over."""
    tag = response.headers.get("ETag", "")
    stamp = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
    if stamp:
        validator.write_text(stamp)
    else:
        validator.unlink(missing_ok=True)
