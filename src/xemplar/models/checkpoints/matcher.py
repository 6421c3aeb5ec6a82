"""An ALBEF or X-REM checkpoint as a matcher's folder.

Knows which files belong together; the weights' names stand in albef.py, the folder in matcher_folder.py.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError
from transformers import PreTrainedTokenizerBase

from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import check_new, writing
from xemplar.models.checkpoints.albef import Heads, albef_tokenizer, import_albef
from xemplar.models.checkpoints.folder import Choices, chosen_preprocessing, facts_of
from xemplar.models.config import PatchTower
from xemplar.models.matcher import MatcherNet
from xemplar.models.matcher_folder import save_matcher
from xemplar.models.preprocessing import film_preprocessing


def import_matcher(
    source: Path | str, out: Path | str, choices: Choices, *, heads: Heads | None = None
) -> None:
    """Write a checkpoint (`.pth`, `.safetensors`) and its words as a folder for `open_matcher`.

    `choices.tokenizer` is its `vocab.txt`, or a folder that holds one. Films go in as X-REM's program
    answers with (`film_preprocessing`) where nothing is said; at another `input_size` positions are
    interpolated. `heads` are taken to be 64 wide where nothing is said. Whatever doesn't fit is refused
    before anything is written; the momentum copy isn't kept.
    """
    source, out = Path(source), Path(out)
    net = import_albef(source, heads=heads).online
    if choices.input_size is not None:
        _resize(net, choices.input_size)
    tokenizer = _words(choices.tokenizer, net.config.text.vocabulary, source)
    preprocessing = chosen_preprocessing(film_preprocessing(net.config.image.input_size), choices)
    net.config = net.config.model_copy(update={"precision": choices.precision})
    facts = facts_of(source, choices)
    with writing(out):
        check_new(out, but=r"$^")
        save_matcher(out, net, tokenizer, facts=facts, preprocessing=preprocessing)


def _resize(net: MatcherNet, size: int) -> None:
    """Take images of another size, if the tower can be cut so."""
    try:
        PatchTower.model_validate({**net.config.image.model_dump(), "input_size": size})
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise XemplarError(
            f"an input size of {size}: {said}",
            wanted=f"a multiple of {net.config.image.patch} px from 8 to 1024",
        ) from None
    net.resize(size)


def _words(given: Path | None, vocabulary: int, source: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a `vocab.txt` that has exactly the checkpoint's words."""
    if given is None:
        raise XemplarError(
            "a checkpoint of ALBEF's layout has no words of its own",
            wanted="the vocab.txt of its BERT (bert-base-uncased's)",
            where=str(source),
            remedy="name it: --tokenizer PATH",
        )
    path = given / "vocab.txt" if given.is_dir() else given
    tokenizer = albef_tokenizer(path)
    if len(tokenizer) != vocabulary:
        raise MismatchError(
            f"a vocabulary of {len(tokenizer)} pieces",
            wanted=f"{vocabulary}, the checkpoint's",
            where=str(path),
        )
    return tokenizer
