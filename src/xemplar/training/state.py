"""What an interrupted training run needs to go on: weights, optimiser, average, best, position.

Kept as safetensors beside a small JSON file in the model folder's `state/`; the JSON is swapped in
last and names the tensor file that belongs to it, so a kill leaves one whole state or the other.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from xemplar.contracts import Json
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import sync_below, write_atomic
from xemplar.training.curves import new_curve


@dataclass
class Position:
    """How far a run has come."""

    step: int = 0
    epoch: int = 0
    best: float = -1.0
    best_epoch: int = 0
    loss: float = 0.0
    """Of the last step."""
    log: list[Json] = field(default_factory=list)
    curve: Json = field(default_factory=new_curve)
    """Of the loss, by step."""


class Resumable(Protocol):
    """What of a run is kept."""

    folder: Path
    origin: str
    model: nn.Module
    optimizer: torch.optim.Optimizer
    average: dict[str, Tensor]
    best: dict[str, Tensor]
    at: Position


def save(run: Resumable) -> None:
    """Keep the run as it is now."""
    folder = run.folder / "state"
    folder.mkdir(exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, group in (("model", run.model.state_dict()), ("average", run.average), ("best", run.best)):
        tensors.update({f"{name}/{key}": value for key, value in group.items()})
    for number, values in run.optimizer.state_dict()["state"].items():
        tensors.update({f"optimizer/{number}/{key}": value for key, value in values.items()})
    # Another name at every call, since the file that state.json names must stay whole until it is swapped.
    name = f"{run.at.epoch}-{run.at.step}.safetensors"
    # Cloned, since the averages may share memory, and contiguous, since convolutions keep channels last.
    whole = {key: value.clone(memory_format=torch.contiguous_format) for key, value in tensors.items()}
    try:
        save_file(whole, folder / name)
        sync_below(folder)
    except BaseException:  # half a file would only take up room
        (folder / name).unlink(missing_ok=True)
        raise
    row = {"origin": run.origin, "tensors": name, "position": asdict(run.at)}
    write_atomic(folder / "state.json", json.dumps(row).encode())
    for path in folder.glob("*.safetensors"):
        if path.name != name:
            path.unlink()


def restore(run: Resumable) -> bool:
    """Set a fresh run to the state its folder holds; False where there is none."""
    path = run.folder / "state" / "state.json"
    if not path.exists():
        return False
    try:
        row = json.loads(path.read_bytes())
        tensors = load_file(path.parent / row["tensors"])
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise XemplarError(
            f"the interrupted training can't be read ({type(error).__name__})", where=str(path.parent),
            remedy="remove this folder to train from the start",
        ) from None  # fmt: skip
    if row["origin"] != run.origin:
        raise MismatchError(
            "an interrupted training of another recipe or corpus is in it",
            wanted="the same one, or a new folder",
            where=str(run.folder),
        )
    run.model.load_state_dict(_under(tensors, "model/"))
    for group, prefix in ((run.average, "average/"), (run.best, "best/")):
        group.update({key: value.to(group[key].device) for key, value in _under(tensors, prefix).items()})
    kept: dict[int, dict[str, Any]] = {}
    for key, value in _under(tensors, "optimizer/").items():
        number, _, name = key.partition("/")
        kept.setdefault(int(number), {})[name] = value
    run.optimizer.load_state_dict({**run.optimizer.state_dict(), "state": kept})
    run.at = Position(**row["position"])
    return True


def discard(folder: Path) -> None:
    """Drop the kept state once the model is written."""
    shutil.rmtree(folder / "state", ignore_errors=True)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
