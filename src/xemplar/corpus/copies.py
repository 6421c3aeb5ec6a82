"""Which views and studies of a corpus are near-duplicates, and where that is kept once it is known.

Knows a corpus and its folder; knows nothing of how two films are compared. What is kept is of one
content alone (the corpus's fingerprint): it is found again for a corpus that has grown, where the file
is damaged, and at every opening of a folder that can't be written.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from xemplar.contracts import Json
from xemplar.corpus import duplicates
from xemplar.errors import XemplarError
from xemplar.folders import fingerprint, write_atomic

if TYPE_CHECKING:
    from xemplar.corpus.reader import Corpus

NAME = "near_duplicates.json"

Groups = tuple[tuple[str, ...], ...]


def near_duplicates_of(corpus: Corpus) -> Groups:
    """Groups of views that show one film, as kept beside the corpus or found now and kept."""
    kept = read_kept(corpus.folder)
    origin = fingerprint([corpus.fingerprint, duplicates.VERSION])
    if kept is not None and kept["of"] == origin:
        return tuple(tuple(group) for group in kept["groups"])
    found = _found(corpus)
    _keep(corpus.folder, {"of": origin, "groups": [list(group) for group in found]})
    return found


def copies_of(corpus: Corpus) -> dict[str, frozenset[str]]:
    """study_id -> other studies with a view that is a near-duplicate of one of its own."""
    owners = {view.view_id: study.study_id for study in corpus.studies for view in study.views}
    others: dict[str, set[str]] = {}
    for group in corpus.near_duplicates:
        studies = {owners[view_id] for view_id in group}
        for study_id in studies:
            others.setdefault(study_id, set()).update(studies - {study_id})
    return {study_id: frozenset(found) for study_id, found in others.items() if found}


def read_kept(folder: Path) -> Json | None:
    """What is kept, whole to the byte as it was written; None where there is nothing, or it is damaged."""
    try:
        data = (folder / NAME).read_bytes()
        kept: Json = json.loads(data)
        checksum = fingerprint({"of": kept["of"], "groups": kept["groups"]})
        return kept if checksum == kept["checksum"] and data == _bytes_of(kept) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(folder: Path, values: Json) -> None:
    try:
        write_atomic(folder / NAME, _bytes_of({**values, "checksum": fingerprint(values)}))
    except XemplarError:
        return  # a folder that can't be written: what was found is used, and found again next time


def _bytes_of(kept: Json) -> bytes:
    return (json.dumps(kept, indent=1) + "\n").encode()


def _found(corpus: Corpus) -> Groups:
    views = [view for study in corpus.studies for view in study.views]
    packed = corpus.landmarks()
    by_file: dict[str, list[int]] = {}
    for number, view in enumerate(views):
        if view.pixels is not None and "blank" in view.pixels.steps:
            packed[number] = 0
        elif view.sha256 is not None:
            by_file.setdefault(view.sha256, []).append(number)
    pairs = duplicates.near_duplicates(packed, lambda n: corpus.preview_pixels([views[n].view_id])[0])
    same_file = [pair for numbers in by_file.values() for pair in pairwise(numbers)]
    grouped = duplicates.groups([*map(tuple, pairs.tolist()), *same_file], len(views))
    return tuple(tuple(views[number].view_id for number in group) for group in grouped)
