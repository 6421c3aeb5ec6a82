"""Who is not drafted for: a study's facts first, then whom the archive holds, then how its films look.

Knows an archive's corpus and index, and the gate that was fitted for them; how a film's looks are judged is
known to drafting. No flag turns any of it off.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xemplar.classify.precedents import SHOWN
from xemplar.contracts import Json
from xemplar.corpus import Corpus
from xemplar.corpus.alignment import Looked, shows_same
from xemplar.corpus.landmarks import landmarks_of
from xemplar.corpus.reader import age_of
from xemplar.drafting import gate as gating
from xemplar.drafting.gate.reasons import CHILD, FAR, HELD, LATERAL_ALONE, SEEN
from xemplar.drafting.gate.spoiled import LATERAL
from xemplar.images.tags import POSITIONS
from xemplar.index import fitted_to
from xemplar.records import Film, Hit, Image, Kind, Study, Vectors, View
from xemplar.retrieval import NOBODY, Leave, Retriever, shown_of

SYNTHETIC_ONLY = "no draft: this archive is drawn, not clinical"
BLANK = "no draft: the image is blank"

GROWN = 16.0
"""Years."""

ASKED = 5
"""Nearest studies that are looked at for the film itself."""

HELD_BACK = 100
"""Validation studies below which the encoder's distance has no limit."""

FAR_SHARE = 0.01
"""Share of validation studies of which a view may be too far by the encoder."""


class Gatekeeper:
    """Says of a study why there is to be no draft."""

    def __init__(self, retriever: Retriever, gate: gating.Gate | None = None) -> None:
        self.retriever, self.corpus = retriever, retriever.corpus
        self.gate = gate
        self.chest = self.corpus.settings.texts == "reports"
        """Whether the archive is of chest films with reports, so that positions, ages and looks matter."""

    def why(
        self,
        films: Sequence[Film],
        vector: NDArray[np.float32],
        *,
        views: Vectors | None = None,
        apart: Collection[str] = (),
    ) -> str | None:
        """Why there is to be no draft for the views of one study, `vector` (dim,) being theirs; or None.

        `views` (shown, dim) are the vectors of those that show anything, where somebody has them already;
        `apart` are studies known to be none of the archive's, whose films aren't sought in it.
        """
        if reason := self._facts(films) or self._same_file(films) or self._seen(films):
            return reason
        if "image" not in self.retriever.index.items:
            return None
        shown = shown_of(films)
        strange = not any(film.study_id in self.corpus.by_id or film.study_id in apart for film in shown)
        asked = [strange or self._has_limit(film) for film in shown]
        if not any(asked):
            return None  # nothing is left to look for, so that no view has to be encoded by itself
        looked = [film for film, one in zip(shown, asked, strict=True) if one]
        if views is not None or len(shown) == 1:
            vectors = (vector[None] if views is None else views)[asked]
        else:
            vectors = self.retriever.vectors_of(looked)
        return self._near(looked, vectors, strange=strange, leave=self.retriever.leave_of(films))

    def why_not_compared(self, films: Sequence[Film]) -> str | None:
        """Why nothing is compared with the views of an earlier study, held by the archive or not; or None."""
        return self._facts(films) or self._seen(films)

    @property
    def facts(self) -> Json:
        """What it knows beside facts, or why nothing."""
        if self.gate is None:
            return {"learnt_from": 0, "why": "no gate is fitted for this archive, so facts alone stop a film"}
        return self.gate.facts

    def similar(self, films: Sequence[Film], vector: NDArray[np.float32]) -> tuple[Hit, ...]:
        """The most similar studies without their texts, shown in a draft's place; none of a blank film."""
        if not self.retriever.index.items or all(film.is_blank for film in films):
            return ()
        kind: Kind = "image" if "image" in self.retriever.index.items else "report"
        found = self.retriever.search(films, kind, SHOWN, vector=vector)
        return tuple(replace(hit, text=None) for hit in found)

    def _facts(self, films: Sequence[Film]) -> str | None:
        drawn = "synthetic" in (self.corpus.settings.domain, self.retriever.encoder.domain)
        if drawn and any(film.domain != "synthetic" for film in films):
            return SYNTHETIC_ONLY
        if all(film.is_blank for film in films):
            return BLANK
        if self.chest and all(position_of(film.position) == "lateral" for film in films if not film.is_blank):
            return LATERAL_ALONE
        if self.chest and any(film.age_years is not None and film.age_years < GROWN for film in films):
            return CHILD
        return None

    def _same_file(self, films: Sequence[Film]) -> str | None:
        """Whether an indexed study, and not the film's own, holds the very file."""
        parts = self.retriever.index.manifest["parts"]
        for film in films:
            for study in self.retriever.holding(film):
                if study.split in parts and study.study_id != film.study_id:
                    return HELD.format(study_id=study.study_id)
        return None

    def _near(self, films: Sequence[Film], vectors: Vectors, *, strange: bool, leave: Leave) -> str | None:
        """By what of the archive is nearest to each view: the film itself, if it is a stranger's, or too far.

        A film of the corpus was compared with all others there, and is known for what it is.
        """
        if strange and (study_id := self._same_film(films, vectors)):
            return HELD.format(study_id=study_id)
        far = (self._is_far(film, row, leave) for film, row in zip(films, vectors, strict=True))
        return FAR if any(far) else None

    def _has_limit(self, film: Film) -> bool:
        """Whether a view can be too far: a lateral one never is."""
        limited = self.gate is not None and self.gate.far is not None
        return limited and self.chest and position_of(film.position) != "lateral"

    def _is_far(self, film: Film, vector: NDArray[np.float32], leave: Leave) -> bool:
        """Whether a view is too far from all that isn't left out."""
        if self.gate is None or not self._has_limit(film):
            return False
        near = self.retriever.search(film, "image", gating.NEIGHBOURS, leave=leave, vector=vector)
        return self.gate.is_far([hit.score for hit in near]) and not self._looks_lateral(film)

    def _looks_lateral(self, film: Film) -> bool:
        return self.gate is not None and self.gate.reason(film.image) == SEEN[LATERAL]

    def _seen(self, films: Sequence[Film]) -> str | None:
        """By every film that isn't stated to be lateral; one that looks lateral needs a frontal beside it."""
        if self.gate is None or not self.chest:
            return None
        asked = [film for film in films if position_of(film.position) != "lateral" and not film.is_blank]
        reasons = [self.gate.reason(film.image) for film in asked]
        lateral = SEEN[LATERAL]
        if wrong := [reason for reason in reasons if reason not in (None, lateral)]:
            return wrong[0]
        return None if None in reasons else lateral

    def _same_film(self, films: Sequence[Film], vectors: Vectors) -> str | None:
        """The study nearest to one of the films that shows it, or nearly the same.

        Its own patient's studies are looked at too, though none of them speaks for it.
        """
        for film, vector in zip(films, vectors, strict=True):
            asked = _looked(film.image)
            near = self.retriever.search(film, "image", ASKED, leave=NOBODY, vector=vector)
            for hit in near:
                views = [v for v in self.corpus.by_id[hit.study_ids[0]].views if not v.is_blank]
                ids = [view.view_id for view in views]
                held = map(Looked, self.corpus.view_landmarks(ids), self.corpus.preview_pixels(ids))
                if any(shows_same(asked, one) for one in held):
                    return hit.study_ids[0]
        return None


