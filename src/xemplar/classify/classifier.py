"""Image -> findings with calibrated probabilities, calls, and who speaks for and against each.

Knows the plain ways, how they are combined, and the studies near a film; knows nothing of who may be
answered at all (the facade's gate) nor of drafts. The evidence's features are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xemplar.classify.combination import Columns, Word, fit_combination
from xemplar.classify.fitted import Fitted, policy
from xemplar.classify.kernel import KernelVote, fit_votes
from xemplar.classify.plain import (
    Augmented,
    Probe,
    Scores,
    ZeroShot,
    fit_probe,
    knn_vote,
    load_prompts,
    logits,
    unfit,
)
from xemplar.classify.precedents import SHOWN, Precedents, Spoken
from xemplar.contracts import Encoder
from xemplar.errors import MismatchError, XemplarError
from xemplar.findings import FINDINGS
from xemplar.folders import fingerprint
from xemplar.index import fitted_to
from xemplar.records import RESEARCH_USE, Domain, Film, Hit, Presence, Study, Vectors
from xemplar.retrieval import NOBODY, Leave, Retriever

UNVERIFIED_FINDINGS = f"{RESEARCH_USE} Unverified findings."
LIMITS = (
    "limits: present from the best F1 on validation patients, absent up to where few of those below have it; "
    "a draft has limits of its own, and no promise holds for these"
)
"""What the limits of a call are, and that they are none of those that a draft's promise is kept by."""

Features = Callable[[Vectors, Sequence[Leave]], NDArray[np.float32]]
"""(queries, dim) and who each leaves out -> (queries, findings, 3): the share of the nearest images, and
of the nearest reports, that state a finding, and by how much sentences that state it are nearer than
those that deny it."""

ZERO_SHOT, LINEAR_PROBE, KNN, AUGMENTED = "zero-shot prompts", "linear probe", "kNN label vote", "augmented"
PLAIN = (ZERO_SHOT, LINEAR_PROBE, KNN)
VOTES, REPORTS, MARGIN = "learnt votes", "report neighbours", "sentence margin"


@dataclass(frozen=True, slots=True)
class Called:
    """One finding of a film: how probable, what it is called, from where on, and who speaks of it."""

    finding: str
    probability: float | None
    """Calibrated; None where the finding isn't called."""
    call: Word | None
    why: str
    """Why it is undecided or not called; else empty."""
    present_at: float | None
    absent_up_to: float | None
    ways: dict[str, float]
    """What each plain way gives, 0..1, not calibrated."""
    speaks_for: tuple[Spoken, ...]
    speaks_against: tuple[Spoken, ...]


@dataclass(frozen=True, slots=True)
class Classification:
    """The findings of one film, or of the views of one study; never verified by anybody."""

    study_id: str | None
    findings: tuple[Called, ...]
    similar: tuple[Hit, ...]
    """The most similar studies; all there is where the gate stopped the rest."""
    gate: str | None
    learnt_from: bool
    """Whether the probe or the combination has seen the film's own patient: then it is no test of them.
    Neighbours of that patient are left out all the same."""
    fingerprint: str
    domain: Domain
    notes: Mapping[str, str] = field(default_factory=dict)
    """What else has to be known of its films, by what it is about: as of a draft's."""
    status: str = UNVERIFIED_FINDINGS

    def __post_init__(self) -> None:
        if self.gate is not None and self.findings:
            raise ValueError("a classification stopped at the gate calls nothing")
        if self.status != UNVERIFIED_FINDINGS:
            raise ValueError("a classification is always unverified")


