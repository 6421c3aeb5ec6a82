"""A query that is read -> reports that say so, best first, with why and how probably, and who was left out.

Knows the archive, the reading and the weights; what each of them knows is told next door. An image may be
asked with: then it ranks, and what was read filters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import XemplarError
from xemplar.records import RESEARCH_USE, Film, Hit, Kind, Vectors
from xemplar.retrieval.answered import Evidence, evidence
from xemplar.retrieval.asked import A_SENTENCE, NORMAL, Asked, check_sense, read_query
from xemplar.retrieval.by_sentences import DENIED, STATED, SentenceTable
from xemplar.retrieval.by_words import word_scores
from xemplar.retrieval.filtered import cosines
from xemplar.retrieval.filters import Facets, Filter, named
from xemplar.retrieval.kinds import told as told_of
from xemplar.retrieval.measured import Measured, measured
from xemplar.retrieval.region import Region
from xemplar.retrieval.retriever import NOBODY, STAGES, Leave, Query, Retriever
from xemplar.retrieval.worth import PARTS, Weighed, Worth, shipped, weigh

Views = Film | Sequence[Film]
"""An image, or the several views of one study."""


NOTICE = RESEARCH_USE
"""Said with every answer that a person is shown."""

ONLY_EXCLUDES = (
    "no finding is wanted: reports that plainly deny what is excluded first, without a probability"
)


NO_IMAGES = "no image in this archive to be like: by how near its reports are to the image"

ITS_OWN = "of the image's own study, patient or group"


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """An image, or the views of one study, that was encoded already."""

    films: Views
    vector: NDArray[np.float32]
    """(dim,) of them all."""
    views: Vectors
    """(shown, dim) of those that show anything."""


@dataclass(frozen=True, slots=True)
class Found:
    """One answer: the hit, how probably it is relevant (None where no claim was asked for), and why."""

    hit: Hit
    probability: float | None
    why: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The reading, what was found for it, and who was left out by it.

    `excluded` counts reports by the first reason that leaves them out. `cut_off` is the probability from
    which `precision` was to be relevant where the weights were fitted, `measured` how much of it was on
    searches held back, `above` how many reports reach it; all are None in an archive of another domain.
    """

    reading: Asked
    found: tuple[Found, ...]
    excluded: Mapping[str, int] = field(default_factory=dict)
    cut_off: float | None = None
    precision: float | None = None
    above: int | None = None
    measured: Measured | None = None
    region: Region | None = None
    """Of the image that was asked with; None where the whole of it was."""
    studies: int = 0
    """How many were held against the query, those that are left out with them."""
    notes: tuple[str, ...] = ()
    """What is to be known of the image that was asked with; of the words the reading says it."""

    @property
    def hits(self) -> tuple[Hit, ...]:
        """The hits alone."""
        return tuple(one.hit for one in self.found)


@dataclass(frozen=True, slots=True)
class Judged:
    """Every report of an index (n,) held against a reading."""

    reading: Asked
    weighed: Weighed
    probability: NDArray[np.float64]
    reason: NDArray[np.int16]
    """(n,) -1 where it may answer, else which of `reasons` leaves it out."""
    reasons: tuple[str, ...]

    @property
    def excluded(self) -> dict[str, int]:
        """Reports by the first reason that leaves them out."""
        counts = np.bincount(self.reason[self.reason >= 0], minlength=len(self.reasons))
        return {name: int(count) for name, count in zip(self.reasons, counts, strict=True) if count}


@dataclass(frozen=True, slots=True)
class _Place:
    """One answer: the row of its report, that of its item, and how near that is."""

    row: int
    item: int
    near: float


