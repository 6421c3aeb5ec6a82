"""Predictions beside their references: read from tables or given, checked, and what was left out counted.

Knows ids, texts and patients; knows no score. Nothing is dropped in silence: a prediction without a
reference, a reference without a prediction, an empty text, all have their count in `Pairs.counted`. Errors
name rows and columns, never ids or texts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import MismatchError, XemplarError
from xemplar.evaluation.texts.keyed import keyed_rows
from xemplar.report import text_key
from xemplar.sources.rows import is_nothing


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table hold what; without `cluster` each row is a patient of its own."""

    id: str = "id"
    prediction: str = "prediction"
    reference: str = "reference"
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class Pairs:
    """What is scored: one prediction and one reference for each id, in the order of the references.

    `clusters` (n,) says whose study each is. `counted` says what was given, filled in and left out.
    """

    ids: tuple[str, ...]
    predictions: tuple[str, ...]
    references: tuple[str, ...]
    clusters: NDArray[np.str_]
    by_patient: bool = False
    counted: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(self.ids), len(self.predictions), len(self.references), len(self.clusters)}
        if len(lengths) != 1:
            raise XemplarError(
                f"{len(self.ids)} ids, {len(self.predictions)} predictions, "
                f"{len(self.references)} references and {len(self.clusters)} clusters",
                wanted="one of each for every study",
            )
        for name, texts in (("prediction", self.predictions), ("reference", self.references)):
            odd = next((row for row, text in enumerate(texts, 1) if not isinstance(text, str)), None)
            if odd is not None:
                kind = type(texts[odd - 1]).__name__
                raise XemplarError(f"{name} {odd} is a {kind}", wanted="a string", remedy="give texts")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal letters over ids and references: two runs with one fingerprint can be compared."""
        told = hashlib.sha256()
        for name, text in sorted(zip(self.ids, self.references, strict=True)):
            told.update(f"{len(name)}:{name}{len(text)}:{text}".encode())
        return told.hexdigest()[:16]

    @property
    def reference_keys(self) -> tuple[str, ...]:
        """Equal texts have equal keys."""
        return tuple(text_key(text) for text in self.references)


def pair_up(
    predictions: Mapping[str, str | None],
    references: Mapping[str, str | None],
    clusters: Mapping[str, str] | None = None,
) -> Pairs:
    """Predictions and references by id -> pairs.

    A reference without a prediction is paired with an empty one, which scores nothing; a prediction without
    a reference, and a pair whose reference is empty, are left out; all are counted. Raises XemplarError where
    nothing is left, and for texts that are no strings.
    """
    _check_strings("prediction", predictions)
    _check_strings("reference", references)
    kept = [name for name, text in references.items() if _text(text)]
    if not kept or not any(name in predictions for name in kept):
        raise XemplarError(
            f"{len(predictions)} predictions and {len(references)} references, of which "
            f"{len(kept)} with a text, share no id",
            wanted="predictions and references by the same ids",
        )
    texts = tuple(_text(predictions.get(name)) for name in kept)
    groups = [name if clusters is None else clusters.get(name) or f"\x1f{name}" for name in kept]
    counted = {
        "predictions": len(predictions),
        "references": len(references),
        "scored": len(kept),
        "references without a prediction": sum(name not in predictions for name in kept),
        "predictions without a reference": sum(name not in references for name in predictions),
        "empty references": len(references) - len(kept),
        "empty predictions": sum(name in predictions and not _text(predictions[name]) for name in kept),
        "without a patient": 0 if clusters is None else sum(not clusters.get(name) for name in kept),
    }
    return Pairs(
        tuple(kept),
        texts,
        tuple(_text(references[name]) for name in kept),
        np.array(groups, np.str_),
        by_patient=clusters is not None and any(clusters.get(name) for name in kept),
        counted=counted,
    )


def read_pairs(path: Path, columns: Columns | None = None, *, references: Path | None = None) -> Pairs:
    """A CSV, TSV, JSON-lines or Parquet table (or two, joined by id) -> pairs.

    With `references`, ids, references and patients are that table's, ids and predictions `path`'s. Raises
    XemplarError for a missing column, an id that is empty or stands twice, and a damaged row.
    """
    columns = columns or Columns()
    own, patient = (columns.prediction,), () if columns.cluster is None else (columns.cluster,)
    if references is None:
        said = known = dict(keyed_rows(path, columns.id, (*own, columns.reference), others=patient))
    else:
        said = dict(keyed_rows(path, columns.id, own))
        known = dict(keyed_rows(references, columns.id, (columns.reference,), others=patient))
    return pair_up(
        _column(said, columns.prediction),
        _column(known, columns.reference),
        None if columns.cluster is None else _column(known, columns.cluster),
    )


def _column(rows: Mapping[str, Mapping[str, str]], column: str) -> dict[str, str]:
    return {name: values[column] for name, values in rows.items()}


def _check_strings(what: str, texts: Mapping[str, object]) -> None:
    for row, text in enumerate(texts.values(), start=1):
        nothing = text is None or (isinstance(text, float) and text != text)
        if not nothing and not isinstance(text, str):
            raise XemplarError(
                f"{what} {row} is a {type(text).__name__}", wanted="a string, or nothing", remedy="give texts"
            )


def _text(text: object) -> str:
    plain = text.strip() if isinstance(text, str) else ""
    return "" if is_nothing(plain) else plain


def aligned(first: Pairs, second: Pairs) -> tuple[Pairs, Pairs, int]:
    """Two systems over the ids they share, in the order of the first, and how many ids only one has.

    Patients are those that either side knows. Raises MismatchError where they share no id, where an id has
    two references, and where both know patients and disagree.
    """
    place = {name: row for row, name in enumerate(second.ids)}
    shared = [(row, place[name]) for row, name in enumerate(first.ids) if name in place]
    if not shared:
        raise MismatchError(
            f"{len(first)} and {len(second)} studies that share no id", wanted="two systems over the same ids"
        )
    odd = sum(first.references[row] != second.references[to] for row, to in shared)
    if odd:
        raise MismatchError(
            f"{odd} of {len(shared)} shared ids have two references",
            wanted="one reference for each id",
            remedy="give both systems the same table of references",
        )
    rows, places = zip(*shared, strict=True)
    one, other = _only(first, rows), _only(second, places)
    if one.by_patient and other.by_patient and not _same_groups(one.clusters, other.clusters):
        raise MismatchError(
            "two systems that disagree on whose studies these are", wanted="the same patients"
        )
    known: Pairs = one if one.by_patient else other
    one = replace(one, clusters=known.clusters, by_patient=known.by_patient)
    other = replace(other, clusters=known.clusters, by_patient=known.by_patient)
    return one, other, len(first.ids) + len(second.ids) - 2 * len(shared)


def _same_groups(first: NDArray[np.str_], second: NDArray[np.str_]) -> bool:
    """Whether both part the studies alike, under whatever names."""
    pairs = set(zip(first.tolist(), second.tolist(), strict=True))
    return len(pairs) == len(set(first.tolist())) == len(set(second.tolist()))


def _only(pairs: Pairs, rows: Sequence[int]) -> Pairs:
    return Pairs(
        tuple(pairs.ids[row] for row in rows),
        tuple(pairs.predictions[row] for row in rows),
        tuple(pairs.references[row] for row in rows),
        pairs.clusters[list(rows)],
        pairs.by_patient,
        pairs.counted,
    )
