"""Learning the sides, places and degrees of findings: from the reports of an index, weighed on validation.

Knows an index, the claims of its training studies, and the truths of studies held back. For each kind
three ridge regressions (Hoerl and Kennard, 1970) of an image's standardised vector to the classes of
`details.CLASSES`: of the studies that have the finding; of all findings' studies together, since left
looks like left whatever lies there; and of all studies, for the finding with that detail against
everything else. How much each counts, with the logarithm of the class's share, is one conditional logit
(McFadden, 1974) a kind, over all findings: a few dozen studies held back suffice for its four weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xemplar.corpus import Corpus
from xemplar.drafting.details import CLASSES, OF_VALUE, REGIONS, DetailFit, DetailsFit, Kind, softmax
from xemplar.drafting.truth import Truth, held_to_report
from xemplar.findings import FINDINGS
from xemplar.index import Index
from xemplar.records import Study, Vectors

PENALTY = 500.0
"""Of the ridge regressions, on standardised dimensions."""

STEADY = 3.0
"""The penalty on the weights of the conditional logit, whose columns have a mean square of 1."""

LEAST = 8
"""Training studies that name a finding's detail, below which the share of each class is all there is."""

WANTED = 24
"""Details of findings held back, below which a kind has shares alone."""

SHRUNK = 4.0
"""So many studies with the shares of all findings are added to a finding's own."""

_STEPS, _DIGITS = 50, 4

Array = NDArray[np.float64]
Named = dict[tuple[str, Kind], Array]
"""(finding, kind) -> (classes,) shares of what is true of one study, adding up to 1."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Studies to weigh the scores on, none of them in the index: vectors (studies, dim) and truths."""

    vectors: Vectors
    studies: Sequence[Study]
    truths: Sequence[Truth]


def fit_details(corpus: Corpus, index: Index, held: HeldBack) -> DetailsFit:
    """Learn from the index's training studies with films and an English report, by their claims alone.

    Sides and degrees of the studies `held` back are their truths', places their reports'.
    """
    studies, vectors = _films(corpus, index)
    named = [named_in(study, held_to_report(study)) for study in studies]
    learnt = _Learnt(studies, vectors, named)
    asked = learnt.standard(held.vectors)
    true = [named_in(study, truth) for study, truth in zip(held.studies, held.truths, strict=True)]
    findings: dict[str, dict[Kind, DetailFit]] = {}
    fitted_on: dict[Kind, int] = {}
    for kind in CLASSES:
        weighed, fitted_on[kind] = _weighed(kind, learnt, asked, true=true)
        for name in FINDINGS:
            if (one := learnt.detail(name, kind, weighed)) is not None:
                findings.setdefault(name, {})[kind] = one
    return DetailsFit(
        mean=_rounded(learnt.mean), scale=_rounded(learnt.scale), findings=findings, fitted_on=fitted_on
    )


def named_in(study: Study, truth: Truth) -> Named:
    """What is true of the findings that are there: sides and degrees by the truth, places by the report."""
    found: Named = {}
    for name, presence in truth.presence.items():
        if presence != "present":
            continue
        sides = truth.sides.get(name, frozenset())
        both = "bilateral" if len(sides) == 2 else "".join(f"{side} alone" for side in sides)
        places = {c.place for c in study.claims if (c.finding, c.presence) == (name, "present") and c.place}
        told: dict[Kind, set[str]] = {
            "side": {both},
            "place": {REGIONS[place] for place in places if place in REGIONS},
            "degree": set(truth.degrees.get(name, ())),
        }
        for kind, classes in CLASSES.items():
            row = np.array([one in told[kind] for one in classes], np.float64)
            if row.any():
                found[name, kind] = row / row.sum()
    return found


