"""A matcher's folder: save the network that is used, open it again, bit for bit.

Knows safetensors and the manifest; knows nothing of training, whose copy and queues aren't kept here.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError
from transformers import PreTrainedTokenizerBase

from xemplar.contracts import Json
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import read_listed
from xemplar.models.checkpoint import load_weights, save_network
from xemplar.models.checkpoints.folder import WEIGHTS
from xemplar.models.config import MatcherConfig
from xemplar.models.matcher import MatcherNet
from xemplar.models.matching import TorchMatcher
from xemplar.models.preprocessing import Preprocessing
from xemplar.models.tokenizer import load_tokenizer

VERSION = 1
_MANIFEST = "matcher.json"


def save_matcher(
    folder: Path,
    net: MatcherNet,
    tokenizer: PreTrainedTokenizerBase,
    *,
    facts: Json,
    preprocessing: Preprocessing | None = None,
) -> None:
    """Write a matcher's folder; `facts` are domain, preview_fingerprint, and where it comes from."""
    told = {
        "kind": "matcher",
        "version": VERSION,
        "config": net.config.model_dump(mode="json"),
        "preprocessing": None if preprocessing is None else preprocessing.model_dump(mode="json"),
    }
    save_network(folder, net, tokenizer, told=told, facts=facts)


def is_matcher(folder: Path) -> bool:
    """Whether a folder is a matcher's, by its manifest's name."""
    return (folder / _MANIFEST).is_file()


def open_searching_matcher(folder: Path) -> TorchMatcher:
    """Open a matcher's folder to encode with it; one that only judges pairs is refused."""
    matcher = open_matcher(folder)
    if matcher.net.config.dim is None:
        raise XemplarError(
            "a matcher that only judges pairs has no vectors",
            wanted="a model with a shared space (a matcher of ALBEF's pretraining, a dual encoder)",
            where=str(folder),
            remedy="search with one, and rank again with this",
        )
    return matcher


def open_matcher(folder: Path | str) -> TorchMatcher:
    """Open a matcher's folder; a file that is not the one listed is refused."""
    folder = Path(folder)
    manifest = read_listed(folder, "matcher", version=VERSION)
    try:
        net = MatcherNet(MatcherConfig.model_validate(manifest["config"]))
        seen = manifest["preprocessing"]
        preprocessing = None if seen is None else Preprocessing.model_validate(seen)
    except ValidationError as error:
        raise MismatchError(
            f"settings that no matcher has ({error.errors()[0]['msg']})", where=str(folder / _MANIFEST)
        ) from error
    load_weights(folder / WEIGHTS, net)
    tokenizer = load_tokenizer(folder / "tokenizer")
    return TorchMatcher(net, tokenizer, manifest, preprocessing=preprocessing)