class Ways:
    """The plain ways side by side."""

    def __init__(
        self, encoder: Encoder, features: Features, probe: Probe, *, augmented: Augmented | None = None
    ) -> None:
        self.encoder, self.features, self.probe, self.augmented = encoder, features, probe, augmented

    @property
    def names(self) -> tuple[str, ...]:
        """The plain ways there are."""
        return PLAIN if self.augmented is None else (*PLAIN, AUGMENTED)

    @cached_property
    def _zero_shot(self) -> ZeroShot:
        return ZeroShot(self.encoder, load_prompts())

    def scores(self, vectors: Vectors, leaves: Sequence[Leave]) -> dict[str, Scores]:
        """Way -> (queries, findings) in 0..1, NaN for a finding that it can't tell."""
        return self.asked(vectors, leaves)[0]

    def asked(self, vectors: Vectors, leaves: Sequence[Leave]) -> tuple[dict[str, Scores], Columns]:
        """What `scores` gives, and what is combined of it: its logits, and the evidence's other features."""
        if len(vectors) != len(leaves):
            raise XemplarError(f"{len(leaves)} who are left out of {len(vectors)} queries", wanted="one each")
        found = self.features(vectors, leaves)
        scores = {
            ZERO_SHOT: self._zero_shot.scores(vectors),
            LINEAR_PROBE: self.probe.scores(vectors),
            KNN: knn_vote(found),
        }
        if self.augmented is not None:
            scores[AUGMENTED] = np.asarray(self.augmented.probabilities(vectors, leaves), np.float64)
        columns = {name: logits(values) for name, values in scores.items()}
        columns[REPORTS] = logits(np.asarray(found[:, :, 1], np.float64))
        columns[MARGIN] = np.asarray(found[:, :, 2], np.float64)
        return scores, columns


class Classifier:
    """Classifies films by one index, with what was fitted for it."""

    def __init__(
        self, retriever: Retriever, features: Features, fitted: Fitted, *, augmented: Augmented | None = None
    ) -> None:
        self.retriever, self.fitted = retriever, fitted
        self.ways = Ways(retriever.encoder, features, fitted.probe, augmented=augmented)
        self.votes = KernelVote(retriever.corpus, retriever.index, fitted.votes)
        self.precedents = Precedents(retriever)
        head = None if augmented is None else augmented.fingerprint
        if head != fitted.augmenter:
            raise MismatchError(
                f"the classifier was fitted with {fitted.augmenter or 'no'} head that looks at neighbours",
                wanted=f"{head or 'none'}, as is open",
                remedy="run `xemplar calibrate` again",
            )

    def probabilities(self, vectors: Vectors, leaves: Sequence[Leave]) -> Scores:
        """(queries, dim) -> (queries, findings) calibrated, NaN for a finding that isn't called."""
        return self._both(vectors, leaves)[1]

    @property
    def learnt(self) -> Learnt:
        """What it has learnt of the index's studies, as evidence for a draft."""
        return Learnt(self)

    def _both(self, vectors: Vectors, leaves: Sequence[Leave]) -> tuple[dict[str, Scores], Scores]:
        scores, columns = self.ways.asked(vectors, leaves)
        columns = {**columns, VOTES: self.votes.scores(vectors, leaves)}
        return scores, self.fitted.combination.probabilities(columns)

    def called(
        self, films: Sequence[Film], vector: NDArray[np.float32], leave: Leave
    ) -> tuple[tuple[Called, ...], tuple[Hit, ...]]:
        """One study's findings, and the studies nearest to it."""
        scores, probabilities = self._both(vector[None], [leave])
        near = self.precedents.near(films, vector, leave)
        given = {name: values[0] for name, values in scores.items()}
        found = (
            self._called(place, float(probabilities[0, place]), given, near=near)
            for place in range(len(FINDINGS))
        )
        return tuple(found), near

    def learnt_from(self, leave: Leave) -> bool:
        """Whether the film's own study, or its patient's or group's others, were fitted on."""
        known = replace(leave, facets={})
        if known == NOBODY:
            return False
        studies = self.retriever.corpus.studies
        return any(study.split in ("train", "val") and known.drops(study) for study in studies)

    def _called(
        self, place: int, probability: float, scores: dict[str, NDArray[np.float64]], *, near: Sequence[Hit]
    ) -> Called:
        finding = FINDINGS[place]
        word, why = self.fitted.combination.call(finding, probability)
        one = self.fitted.combination.findings.get(finding)
        speaks_for, speaks_against = self.precedents.sides(finding, near)
        return Called(
            finding=finding,
            probability=None if one is None else probability,
            call=word,
            why=why,
            present_at=None if one is None else one.present_at,
            absent_up_to=None if one is None else one.absent_up_to,
            ways={name: float(row[place]) for name, row in scores.items() if np.isfinite(row[place])},
            speaks_for=speaks_for,
            speaks_against=speaks_against,
        )


