"""A judge's folder: save the layers that judge, open them again over the encoder that they fit.

Knows safetensors and the manifest; knows nothing of training. The encoder lies in the folder above.
"""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import ValidationError

from xemplar.contracts import Encoder, Json
from xemplar.errors import MismatchError
from xemplar.folders import describe_file, publish, read_listed, sync_below
from xemplar.models.checkpoint import load_weights, save_weights
from xemplar.models.judging import JudgeConfig, JudgeNet, TorchJudge

KIND, VERSION = "judge", 1
MANIFEST, WEIGHTS = "judge.json", "weights.safetensors"


def save_judge(folder: Path, net: JudgeNet, *, facts: Json) -> None:
    """Write a judge's folder; `facts` are `encoder`, the fingerprint of what it fits, domain, results."""
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(folder / WEIGHTS, net)
    sync_below(folder)
    manifest = {
        "kind": KIND,
        "version": VERSION,
        "config": net.config.model_dump(mode="json"),
        "files": {WEIGHTS: describe_file(folder / WEIGHTS)},
        **facts,
    }
    publish(folder, MANIFEST, manifest)


def is_judge(folder: Path) -> bool:
    """Whether a folder is a judge's, by its manifest's name."""
    return (folder / MANIFEST).is_file()


def open_judge(folder: Path | str, encoder: Encoder) -> TorchJudge:
    """Open a judge over its encoder; another encoder, or a file that is not the one listed, is refused."""
    folder = Path(folder)
    manifest = read_listed(folder, KIND, version=VERSION)
    try:
        with torch.random.fork_rng(devices=[]):  # what it draws at first is read over
            net = JudgeNet(JudgeConfig.model_validate(manifest["config"]))
    except ValidationError as error:
        raise MismatchError(
            f"settings that no judge has ({error.errors()[0]['msg']})", where=str(folder / MANIFEST)
        ) from error
    load_weights(folder / WEIGHTS, net)
    return TorchJudge(net, encoder, manifest)