class _Learnt:
    """The regressions of one index's training studies."""

    def __init__(self, studies: Sequence[Study], vectors: Array, named: Sequence[Named]) -> None:
        self.studies, self.named = studies, named
        self.mean = vectors.mean(axis=0) if len(vectors) else np.zeros(vectors.shape[1])
        self.scale = vectors.std(axis=0) if len(vectors) else np.ones(vectors.shape[1])
        self.scale[self.scale < 1e-9] = 1.0
        self.scaled = self.standard(vectors)
        self.presence = [held_to_report(study).presence for study in studies]
        self._having = {(name, kind): self._naming(name, kind) for name in FINDINGS for kind in CLASSES}
        self._columns: dict[tuple[str, Kind], tuple[Array, Array] | None] = {}

    def standard(self, vectors: NDArray[np.floating]) -> Array:
        """Vectors as the regressions take them."""
        return np.asarray((np.asarray(vectors, np.float64) - self.mean) / self.scale, np.float64)

    def having(self, name: str, kind: Kind) -> tuple[NDArray[np.int64], Array]:
        """The studies that name a finding's detail, and what they say (studies, classes)."""
        return self._having[name, kind]

    def _naming(self, name: str, kind: Kind) -> tuple[NDArray[np.int64], Array]:
        rows = [row for row, one in enumerate(self.named) if (name, kind) in one]
        said = [self.named[row][name, kind] for row in rows]
        return np.array(rows, np.int64), np.array(said, np.float64).reshape(-1, 3)

    def values(self, name: str, kind: Kind) -> list[str]:
        """Those that reports state of a finding, of the values that anything is known of."""
        said = {
            getattr(claim, kind)
            for study in self.studies
            for claim in study.claims
            if (claim.finding, claim.presence) == (name, "present")
        }
        return [value for value in OF_VALUE[kind] if value in said]

    def shares(self, name: str, kind: Kind) -> Array:
        """(classes,) of the studies that name a finding's detail, drawn a little to those of all findings."""
        said = self.having(name, kind)[1].sum(axis=0)
        everywhere = sum((self.having(other, kind)[1].sum(axis=0) for other in FINDINGS), np.ones(3))
        return np.asarray((said + SHRUNK * everywhere / everywhere.sum()) / (said.sum() + SHRUNK), np.float64)

    def columns(self, name: str, kind: Kind) -> tuple[Array, Array] | None:
        """What is weighed of a finding's detail, (columns, classes, dim) and (columns, classes).

        Each is linear in the standardised vector, its classes adding up to 0; the last rests on nothing
        but shares. None where too few studies name the detail.
        """
        if (name, kind) not in self._columns:
            self._columns[name, kind] = self._column(name, kind)
        return self._columns[name, kind]

    def _column(self, name: str, kind: Kind) -> tuple[Array, Array] | None:
        rows, said = self.having(name, kind)
        if len(rows) < LEAST:
            return None
        centre = self.scaled[rows].mean(axis=0)
        own = _ridge(self.scaled[rows] - centre, said - said.mean(axis=0))
        apart = self._against_all[name, kind]
        slopes = np.stack([own, self._shared[kind], apart, np.zeros_like(own)])
        starts = np.stack(
            [
                said.mean(axis=0) - own @ centre,
                -self._shared[kind] @ centre,
                said.sum(axis=0) / len(self.studies),
                np.log(self.shares(name, kind)),
            ]
        )
        return slopes - slopes.mean(axis=1, keepdims=True), starts - starts.mean(axis=1, keepdims=True)

    @cached_property
    def _shared(self) -> dict[Kind, Array]:
        """Kind -> (classes, dim), learnt of all findings' studies, each finding's less their mean."""
        found: dict[Kind, Array] = {}
        for kind in CLASSES:
            told = [self.having(name, kind) for name in FINDINGS]
            told = [(rows, said) for rows, said in told if len(rows)]
            if told:
                films = [self.scaled[rows] - self.scaled[rows].mean(axis=0) for rows, _ in told]
                wanted = [said - said.mean(axis=0) for _, said in told]
                found[kind] = _ridge(np.concatenate(films), np.concatenate(wanted))
        return found

    @cached_property
    def _against_all(self) -> dict[tuple[str, Kind], Array]:
        """(finding, kind) -> (classes, dim): the finding with that detail, and every other study."""
        wanted: dict[tuple[str, Kind], Array] = {}
        for name in FINDINGS:
            sure = np.array([one.get(name) not in ("present", "uncertain") for one in self.presence])
            for kind in CLASSES:
                rows, said = self.having(name, kind)
                told = np.zeros((len(self.studies), 3))
                told[rows] = said
                known = sure.copy()
                known[rows] = True
                told -= told[known].mean(axis=0) if known.any() else 0.0
                wanted[name, kind] = np.where(known[:, None], told, 0.0)
        slopes = _ridge(self.scaled, np.concatenate(list(wanted.values()), axis=1))
        return dict(zip(wanted, slopes.reshape(len(wanted), 3, -1), strict=True))

    def detail(self, name: str, kind: Kind, weighed: Array | None) -> DetailFit | None:
        """What is kept of a finding's detail; None where no report states any value of it."""
        if not (values := self.values(name, kind)):
            return None
        columns = None if weighed is None else self.columns(name, kind)
        studies = len(self.having(name, kind)[0])
        if weighed is None or columns is None:
            start = np.log(self.shares(name, kind))
            return DetailFit(values=values, start=_rounded(start), weights=[], studies=studies)
        slopes, starts = columns
        return DetailFit(
            values=values,
            start=_rounded(weighed @ starts),
            weights=[_rounded(row) for row in np.tensordot(weighed, slopes, axes=1)],
            studies=studies,
        )


