"""The files that Paddle and its tools write, and where a folder of weights keeps them."""

from __future__ import annotations

import errno
from pathlib import Path

PROGRAMS = (".json", ".pdmodel")  # the network: a PIR program, or one of the older kind
PARAMETERS = ".pdiparams"  # beside the program, under the same name
ONNX = ".onnx"  # the network already converted
STEMS = ("inference", "model")  # PaddleX's and PaddleSeg's names
DESCRIPTIONS = ("inference.yml", "deploy.yaml", "model.yml")  # how pixels are prepared: PaddleX, PaddleSeg, PaddleX 2
CLASSES = "classes.txt"  # the user's own: class names, one per line
TRAINED = ".pdparams"  # the suffix of trained weights
EXPORTED = "inference"  # the folder beside its weights into which PaddleX 3 exports the network
DUMPED = "config.yaml"  # the training configuration that PaddleX 3 writes two folders above its weights


class SeveralNetworks(OSError):
    """More than one folder holds a network. `filename` is the folder around them; `strerror` lists them and says what to do."""


def network_files(folder: Path) -> list[Path]:
    """The networks in `folder`: programs with parameters, ONNX files, then programs without parameters. Usual names come first.

    The same network may be there in several formats. Raises OSError.
    """
    usual = [folder / (stem + suffix) for stem in STEMS for suffix in (*PROGRAMS, ONNX)]
    others = sorted(file for file in _visible(folder) if file.suffix in (*PROGRAMS, ONNX) and file not in usual)
    files = [file for file in (*usual, *others) if file.is_file()]
    programs = [file for file in files if file.suffix != ONNX and file.with_suffix(PARAMETERS).is_file()]
    onnx = [file for file in files if file.suffix == ONNX]
    return [*programs, *onnx, *(file for file in usual if file in files and file not in (*programs, *onnx))]


def files_read(folder: Path) -> list[Path]:
    """The files in a network's folder that an export reads. An ONNX file may keep its weights in others, of any name: then all.

    Raises OSError.
    """
    networks = network_files(folder)
    if networks and networks[0].suffix == ONNX:
        return sorted(file for file in _visible(folder) if file.is_file())
    beside = [*(network.with_suffix(PARAMETERS) for network in networks), *(folder / name for name in (*DESCRIPTIONS, CLASSES))]
    return [*networks, *dict.fromkeys(file for file in beside if file.is_file())]


def network_folder(folder: Path) -> Path | None:
    """The folder that holds a network: `folder`, or the only such folder in it. None if there is none.

    Official archives hold a single folder at the top level. Raises OSError, also as SeveralNetworks.
    """
    if network_files(folder):
        return folder
    found = sorted(entry for entry in _visible(folder) if entry.is_dir() and network_files(entry))
    if len(found) > 1:
        names = " and ".join(entry.name for entry in found)
        raise SeveralNetworks(errno.EINVAL, f"holds a network in each of {names}: pass one of these folders", str(folder))
    return found[0] if found else None


def _visible(folder: Path) -> list[Path]:
    """What is in a folder, without hidden entries, such as macOS's ._inference.json."""
    return [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