class Finder:
    """Answers queries that are read, over one retriever; tables are made when first asked for."""

    def __init__(self, retriever: Retriever, *, worth: Worth | None = None) -> None:
        self.retriever, self.worth = retriever, worth or shipped()

    def find(
        self,
        query: str | Asked,
        k: int = 10,
        *,
        kind: Kind = "report",
        like: Views | Seen | None = None,
        facets: Mapping[str, str] | None = None,
        region: Region | None = None,
    ) -> Answer:
        """The k best reports (or images) for a query, which is read unless it is a reading already.

        With `like`, studies whose image is most alike come first, of those that state what is wanted and
        don't state what isn't to be there; with a `region` of it, alike by what lies there. A query that
        names no known finding is answered by words and vectors, one in another language by words, a whole
        report by its like; the reading says so.
        """
        if k < 1:
            raise XemplarError(f"k = {k}", wanted="at least 1")
        if kind == "sentence":
            raise XemplarError(
                "a reading is held against whole reports",
                wanted="kind report or image",
                remedy="ask for sentences with `retriever.search`",
            )
        if region is not None and like is None:
            raise XemplarError("a region without an image", wanted="the image that it is a region of")
        asked = self.reading(query, facets)
        films = like.films if isinstance(like, Seen) else like
        if asked.how != "claims" or not self.reads:
            return self._plain(asked, k, kind=kind, like=films)
        judged = self._narrowed(self.judge(asked), kind=kind, like=films)
        to = None if like is None else self._vector(like, region)
        places = self._ordered(judged, k, kind=kind, to=to)
        found = tuple(self._found(judged, place, kind=kind, like=films) for place in places)
        answer = Answer(judged.reading, found, judged.excluded, region=region, studies=self.table.count)
        return answer if like is not None else self._promised(answer, judged)

    def reading(self, query: str | Asked, facets: Mapping[str, str] | None = None) -> Asked:
        """What a query is read as here: with facets by name, and without what no study here knows."""
        asked = read_query(query) if isinstance(query, str) else query
        check_sense(asked)
        filters: list[Filter] = []
        notes = list(asked.notes)
        for one in (*asked.filters, *named(facets or {})):
            if one.spoken and one.name not in self.facets.names:
                notes.append(f"no study here says its {one.name}: {one} filters nothing")
                continue
            self.facets.check(one, str(self.retriever.corpus.folder))
            filters.append(one)
        if asked.how == "claims" and not self.reads:
            notes.append("no report of this archive is read: by words and vectors")
        if asked.how == "claims" and asked.unwanted and not asked.has_probability:
            notes.append(ONLY_EXCLUDES)
        if asked.how == "claims" and asked.has_probability and self.worth.stale is not None:
            notes.append(f"without a probability: {self.worth.stale}")
        return replace(asked, filters=tuple(filters), notes=tuple(dict.fromkeys(notes)))

    def tells_probability(self, asked: Asked) -> bool:
        """Whether a hit's probability may be told: the weights were fitted to such searches, so read."""
        return asked.has_probability and self.worth.stale is None

    def judge(self, asked: Asked) -> Judged:
        """Every report of the index against a reading."""
        weighed = weigh(self.table, asked, self._likeness(asked.ranked))
        reason, reasons = np.full(self.table.count, -1, np.int16), list[str]()

        def leave_out(name: str, rows: NDArray[np.bool_]) -> None:
            reason[rows & (reason < 0)] = len(reasons)
            reasons.append(name)

        for one in asked.filters:
            leave_out(f"not {one}", ~self.facets.kept(one))
        for term, status in zip(asked.unwanted, weighed.unwanted, strict=True):
            leave_out(f"states {told_of(asked, term)}", status == STATED)
        for term, status in zip(asked.wanted, weighed.wanted, strict=True):
            told = "states a finding" if term.finding == NORMAL else f"denies {term}"
            leave_out(told, status == DENIED)
        return Judged(asked, weighed, self.worth.probability(weighed), reason, tuple(reasons))

    # --- what is asked once -----

    @cached_property
    def table(self) -> SentenceTable:
        """The index's reports by their sentences."""
        return SentenceTable(self.retriever.corpus.sentences, self.study_ids)

    @cached_property
    def reads(self) -> bool:
        """Whether any report of the index says anything that a reading can be held against."""
        return "report" in self.retriever.index.items and bool(self.table)

    @property
    def facets(self) -> Facets:
        """What the studies behind the reports (without reports: the images) say of themselves."""
        return self.retriever.filtered(self._rows_are).facets

    @cached_property
    def study_ids(self) -> tuple[str, ...]:
        """The study of each report, in their order; without reports those of the images."""
        return tuple(study.study_id for study in self.facets.studies)

    @property
    def _rows_are(self) -> Kind:
        """What a row of this archive's tables is."""
        held = self.retriever.index.items
        return "report" if "report" in held else next(iter(held))

    def _likeness(self, text: str) -> NDArray[np.float32]:
        scores = word_scores(self.retriever.index, text)
        return np.zeros(self.table.count, np.float32) if scores is None else scores

    # --- order -----

    def _ordered(self, judged: Judged, k: int, *, kind: Kind, to: NDArray[np.float32] | None) -> list[_Place]:
        """The best places and how near their vectors are to the query's (an image's is `to`)."""
        may = judged.reason < 0
        if to is not None:
            return self._alike(np.flatnonzero(may), k, kind=kind, to=to)
        parts = judged.weighed.parts
        speaks = judged.weighed.met
        for name in ("terms stated", "likeness"):
            speaks = speaks | (parts[:, PARTS.index(name)] > 0)
        rows = np.flatnonzero(may & speaks)
        scores = judged.probability[rows]
        if len(rows) > k:
            least = np.partition(scores, len(scores) - k)[len(scores) - k]
            rows, scores = rows[scores >= least], scores[scores >= least]
        near, places = self._near(rows, kind, self._vector(judged.reading.ranked or judged.reading.text))
        order = np.lexsort((-near, -scores))[:k].tolist()
        return [_Place(int(rows[one]), int(places[one]), float(near[one])) for one in order]

    def _alike(self, rows: NDArray[np.intp], k: int, *, kind: Kind, to: NDArray[np.float32]) -> list[_Place]:
        """The k rows whose nearest image is nearest to `to`; where no study has one, whose report is."""
        by_image: Kind = "image" if "image" in self.retriever.index.items else kind
        near, places = self._near(rows, by_image, to)
        order = np.argsort(-near, kind="stable")[:k].tolist()
        at = rows if kind == "report" else places
        return [_Place(int(rows[one]), int(at[one]), float(near[one])) for one in order]

    def _vector(self, query: Query | Seen, region: Region | None = None) -> NDArray[np.float32]:
        """(dim,) of a text, of an image, or of a region of one."""
        films = query.films if isinstance(query, Seen) else query
        if region is not None and not isinstance(films, str):
            return self.retriever.vector_of_region(films, region)
        return query.vector if isinstance(query, Seen) else self.retriever.vectors_of([films])[0]

    def _near(
        self, rows: NDArray[np.intp], kind: Kind, vector: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Cosines of the rows' items to a vector, and where they lie; of a study's views the nearest."""
        if not len(rows):
            return np.zeros(0, np.float32), rows
        items = self.retriever.items(kind)
        if kind == "report":
            return cosines(items, rows, vector), rows
        asked = np.zeros(self.table.count, np.bool_)
        asked[rows] = True
        owners = self._owners
        held = np.flatnonzero((owners >= 0) & asked[owners])
        of_view = cosines(items, held, vector)
        near, places = np.zeros(self.table.count, np.float32), np.zeros(self.table.count, np.intp)
        rising = np.lexsort((-held, of_view))  # what is written last stays: the nearest
        near[owners[held][rising]] = of_view[rising]
        places[owners[held][rising]] = held[rising]
        return near[rows], places[rows]

    @cached_property
    def _owners(self) -> NDArray[np.int32]:
        """(images,) the row of each one's study; -1 of one without a report."""
        row_of = {study_id: row for row, study_id in enumerate(self.study_ids)}
        of = self.retriever.items("image").study_ids
        return np.array([row_of.get(study_ids[0], -1) for study_ids in of], np.int32)

    def _narrowed(self, judged: Judged, *, kind: Kind, like: Views | None) -> Judged:
        """Without what has no image, where images are found or compared; with `like`, only what is met."""
        reason, reasons = judged.reason.copy(), list(judged.reasons)
        if kind == "image" or (like is not None and "image" in self.retriever.index.items):
            seen = np.zeros(len(reason), np.bool_)
            seen[self._owners[self._owners >= 0]] = True
            reason[~seen & (reason < 0)] = len(reasons)
            reasons.append("has no image")
        if like is not None:
            reason[~judged.weighed.met & (reason < 0)] = len(reasons)
            reasons.append("doesn't state all that is wanted, as it is wanted")
            reason[self._own(like, np.flatnonzero(reason < 0))] = len(reasons)
            reasons.append(ITS_OWN)
        told = judged.reading
        if like is not None:
            notes = tuple(note for note in told.notes if note != ONLY_EXCLUDES)  # the image ranks
            told = replace(told, notes=notes)
        if like is not None and "image" not in self.retriever.index.items:
            told = replace(told, notes=(*told.notes, NO_IMAGES))
        return replace(judged, reading=told, reason=reason, reasons=tuple(reasons))

    def _own(self, like: Views, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Those of the rows that are of an image's own study, or of its patient or group."""
        leave, studies = self.retriever.leave_of(like), self.facets.studies
        own = [] if leave == NOBODY else [row for row in rows.tolist() if leave.drops(studies[row])]
        return np.array(own, np.intp)

    # --- answers -----

    def _promised(self, answer: Answer, judged: Judged) -> Answer:
        """The answer with what holds above the cut-off; nothing does in an archive of another domain."""
        worth, held = self.worth, measured()
        if held is None or held.domain != self.retriever.corpus.settings.domain:
            return answer
        if worth != shipped() or worth.cut_off is None or not self.tells_probability(judged.reading):
            return answer
        above = int(((judged.reason < 0) & (judged.probability >= worth.cut_off)).sum())
        return replace(answer, cut_off=worth.cut_off, precision=worth.precision, above=above, measured=held)

    def _found(self, judged: Judged, place: _Place, *, kind: Kind, like: Views | None) -> Found:
        study, row, near = self.facets.studies[place.row], place.row, place.near
        chance = float(judged.probability[row]) if self.tells_probability(judged.reading) else None
        scores = {"vectors": near, "words": float(judged.weighed.parts[row, PARTS.index("likeness")])}
        item = self.retriever.items(kind).ids[place.item]
        hit = Hit(
            kind,
            item,
            near if like is not None or chance is None else chance,
            (study.study_id,),
            text=study.text or None,
            view_id=item if kind == "image" else None,
            scores=scores,
        )
        return Found(hit, chance, evidence(study, judged.reading))

    def _plain(self, asked: Asked, k: int, *, kind: Kind, like: Views | None) -> Answer:
        """By words and vectors, as nothing was read that claims could answer."""
        if like is not None:
            raise XemplarError(
                "an image with a text that names no known finding",
                wanted='a finding to filter by, such as "without effusion"',
                remedy="ask with the image alone",
            )
        filtered = self.retriever.filtered(kind)
        gone, leave = filtered.lacking(asked.filters), Leave(others=filtered.gone(asked.filters))
        query: Any = " ".join(asked.words) if asked.how == "words" and asked.words else asked.text
        alone = asked.language != "en" or (asked.how == "words" and len(asked.text) > A_SENTENCE)
        stages = ("words",) if alone else STAGES
        hits = self.retriever.search(query, kind, k, leave=leave, stages=stages)
        by_id = self.retriever.corpus.by_id
        found = (Found(hit, None, evidence(by_id[hit.study_ids[0]], asked)) for hit in hits)
        out = {why: len(ids) for why, ids in gone.items() if ids}
        return Answer(asked, tuple(found), out, studies=len(filtered.facets.studies))
