"""The tensors of somebody else's checkpoint, and whether they are those that a network wants.

Knows files of tensors alone: `.pt` and `.pth` (by PyTorch's reader of nothing but tensors) and
safetensors. Knows no architecture.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from xemplar.errors import MismatchError, XemplarError

Weights = dict[str, Tensor]
WRAPPERS = ("state_dict", "model_state_dict", "model")
"""What a training script calls the weights among the other things it saves."""

NAMED = 5
"""How many names an error tells, of however many there are."""


def read_weights(path: Path | str) -> Weights:
    """Name -> tensor, all floating ones in float32; "module." in front of all names is dropped.

    Refuses, in one line that says which it is: no file, a truncated one, a TorchScript archive, a pickle
    that holds anything but tensors, and weights that are quantised, sparse or not finite. Nothing of a
    file is ever run.
    """
    path = Path(path)
    held = _held(path, read=_safetensors)
    odd = sorted(str(name) for name, value in held.items() if not isinstance(value, Tensor))
    if odd:
        raise MismatchError(
            f"{len(odd)} of {len(held)} entries are no tensors: {some(odd)}", wanted=_WANTED, where=str(path)
        )
    odd = sorted(f"{name} is {_kind(value)}" for name, value in held.items() if not _is_plain(value))
    if odd:
        raise MismatchError(
            f"{len(odd)} weights are no plain numbers: {some(odd)}",
            wanted="dense, 16 to 64 bits",
            where=str(path),
        )
    weights = {str(name): _plain(value) for name, value in held.items()}
    if wild := sorted(name for name, value in weights.items() if not _is_finite(value)):
        raise MismatchError(
            f"{len(wild)} weights are not finite: {some(wild)}", wanted="numbers", where=str(path)
        )
    if all(name.startswith("module.") for name in weights):
        weights = {name.removeprefix("module."): value for name, value in weights.items()}
    return weights


def read_names(path: Path | str) -> frozenset[str]:
    """The names alone, as `read_weights` has them, of a file whose numbers aren't read.

    Refuses what can't be read as it does; looks at no weight.
    """
    path = Path(path)
    names = [str(name) for name in _held(path, read=_names_of_safetensors)]
    if all(name.startswith("module.") for name in names):
        names = [name.removeprefix("module.") for name in names]
    return frozenset(names)


def check_fits(wanted: nn.Module | Mapping[str, Tensor], found: Weights, *, what: str, where: str) -> None:
    """Name every weight that is missing, unexpected or of another shape; `what` is the network."""
    held = wanted.state_dict() if isinstance(wanted, nn.Module) else wanted
    shapes = {name: tuple(value.shape) for name, value in held.items()}
    given = {name: tuple(value.shape) for name, value in found.items()}
    missing, unexpected = sorted(shapes.keys() - given.keys()), sorted(given.keys() - shapes.keys())
    other = [
        f"{name} is {given[name]} and not {shapes[name]}"
        for name in sorted(shapes.keys() & given.keys())
        if shapes[name] != given[name]
    ]
    told = [
        f"{len(names)} {kind}: {', '.join(names)}"
        for names, kind in ((missing, "missing"), (unexpected, "unexpected"), (other, "misshapen"))
        if names
    ]
    if told:
        wrong = len(missing) + len(unexpected) + len(other)
        raise MismatchError(f"{wrong} weights don't fit; {'; '.join(told)}", wanted=what, where=where)


def some(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


_WANTED = "tensors by name, alone or as state_dict, model_state_dict or model"


_PLAIN = {torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int32, torch.int64}


def _is_plain(value: Tensor) -> bool:
    return value.layout == torch.strided and value.dtype in _PLAIN and value.device.type == "cpu"


def _kind(value: Tensor) -> str:
    dense = value.layout == torch.strided and value.device.type == "cpu"
    return str(value.dtype if dense else value.layout).removeprefix("torch.")


def _plain(value: Tensor) -> Tensor:
    return (value.float() if value.is_floating_point() else value).detach().contiguous()


def _is_finite(value: Tensor) -> bool:
    return not value.is_floating_point() or bool(torch.isfinite(value).all())


def _held(path: Path, *, read: Callable[[Path], Any]) -> Mapping[Any, Any]:
    """What a file holds by name, out of its wrapping; `read` is for safetensors."""
    if not path.is_file():
        raise XemplarError("no such file", wanted="a .pt, .pth, .bin or .safetensors", where=str(path))
    held = read(path) if path.suffix == ".safetensors" else _pickled(path)
    for name in WRAPPERS:
        if isinstance(held, Mapping) and isinstance(held.get(name), Mapping):
            held = held[name]
            break
    if not isinstance(held, Mapping) or not held:
        raise MismatchError(f"a {type(held).__name__} without weights", wanted=_WANTED, where=str(path))
    return held


def _safetensors(path: Path) -> Any:  # noqa: ANN401  whatever is in the file
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise _no_safetensors(path, error) from error


def _names_of_safetensors(path: Path) -> dict[str, None]:
    try:
        with safe_open(path, framework="pt") as held:
            return dict.fromkeys(held.keys())
    except (OSError, SafetensorError) as error:
        raise _no_safetensors(path, error) from error


def _no_safetensors(path: Path, error: Exception) -> XemplarError:
    return XemplarError(
        f"can't be read as safetensors ({_first_line(error)})",
        where=str(path),
        remedy="it may be truncated: fetch it again",
    )


def _pickled(path: Path) -> Any:  # noqa: ANN401  whatever is in the file
    if _is_script(path):
        raise MismatchError(
            "a TorchScript archive, which is a program",
            wanted="a state dict",
            where=str(path),
            remedy="save the state_dict() of the loaded model with torch.save or as safetensors",
        )
    try:
        # Mapped, so that numbers nobody asks for are never read; torch's old format can't be.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=_is_whole_zip(path))
    except Exception as error:  # torch has no error of its own for a file that is none of its kind
        if "Weights only load failed" in str(error) and _is_whole_zip(path):
            raise MismatchError(
                "a pickle of more than tensors",
                wanted=_WANTED,
                where=str(path),
                remedy="save its state_dict() alone: other objects are never loaded, since loading runs them",
            ) from error
        raise XemplarError(
            f"can't be read as a checkpoint ({type(error).__name__})",
            wanted=_WANTED,
            where=str(path),
            remedy="it is truncated, holds other objects than tensors, or is no checkpoint",
        ) from error


def _is_whole_zip(path: Path) -> bool:
    return zipfile.is_zipfile(path)


def _is_script(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.partition("/")[2] for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return False
    return "constants.pkl" in names or any(name.startswith("code/") for name in names)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__