def fit_gate(retriever: Retriever, held_back: Sequence[Study] | None = None) -> gating.Gate:
    """Learn from the archive's indexed training films, with limits from those and the films `held_back`.

    Those are the validation part's where nobody says which of them.
    An archive with too few frontal films gives a gate that says so, and stops by facts alone.
    """
    corpus, index = retriever.corpus, fitted_to(retriever.index)
    train, others = corpus.part("train"), corpus.part("val") if held_back is None else held_back
    proper, laterals = _films(corpus, train, "frontal"), _films(corpus, train, "lateral")
    people = [_whose(study) for study, _ in proper]
    if len(proper) < gating.WANTED or len(set(people)) < gating.PEOPLE:
        held = f"{len(proper)} frontal films of {len(set(people))} patients or groups to learn from"
        wanted = f"at least {gating.WANTED} of {gating.PEOPLE}"
        return gating.Gate(index=index, why=f"{held}, wanted {wanted}")
    images = corpus.previews([view.view_id for _, view in proper])
    sides = corpus.previews([view.view_id for _, view in laterals])
    learnt = gating.learn(images, sides, people=people)
    held_out = _films(corpus, others, "frontal")
    strange = learnt.strange
    if held_out:
        rows = gating.rows_of(corpus.previews([view.view_id for _, view in held_out]))
        strange = np.concatenate([strange, learnt.looks.strangeness(rows)])
    limits = gating.limits(strange)
    return gating.Gate(
        index=index,
        looks=learnt.looks,
        limits=limits,
        spreads=[float(f"{spread:.7g}") for spread in strange.std(axis=0)],
        far=_far(retriever, held_out),
        learnt_from=len(proper),
        held_out=len(strange),
        stopped=float((strange > np.array(limits)).any(axis=1).mean()),
    )


def _far(retriever: Retriever, held_back: Sequence[tuple[Study, View]]) -> float | None:
    """The limit of nearness, from studies that neither the index nor the model has seen.

    Each of them by its farthest frontal view, as a study is stopped that is asked about.
    """
    if len({study.study_id for study, _ in held_back}) < HELD_BACK or "image" not in retriever.index.items:
        return None
    films = [retriever.corpus.film(study, view) for study, view in held_back]
    vectors = retriever.vectors_of(films)
    found = (
        retriever.search(film, "image", gating.NEIGHBOURS, vector=vector)
        for film, vector in zip(films, vectors, strict=True)
    )
    farthest: dict[str, float] = {}
    for (study, _), hits in zip(held_back, found, strict=True):
        nearness = gating.nearness([hit.score for hit in hits])
        farthest[study.study_id] = min(nearness, farthest.get(study.study_id, nearness))
    near = np.sort(list(farthest.values()))
    return float(near[int(FAR_SHARE * len(near))])


def position_of(word: str | None) -> str | None:
    """Frontal or lateral, whatever the source's own word for it is."""
    return None if word is None else POSITIONS.get(word.upper(), word)


def _is_young(study: Study) -> bool:
    age = age_of(study)
    return age is not None and age < GROWN


def _whose(study: Study) -> str:
    """Its patient or group, or itself where nobody knows."""
    return study.facets.get("cluster") or study.patient_id or study.study_id


def _looked(image: Image) -> Looked:
    pixels = np.rint(image * np.float32(255)).astype(np.uint8)
    return Looked(landmarks_of(pixels), pixels)


def _films(corpus: Corpus, studies: Sequence[Study], position: str) -> list[tuple[Study, View]]:
    """Films of studies to learn from: of this position, of grown people, not blank, MOST by chance.

    Where no film of the corpus is said to be frontal, those of which nothing is said are taken for it.
    """
    stated = any(position_of(view.position) == "frontal" for study in corpus.studies for view in study.views)
    wanted = position if stated or position == "lateral" else None
    found = [
        (study, view)
        for study in studies
        for view in study.views
        if position_of(view.position) == wanted and not view.is_blank and not _is_young(study)
    ]
    chosen = np.random.default_rng(0).permutation(len(found))[: gating.MOST]
    return [found[place] for place in np.sort(chosen)]
