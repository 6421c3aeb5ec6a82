"""A model folder and what lies below it: the encoder, what ranks its candidates again, its neighbours' head.

Knows where each lies and that they fit each other.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from xemplar.assembly import Assembly
from xemplar.contracts import Encoder, Matcher, Stages, TextJudge
from xemplar.errors import MismatchError
from xemplar.models.checkpoint import open_model
from xemplar.models.judging_folder import is_judge, open_judge
from xemplar.models.layout import LINEAR, NEIGHBOURS, RERANKER
from xemplar.models.linear import open_linear
from xemplar.models.matcher_folder import is_matcher, open_matcher
from xemplar.models.neighbours_folder import open_neighbours
from xemplar.models.nli import files_hash, load_nli
from xemplar.models.scorers import layers_of, load_bertscore


def open_encoder(folder: Path | str) -> Encoder:
    """The encoder of a model folder, with the linear space beside it where there is one."""
    return _beside(open_model(folder), Path(folder))


def _beside(network: Encoder, folder: Path) -> Encoder:
    return open_linear(folder / LINEAR, network) if (folder / LINEAR).is_dir() else network


def open_system(folder: Path | str) -> tuple[Encoder, Stages]:
    """A model folder as an encoder and its stages; a stage that doesn't fit the encoder is refused."""
    folder = Path(folder)
    network = open_model(folder)
    encoder = _beside(network, folder)
    try:
        assembly = Assembly.model_validate(network.manifest.get("assembly", {}))
    except ValidationError as error:
        raise MismatchError(
            f"an assembly that no policy has ({error.errors()[0]['msg']})", where=str(folder)
        ) from None
    matcher = _reranker(folder / RERANKER, network)
    looking = (folder / NEIGHBOURS).is_dir()
    augmenter = open_neighbours(folder / NEIGHBOURS, encoder=encoder.fingerprint) if looking else None
    return encoder, Stages(assembly, matcher, augmenter, _judge(assembly))


def _reranker(folder: Path, encoder: Encoder) -> Matcher | None:
    """What judges pairs: a judge over the encoder's states, or a matcher with towers of its own."""
    if is_judge(folder):
        return open_judge(folder, encoder)
    return open_matcher(folder) if is_matcher(folder) else None


class _Alike:
    """BERTScore F1 of two texts, by the last layer of a model; raw, since no baseline is known.

    `name` is what made it, and the beginning of its files' hash.
    """

    def __init__(self, folder: str) -> None:
        self._model = load_bertscore(folder, name=Path(folder).name, layer=layers_of(folder))
        self.name = f"{self._model.maker()} {files_hash(Path(folder))}"

    def __call__(self, premise: str, hypothesis: str) -> float:
        return float(self._model([hypothesis], [premise]).f1[0])


def _judge(assembly: Assembly) -> TextJudge | None:
    if assembly.judge is None:
        return None
    return load_nli(assembly.judge) if assembly.filter == "nli" else _Alike(assembly.judge)
