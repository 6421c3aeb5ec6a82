"""One archive: its corpus, model, index and calibration; search, draft and classify with them.

Knows which room does what; how the four are opened and fitted is told next door.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xemplar import classify as classifying
from xemplar import drafting
from xemplar.archive.checking import checked
from xemplar.archive.explaining import heatmaps_of
from xemplar.archive.gating import Gatekeeper
from xemplar.archive.outside import noted, notes_of, whose
from xemplar.archive.priors import Earlier, earlier_of, with_earlier
from xemplar.archive.promised import void_of
from xemplar.archive.searching import Searched
from xemplar.assembly import Assembly
from xemplar.check import Checked, CheckLimits
from xemplar.classify import Classification
from xemplar.contracts import Encoder, Json, Stages
from xemplar.corpus import Corpus
from xemplar.drafting.calibration import POLICY, Calibration
from xemplar.drafting.drift import Drift, drift
from xemplar.drafting.judges import ByLikeness, ByVerdict, Filter, filter_for
from xemplar.drafting.limits import one_each
from xemplar.drafting.policies.augmented import Augmented, Neighbourhood
from xemplar.drafting.policies.case import Assembled, Case, Drafter
from xemplar.drafting.policies.consistent import Consistent
from xemplar.drafting.policies.evidence import ByEvidence
from xemplar.drafting.policies.head import Head
from xemplar.drafting.policies.mmr import Mmr
from xemplar.drafting.policies.top import Top
from xemplar.drafting.promise import Promise
from xemplar.errors import XemplarError
from xemplar.findings import lexicon_version
from xemplar.folders import fingerprint
from xemplar.images import film_of, read_file
from xemplar.index import Index
from xemplar.records import Draft, Film, Line, Study, Vectors
from xemplar.retrieval import Finder, Retriever, shown_of

STOPPED = "none: stopped at the gate"
CAPTIONS = 3
"""How many captions are quoted where no recipe says."""

Views = Film | Sequence[Film]
_Encoded = tuple[Vectors, Sequence[Vectors | None]]
"""One vector a study, and those of its views that show anything, where they are known."""


class Archive(Searched):
    """One index, with the corpus and the model it was made from, and a calibration where there is one.

    `kept` is a folder for what a matcher prepares of the archive's texts, which is found there again;
    without one it is prepared at every opening, and held in memory.
    """

    def __init__(
        self,
        corpus: Corpus,
        encoder: Encoder,
        index: Index,
        *,
        calibration: Calibration | None = None,
        stages: Stages | None = None,
        kept: Path | None = None,
    ) -> None:
        self.corpus, self.encoder, self.index, self.calibration = corpus, encoder, index, calibration
        self.stages, self._kept = stages or Stages(), kept
        self.folders: dict[str, str | None] = {}
        """Where it was opened from, as it was named; None where the index says where."""
        self.uncalibrated = XemplarError(
            "no calibration is open, so nothing says when to be silent",
            wanted="a calibration folder",
            remedy="run `xemplar calibrate`",
        )
        """Why nothing can be drafted while there is no calibration."""
        self.retriever = Retriever(corpus, index, encoder)
        self.finder = Finder(self.retriever)
        self.gatekeeper = Gatekeeper(self.retriever)
        drafts = corpus.settings.texts == "reports" and "sentence" in index.items
        matcher = self.stages.matcher if self.assembly.policy == "evidence" else None
        self.evidence = drafting.Evidence(corpus, index, matcher=matcher) if drafts else None
        self.composer = drafting.Composer(corpus, index, style=self.assembly.style) if drafts else None
        self.classifier: classifying.Classifier | None = None
        self.check_limits: CheckLimits | None = None
        self.unclassified = classifying.unfit(corpus, index) or XemplarError(
            "no classifier is open", wanted="a calibration folder with one", remedy="run `xemplar calibrate`"
        )
        """Why nothing can be classified while there is no classifier."""

    @property
    def fingerprint(self) -> str:
        """Of all four parts, a model's later stages too: a draft made under one can be made again."""
        parts = [self.corpus.fingerprint, self.encoder.fingerprint, self.index.fingerprint]
        stages = [one.fingerprint for one in (self.stages.matcher, self.stages.augmenter) if one is not None]
        judged = [] if self.stages.judge is None else [self.stages.judge.name]
        calibrated = self.calibration.fingerprint if self.calibration else None
        learnt = None if self.classifier is None else self.classifier.fitted.fingerprint
        gate = self.gatekeeper.gate
        read = [learnt, lexicon_version(), *([] if gate is None else [gate.fingerprint])]
        return fingerprint(
            [*parts, self.assembly.model_dump(mode="json"), *stages, *judged, calibrated, *read]
        )

    @property
    def assembly(self) -> Assembly:
        """How hits become text; captions, of which no claim is read, are quoted as they stand."""
        asked = self.stages.assembly
        if self._is_captions and asked.policy == "evidence":
            return Assembly(policy="top", count=CAPTIONS)
        return asked

    def load_film(self, path: Path | str) -> Film:
        """An image file as a film, made as this archive's own previews were; of its patient, if known."""
        data, spec = read_file(Path(path)), self.corpus.settings.preview
        return whose(self.corpus, film_of(data, spec, where=Path(path).name), data)

    def check(self, views: Views | None, report: str | Study) -> Checked:
        """What in a report should be looked at again, by its words and by its film; see `checking`."""
        films = () if views is None else [views] if isinstance(views, Film) else views
        return noted(checked(self, views, report), films, self.retriever.leave_of(films or ""))

    def draft(self, views: Views, prior: Views | None = None) -> Draft:
        """A draft for a film, or for the several views of one study.

        With the views of an earlier study of the same patient, its `prior`, lines may say what has changed;
        one that is known to be another patient's is refused, and one that looks like no proper film stops
        the draft.
        """
        return self.draft_many([views], priors=None if prior is None else [prior])[0]

    def draft_many(
        self,
        studies: Sequence[Views],
        *,
        vectors: Vectors | None = None,
        priors: Sequence[Views | None] | None = None,
        apart: Collection[str] = (),
    ) -> list[Draft]:
        """Drafts for several studies; each is the same as it would be alone.

        `vectors` (studies, dim) are those that `retriever.vectors_of` gives for them, where somebody
        has encoded the films already; `priors` are earlier studies, one for each, None for one without;
        films of studies in `apart` are known to be none of the archive's, and aren't sought in it.
        """
        if not studies:
            return []
        asked = [None] * len(studies) if priors is None else priors
        given = [None if one is None else _films(one) for one in asked]
        before = earlier_of(self.gatekeeper, [_films(views) for views in studies], given)
        encoded = self._encoded(studies, vectors)
        own, vectors = self._gates(studies, encoded, apart=apart), encoded[0]
        gates = [gate or (None if one is None else one.gate) for gate, one in zip(own, before, strict=True)]
        rows = [row for row, gate in enumerate(gates) if gate is None]
        made = iter(
            self._drafts([studies[row] for row in rows], vectors[rows], [before[row] for row in rows])
        )
        return [
            next(made) if gate is None else self._stopped(views, gate, vector=vector)
            for views, gate, vector in zip(studies, gates, vectors, strict=True)
        ]

    def heatmap(self, views: Views, line: Line) -> list[NDArray[np.float32]]:
        """For each view a map (h, w) of what a line rests on, in 0..1; see `explaining`."""
        return heatmaps_of(self, _films(views), line)

    def classify(self, views: Views) -> Classification:
        """The findings of a film, or of the views of one study, and who speaks for and against each."""
        return self.classify_many([views])[0]

    def classify_many(
        self, studies: Sequence[Views], *, vectors: Vectors | None = None
    ) -> list[Classification]:
        """Several studies' findings; each is the same as it would be alone. `vectors` as for drafts.

        What stops a draft stops every call too, and leaves the most similar studies alone.
        """
        if not studies:
            return []
        encoded = self._encoded(studies, vectors)
        gates = self._gates(studies, encoded)
        if self.classifier is None and None in gates:
            raise self.unclassified
        return [
            self._classified(_films(views), vector, gate)
            for views, vector, gate in zip(studies, encoded[0], gates, strict=True)
        ]

    def _classified(
        self, films: Sequence[Film], vector: NDArray[np.float32], gate: str | None
    ) -> Classification:
        made = classifying.classified(self.retriever, self.classifier, films, vector=vector, gate=gate)
        return made if gate else replace(made, notes=notes_of(films, (), self.retriever.leave_of(films)))

    @property
    def head(self) -> Head | None:
        """The model's head that looks at neighbours, as one more way to classify."""
        augmenter = self.stages.augmenter
        return None if augmenter is None else Head(Neighbourhood(self.corpus, self.index, augmenter))

    def classify_by(self, fitted: classifying.Fitted) -> None:
        """Take what was fitted for this index."""
        if self.evidence is None:
            raise self.unclassified
        self.classifier = classifying.Classifier(
            self.retriever, self.evidence.features, fitted, augmented=self.head
        )
        self.evidence.further = self.classifier.learnt

    def classify_not(self, why: XemplarError) -> None:
        """Forget what was fitted: nothing is classified, and drafts go without it."""
        self.classifier, self.unclassified = None, why
        if self.evidence is not None:
            self.evidence.further = None

    def _encoded(self, studies: Sequence[Views], vectors: Vectors | None) -> _Encoded:
        """The vectors given, one a study, or else made now; then its views' own too."""
        if vectors is None:
            return self.retriever.vectors_of_views(studies)
        if len(vectors) != len(studies):
            raise XemplarError(f"{len(vectors)} vectors for {len(studies)} studies", wanted="one for each")
        return vectors, [None] * len(studies)

    def _gates(
        self, studies: Sequence[Views], encoded: _Encoded, *, apart: Collection[str] = ()
    ) -> list[str | None]:
        """Why there is to be no draft, whatever the evidence; no flag turns this off."""
        why = self.gatekeeper.why
        seen = zip(studies, *encoded, strict=True)
        return [why(_films(one), row, views=views, apart=apart) for one, row, views in seen]

    def _stopped(self, views: Views, gate: str, *, vector: NDArray[np.float32]) -> Draft:
        """No draft, and the most similar studies in its place."""
        similar = self.gatekeeper.similar(_films(views), vector)
        return replace(self._draft(views, gate=gate), similar=similar)

    @property
    def _is_captions(self) -> bool:
        return self.corpus.settings.texts == "captions"

    def _drafts(
        self, studies: Sequence[Views], vectors: Vectors, priors: Sequence[Earlier | None]
    ) -> list[Draft]:
        if not studies:
            return []
        drafter = self.drafter
        policy = drafter.policy
        cases = with_earlier(self.retriever, self.cases(studies, vectors), priors)
        before = [None if prior is None else prior.films for prior in priors]
        return [
            self._draft(views, policy=policy, made=one, case=case, prior=prior)
            for views, one, case, prior in zip(studies, drafter.drafts(cases), cases, before, strict=True)
        ]

    def cases(self, studies: Sequence[Views], vectors: Vectors) -> list[Case]:
        """Studies as policies see them, each with who is left out of its own answer."""
        return [
            Case(shown_of(_films(views)), vector, self.retriever.leave_of(views))
            for views, vector in zip(studies, vectors, strict=True)
        ]

    @property
    def promise(self) -> Promise | None:
        """What the calibration promises of this archive's drafts; with why not, where it is void here."""
        promise = None if self.calibration is None else self.calibration.promise
        void = void_of(self)
        return promise if promise is None or void is None else promise.model_copy(update={"why": void})

    def drift_of(self, studies: Sequence[Views], *, vectors: Vectors | None = None) -> Drift:
        """Whether several studies are unlike those that limits were promised on: then none need hold.

        One study of each patient is looked at, where patients are known. Refused where nothing is promised.
        """
        drafter = self.drafter if self.assembly.policy == "evidence" else None
        seen = None if self.calibration is None else self.calibration.seen
        if not isinstance(drafter, ByEvidence) or seen is None:
            raise XemplarError(
                "nothing is promised, so there is nothing to have moved away from",
                wanted="a calibration with a promise",
                remedy="run `xemplar calibrate`",
            )
        cases = self.cases(studies, self._encoded(studies, vectors)[0]) if studies else []
        people = [case.leave.cluster or case.leave.patient_id or f"{n}" for n, case in enumerate(cases)]
        chosen = [cases[place] for place in one_each(people)]
        held = drafter.held(chosen)
        return drift(seen, drafter.features(held, drafter.drafts(chosen)))

    @property
    def drafter(self) -> Drafter:
        """The assembly's policy; one that can't draft from what is open says why."""
        if "sentence" not in self.index.items:
            raise XemplarError(
                "no sentence in the index, so nothing to draft from", where=str(self.corpus.folder)
            )
        if self.assembly.policy == "evidence":
            if self.calibration is None:
                raise self.uncalibrated
            assert self.evidence is not None and self.composer is not None
            held = void_of(self) is None
            return ByEvidence(self.evidence, self.composer, self.calibration, promised=held)
        return self._as_retrieved

    @cached_property
    def _as_retrieved(self) -> Drafter:
        """A policy that needs no calibration."""
        asked, stages = self.assembly, self.stages
        if asked.policy == "consistent":
            return Consistent(self.retriever, asked, self._filter, matcher=stages.matcher, folder=self._kept)
        if asked.policy == "augmented":
            if stages.augmenter is None:
                raise XemplarError(
                    "the assembly asks for a head that looks at neighbours, and the model has none",
                    wanted="a model folder with neighbours/",
                    remedy="train the recipe's every stage with `xemplar train`",
                )
            return Augmented(self.corpus, self.index, augmenter=stages.augmenter, assembly=asked)
        return (Mmr if asked.policy == "mmr" else Top)(self.retriever, asked)

    @property
    def _filter(self) -> Filter:
        judge = self.stages.judge
        if judge is None:
            return filter_for(self.assembly, self.corpus)
        return (ByVerdict if self.assembly.filter == "nli" else ByLikeness)(judge, judge.name)

    def _draft(
        self,
        views: Views,
        *,
        policy: str = STOPPED,
        made: Assembled | None = None,
        case: Case | None = None,
        gate: str | None = None,
        prior: Sequence[Film] | None = None,
    ) -> Draft:
        films, made, whole = _films(views), made or Assembled(()), self.fingerprint
        leave = self.retriever.leave_of(views) if case is None else case.leave
        left_out = {**asdict(leave), "others": sorted(leave.others)}
        if not leave.others:
            del left_out["others"]
        asked = [_pixels(films), whole, policy, gate, left_out]
        promise = self.promise if policy == POLICY else None
        return Draft(
            draft_id=fingerprint(asked if prior is None else [*asked, _pixels(prior)]),
            study_id=films[0].study_id,
            lines=made.lines,
            abstained=made.abstained,
            gate=gate,
            policy=policy,
            promise=None if promise is None else promise.told(prior=prior is not None),
            fingerprint=whole,
            domain=self.corpus.settings.domain,
            notes={} if gate is not None else notes_of(films, prior or (), leave),
        )

    def films_of(self, study: Study) -> list[Film]:
        """The views of one of the corpus's studies, as films that leave their own study out."""
        return [self.corpus.film(study, view) for view in study.views]

    def describe(self) -> Json:
        """What is open: domain, patients, counts, fingerprints."""
        return {
            "title": self.corpus.title,
            "parts": self.index.manifest["parts"],
            "counts": self.index.manifest["counts"],
            "engine": self.index.manifest["engine"],
            "calibrated": self.calibration is not None,
            "gate": self.gatekeeper.facts,
            "fingerprint": self.fingerprint,
        }


def _pixels(films: Sequence[Film]) -> str:
    return hashlib.sha256(b"".join(film.image.tobytes() for film in films)).hexdigest()


def _films(views: Views) -> Sequence[Film]:
    films = [views] if isinstance(views, Film) else views
    if not films:
        raise XemplarError("a study without an image", wanted="at least one view")
    return films