def _weighed(kind: Kind, learnt: _Learnt, asked: Array, *, true: Sequence[Named]) -> tuple[Array | None, int]:
    """How much each column of a kind counts, and of how many findings held back; None where too few."""
    scores: list[Array] = []
    wanted: list[Array] = []
    for name in FINDINGS:
        rows = [row for row, one in enumerate(true) if (name, kind) in one]
        columns = learnt.columns(name, kind) if rows else None
        if columns is not None:
            slopes, starts = columns
            scores += [(slopes @ asked[row] + starts).T for row in rows]
            wanted += [true[row][name, kind] for row in rows]
    if len(scores) < WANTED:
        return None, 0
    return conditional_logit(np.array(scores), np.array(wanted)), len(scores)


def conditional_logit(scores: Array, wanted: Array) -> Array:
    """(n, classes, columns) and the classes' shares (n, classes) -> (columns,) weights, by Newton's steps."""
    spread = np.sqrt((scores**2).mean(axis=(0, 1)))
    spread[spread < 1e-9] = 1.0
    scores = scores / spread
    weights = np.zeros(scores.shape[2])
    ridge = STEADY * np.eye(len(weights))
    for _ in range(_STEPS):
        chances = softmax(scores @ weights)
        slope = np.einsum("nc,nck->k", chances - wanted, scores) + STEADY * weights
        mean = np.einsum("nc,nck->nk", chances, scores)
        bend = np.einsum("nc,nck,ncl->kl", chances, scores, scores) - mean.T @ mean + ridge
        step = np.linalg.solve(bend, slope)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    return np.asarray(weights / spread, np.float64)


def _ridge(films: Array, wanted: Array) -> Array:
    """(studies, dim), centred, and (studies, classes) -> (classes, dim)."""
    system = films.T @ films + PENALTY * np.eye(films.shape[1])
    return np.asarray(np.linalg.solve(system, films.T @ wanted).T, np.float64)


def _films(corpus: Corpus, index: Index) -> tuple[list[Study], Array]:
    """The training studies with films in the index and an English report; the unit mean of their views."""
    by_id = {study.study_id: study for study in corpus.part("train") if study.text and study.language == "en"}
    if "image" not in index.items:
        return [], np.zeros((0, index.items["sentence"].vectors.shape[1]))
    items = index.items["image"]
    rows: dict[str, list[int]] = {}
    for row, study_ids in enumerate(items.study_ids):
        if study_ids[0] in by_id:
            rows.setdefault(study_ids[0], []).append(row)
    held = np.asarray(items.vectors, np.float64)
    means = np.array([held[places].mean(axis=0) for places in rows.values()]).reshape(
        len(rows), held.shape[1]
    )
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    return [by_id[name] for name in rows], means / np.where(lengths > 0, lengths, 1.0)


def _rounded(values: Array) -> list[float]:
    return [float(f"{value:.{_DIGITS}g}") for value in values.tolist()]