class Learnt:
    """A probe's logits and learnt votes, (queries, findings, 2): 0 for a finding that they can't tell."""

    def __init__(self, classifier: Classifier) -> None:
        self._probe, self._votes = classifier.ways.probe, classifier.votes
        fitted = classifier.fitted
        self._mark = fingerprint([fitted.probe.model_dump(mode="json"), fitted.votes.model_dump(mode="json")])

    @property
    def names(self) -> tuple[str, ...]:
        """With the fingerprint of both."""
        return (f"{LINEAR_PROBE} {self._mark}", f"{VOTES} {self._mark}")

    def columns(self, vectors: Vectors, leaves: Sequence[Leave]) -> NDArray[np.float64]:
        """Of each query alone, whatever it is asked with."""
        return np.nan_to_num(
            np.stack([logits(self._probe.scores(vectors)), self._votes.scores(vectors, leaves)], axis=2)
        )


def classified(
    retriever: Retriever,
    classifier: Classifier | None,
    films: Sequence[Film],
    *,
    vector: NDArray[np.float32],
    gate: str | None,
) -> Classification:
    """The views of one study as `classifier` calls them.

    With a `gate` nothing is called; the most similar studies are all there is, and of a blank film not
    even those.
    """
    leave, corpus = retriever.leave_of(films), retriever.corpus
    parts = [corpus.fingerprint, retriever.encoder.fingerprint, retriever.index.fingerprint]
    findings: tuple[Called, ...] = ()
    near: tuple[Hit, ...] = ()
    if gate is None and classifier is not None:
        findings, near = classifier.called(films, vector, leave)
        parts.append(classifier.fitted.fingerprint)
    elif not all(film.is_blank for film in films):
        near = Precedents(retriever).near(films, vector, leave, count=SHOWN)
    return Classification(
        study_id=films[0].study_id,
        findings=findings,
        similar=near[:SHOWN],
        gate=None if gate is None else gate.replace("no draft", "no call", 1),
        learnt_from=gate is None and classifier is not None and classifier.learnt_from(leave),
        fingerprint=fingerprint(parts),
        domain=corpus.settings.domain,
    )


@dataclass(frozen=True, slots=True)
class Held:
    """Validation studies as a classifier is fitted on them."""

    vectors: Vectors
    leaves: Sequence[Leave]
    truths: Sequence[Mapping[str, Presence]]
    studies: Sequence[Study]
    title: str
    near_duplicates: int = 0

    @property
    def groups(self) -> list[str]:
        """Who belongs together: the patient, or whatever the source keeps in one split."""
        return [study.facets.get("cluster") or study.study_id for study in self.studies]


def fit(
    retriever: Retriever, features: Features, held: Held, *, augmented: Augmented | None = None
) -> Fitted:
    """Learn the probe from the index's training studies and the combination from those held back.

    Raises XemplarError where the index holds no films with English reports, or too few studies are
    held back with and without every finding.
    """
    if error := unfit(retriever.corpus, retriever.index):
        raise error
    probe = fit_probe(retriever.corpus, retriever.index)
    ways = Ways(retriever.encoder, features, probe, augmented=augmented)
    truths = [[truth.get(name) == "present" for name in FINDINGS] for truth in held.truths]
    present = np.array(truths, np.bool_).reshape(len(held.truths), len(FINDINGS))
    votes = fit_votes(retriever.corpus, retriever.index, held=held.vectors, present=present)
    columns = dict(ways.asked(held.vectors, held.leaves)[1])
    columns[VOTES] = KernelVote(retriever.corpus, retriever.index, votes).scores(held.vectors, held.leaves)
    return Fitted(
        index=fitted_to(retriever.index),
        policy=policy(),
        augmenter=None if augmented is None else augmented.fingerprint,
        probe=probe,
        votes=votes,
        combination=fit_combination(columns, present, held.groups),
        near_duplicates=held.near_duplicates,
        title=held.title,
    )
