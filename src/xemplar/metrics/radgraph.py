"""RadGraph F1 over annotations handed in: how far two reports name the same entities and relations.

Knows entity graphs in the JSON form of RadGraph's programs; knows nothing of the model that drew them.
Only a graph that a RadGraph model drew gives a score of that name: of a graph made otherwise it is
another score and its caller says so. Scores by two label schemes (RadGraph's "OBS-DP", RadGraph-XL's
"Observation::definitely present") can't be compared. Jain et al., RadGraph, 2021; Delbrouck et al.,
Improving the Factual Correctness of Radiology Report Generation with Semantic Rewards, 2022.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import MismatchError, XemplarError

Annotation = Mapping[str, Any]
"""One report's graph: entity id -> {"tokens", "label", "relations": [[type, entity id], ...]}, or a
mapping that holds it as "entities", as RadGraph's inference writes it."""

_Items = set[tuple[Hashable, ...]]


@dataclass(frozen=True, slots=True)
class RadGraphF1:
    """The scores of one pair of reports, each in 0..1.

    `simple`: entities agree in tokens and label. `partial` (RG_ER, the usual one): and in whether they
    have a relation. `complete`: and in relation and target. These three are those of the package
    radgraph 0.1.18. `entity` and `relation` are RadCliQ's; `combined`, their mean, is its column. All
    tell "Left" from "left", but for tokens of a relation in `complete`: the package lowers those
    alone. An empty graph on either side, or both, scores 0 throughout.
    """

    simple: float
    partial: float
    complete: float
    entity: float
    relation: float

    @property
    def combined(self) -> float:
        """Mean of entity and relation F1."""
        return (self.entity + self.relation) / 2


@dataclass(frozen=True, slots=True, eq=False)
class RadGraphScores:
    """Scores of many pairs, each (pairs,); the score of a corpus is their mean.

    `empty` counts the pairs with an empty graph on either side, which score 0. `scheme` says whose
    labels they are: "RadGraph", "RadGraph-XL", or "none" where there is no entity at all.
    """

    simple: NDArray[np.float64]
    partial: NDArray[np.float64]
    complete: NDArray[np.float64]
    entity: NDArray[np.float64]
    relation: NDArray[np.float64]
    combined: NDArray[np.float64]
    empty: int
    scheme: str


def radgraph_f1(prediction: Annotation, reference: Annotation) -> RadGraphF1:
    """Score one pair.

    An entity without tokens, label or relations, or a relation to an entity that isn't there, raises
    XemplarError.
    """
    said, true = _entities(prediction), _entities(reference)
    simple = _f1(_simple(said), _simple(true))
    return RadGraphF1(
        simple=simple,
        partial=_f1(_partial(said), _partial(true)),
        complete=_f1(_complete(said), _complete(true)),
        entity=simple,
        relation=_f1(_relations(said), _relations(true)),
    )


def radgraph_scores(predictions: Sequence[Annotation], references: Sequence[Annotation]) -> RadGraphScores:
    """Score pairs in order; another number of either, or labels of two schemes, raises MismatchError."""
    if len(predictions) != len(references):
        raise MismatchError(
            f"{len(predictions)} predictions for {len(references)} references", wanted="pairs"
        )
    scheme = label_scheme([*predictions, *references])
    found = [radgraph_f1(said, true) for said, true in zip(predictions, references, strict=True)]
    empty = sum(
        not _entities(said) or not _entities(true) for said, true in zip(predictions, references, strict=True)
    )
    names = ("simple", "partial", "complete", "entity", "relation", "combined")
    columns = {name: np.array([getattr(one, name) for one in found], np.float64) for name in names}
    return RadGraphScores(**columns, empty=empty, scheme=scheme)


def label_scheme(annotations: Sequence[Annotation]) -> str:
    """Whose labels these graphs carry; two schemes among them raise MismatchError."""
    schemes = {
        "RadGraph-XL" if "::" in entity["label"] else "RadGraph"
        for annotation in annotations
        for entity in _entities(annotation).values()
    }
    if len(schemes) > 1:
        raise MismatchError(
            "labels of RadGraph and of RadGraph-XL",
            wanted="graphs of one model",
            remedy="annotate both sides anew",
        )
    return schemes.pop() if schemes else "none"


def _entities(annotation: Annotation) -> Mapping[str, Any]:
    entities = annotation.get("entities", annotation) if isinstance(annotation, Mapping) else annotation
    if not isinstance(entities, Mapping):
        raise XemplarError(f"an annotation of type {type(entities).__name__}", wanted="entities by id")
    for name, entity in entities.items():
        if not _is_entity(entity, entities):
            raise XemplarError(
                "an entity that can't be read",
                wanted='"tokens", "label" and "relations" as [type, id of an entity of the same report]',
                where=f"entity {name}",
            )
    return entities


def _is_entity(entity: object, entities: Mapping[str, Any]) -> bool:
    if not isinstance(entity, Mapping):
        return False
    tokens, label, relations = (entity.get(name) for name in ("tokens", "label", "relations"))
    if not isinstance(tokens, str) or not isinstance(label, str) or not isinstance(relations, list | tuple):
        return False
    return all(
        isinstance(one, list | tuple)
        and len(one) == 2
        and all(isinstance(part, str) for part in one)
        and one[1] in entities
        for one in relations
    )


def _simple(entities: Mapping[str, Any]) -> _Items:
    return {(one["tokens"], one["label"]) for one in entities.values()}


def _partial(entities: Mapping[str, Any]) -> _Items:
    return {(one["tokens"], one["label"], bool(one["relations"])) for one in entities.values()}


def _complete(entities: Mapping[str, Any]) -> _Items:
    items: _Items = set()
    for one in entities.values():
        lowered = (one["tokens"].lower(), one["label"])
        items |= {(*lowered, kind, entities[target]["tokens"].lower()) for kind, target in one["relations"]}
        if not one["relations"]:
            items.add((one["tokens"], one["label"]))
    return items


def _relations(entities: Mapping[str, Any]) -> _Items:
    return {
        (one["tokens"], one["label"], entities[target]["tokens"], entities[target]["label"], kind)
        for one in entities.values()
        for kind, target in one["relations"]
    }


def _f1(said: _Items, true: _Items) -> float:
    """2 P R / (P + R), in that order of operations, so that the last digit agrees."""
    common = len(said & true)
    if not common:
        return 0.0
    precision, recall = common / len(said), common / len(true)
    return 2 * precision * recall / (precision + recall)
