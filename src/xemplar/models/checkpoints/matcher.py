"""An ALBEF or X-REM checkpoint as a matcher's folder.

Knows which files belong together; the weights' names stand in albef.py, the folder in matcher_folder.py.
"""

from __future__ import annotations

from pathlib import Path

from xemplar.contracts import Json
from xemplar.errors import MismatchError
from xemplar.folders import check_new, file_sha256, writing
from xemplar.models.checkpoints.albef import Heads, albef_tokenizer, import_albef
from xemplar.models.matcher_folder import save_matcher
from xemplar.models.preprocessing import Preprocessing, film_preprocessing


def import_matcher(
    source: Path,
    out: Path,
    vocabulary: Path,
    *,
    heads: Heads | None = None,
    preprocessing: Preprocessing | None = None,
    facts: Json | None = None,
) -> None:
    """Write a checkpoint (`.pth`, `.safetensors`) and its `vocab.txt` as a folder for `open_matcher`.

    `preprocessing` is X-REM's of films, at the checkpoint's size, where nothing is said; its size is the
    matcher's, and positions are interpolated to it. `facts` may hold `domain`, `trained_on`, `licence`.
    Whatever doesn't fit is refused before anything is written; the momentum copy isn't kept.
    """
    size = None if preprocessing is None else preprocessing.input_size
    net = import_albef(source, heads=heads, input_size=size).online
    tokenizer = albef_tokenizer(vocabulary)
    if len(tokenizer) != net.config.text.vocabulary:
        raise MismatchError(
            f"a vocabulary of {len(tokenizer)} pieces",
            wanted=f"{net.config.text.vocabulary}, the checkpoint's",
            where=str(vocabulary),
        )
    told = {
        "domain": None,
        "preview_fingerprint": None,
        **(facts or {}),
        "imported": {"name": source.name, "files": {source.name: file_sha256(source)}},
    }
    if preprocessing is None:
        preprocessing = film_preprocessing(net.config.image.input_size)
    with writing(out):
        check_new(out, but=r"$^")
        save_matcher(out, net, tokenizer, facts=told, preprocessing=preprocessing)
