"""Which views and studies of a corpus are near-duplicates, and where that is kept once it is known.

Knows a corpus and its folder; knows nothing of how two films are compared. Pairs across splits, which
scoring and calibration want, are sought by themselves, for they cost a fraction of all; pairs within a
split are sought when somebody asks for the whole. What is kept is of one content alone (the corpus's
fingerprint): it is found again for a corpus that has grown, where the file is damaged, and at every
opening of a folder that can't be written or in which somebody else is writing.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from xemplar.contracts import Json
from xemplar.corpus import duplicates
from xemplar.errors import XemplarError
from xemplar.folders import fingerprint, write_atomic, writing
from xemplar.records import Study, View

if TYPE_CHECKING:
    from xemplar.corpus.reader import Corpus

NAME = "near_duplicates.json"

Groups = tuple[tuple[str, ...], ...]
"""Ids of views that show one film, group by group."""

Kind = Literal["across", "within"]
"""Of a pair of views: whether their studies are in two splits or in one."""


def near_duplicates_of(corpus: Corpus) -> Groups:
    """Groups of views that show one film, as kept beside the corpus or found now and kept."""
    return _grouped(corpus, [*_pairs(corpus, "across"), *_pairs(corpus, "within")])


def copies_of(corpus: Corpus) -> dict[str, frozenset[str]]:
    """study_id -> studies of other splits with a view that is a near-duplicate of one of its own.

    The same whatever else was sought before: two copies in one split count as such only where they are
    one file, or each is a copy of one view of another split.
    """
    owners = {view.view_id: study for study in corpus.studies for view in study.views}
    others: dict[str, set[str]] = {}
    for group in _grouped(corpus, _pairs(corpus, "across")):
        shown = [owners[view_id] for view_id in group]
        for one in shown:
            elsewhere = {study.study_id for study in shown if study.split != one.split}
            others.setdefault(one.study_id, set()).update(elsewhere)
    return {study_id: frozenset(found) for study_id, found in others.items() if found}


def read_kept(folder: Path) -> Json | None:
    """What is kept, whole to the byte as it was written; None where there is nothing, or it is damaged."""
    try:
        data = (folder / NAME).read_bytes()
        kept: Json = json.loads(data)
        checksum = fingerprint({"of": kept["of"], "pairs": kept["pairs"]})
        return kept if checksum == kept["checksum"] and data == _bytes_of(kept) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(folder: Path, values: Json) -> None:
    try:
        with writing(folder):
            write_atomic(folder / NAME, _bytes_of({**values, "checksum": fingerprint(values)}))
    except XemplarError:
        return  # it can't be written, or somebody writes: what was found is used, and found again next time


def _bytes_of(kept: Json) -> bytes:
    return (json.dumps(kept, indent=1) + "\n").encode()


def _pairs(corpus: Corpus, kind: Kind) -> list[tuple[str, str]]:
    """Pairs of views that show one film by their looks, as kept or found now and kept."""
    kept = read_kept(corpus.folder)
    origin = fingerprint([corpus.fingerprint, duplicates.VERSION])
    pairs: dict[str, list[list[str]]] = kept["pairs"] if kept is not None and kept["of"] == origin else {}
    if kind not in pairs:
        pairs[kind] = [list(pair) for pair in _found(corpus, kind)]
        _keep(corpus.folder, {"of": origin, "pairs": pairs})
    return [(one, other) for one, other in pairs[kind]]


def _found(corpus: Corpus, kind: Kind) -> list[tuple[str, str]]:
    studies, views = _views(corpus)
    splits = [str(study.split) for study in studies]
    parts = np.array([sorted(set(splits)).index(split) for split in splits], np.int64)
    packed = corpus.landmarks()
    packed[[number for number, view in enumerate(views) if view.is_blank]] = 0

    def pixels(number: int) -> NDArray[np.uint8]:
        return corpus.preview_pixels([views[number].view_id])[0]

    found = duplicates.near_duplicates(packed, pixels, parts, across=kind == "across")
    return [(views[one].view_id, views[other].view_id) for one, other in found.tolist()]


def _grouped(corpus: Corpus, pairs: list[tuple[str, str]]) -> Groups:
    """What hangs together by `pairs` of view ids, or is of one file; blank films never are."""
    _, views = _views(corpus)
    numbers = {view.view_id: number for number, view in enumerate(views)}
    by_file: dict[str, list[int]] = {}
    for number, view in enumerate(views):
        if view.sha256 is not None and not view.is_blank:
            by_file.setdefault(view.sha256, []).append(number)
    same_file = [pair for held in by_file.values() for pair in pairwise(held)]
    alike = [(numbers[one], numbers[other]) for one, other in pairs]
    groups = duplicates.groups([*alike, *same_file], len(views))
    return tuple(tuple(views[number].view_id for number in group) for group in groups)


def _views(corpus: Corpus) -> tuple[list[Study], list[View]]:
    """Every view, in the order of ingest, and the study of each."""
    owned = [(study, view) for study in corpus.studies for view in study.views]
    return [study for study, _ in owned], [view for _, view in owned]
