"""Query -> hits: vectors, words and claims fused, filtered, views folded into studies, self left out.

Knows the index and an encoder; what claims are worth is known in `by_claims`. Knows nothing of drafts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xemplar.contracts import Encoder
from xemplar.corpus import Corpus
from xemplar.errors import MismatchError, XemplarError
from xemplar.index import Index, Items
from xemplar.records import Film, Hit, Kind, Study, Vectors
from xemplar.retrieval.by_claims import ClaimIndex, claims_in
from xemplar.retrieval.by_words import word_scores
from xemplar.retrieval.filtered import Filtered, nearest
from xemplar.retrieval.filters import Facets, named
from xemplar.retrieval.region import Region, region_vector

Query = str | Film | Sequence[Film]
"""A text, an image, or the several views of one study."""

FUSION = 60.0
"""Reciprocal rank fusion's constant (Cormack, Clarke and Buettcher, SIGIR 2009)."""

_DEPTH = 100
"""Each stage looks at least this deep, before folding and fusing, so that asking for fewer answers
doesn't change their order."""

STAGES = ("vectors", "words", "claims")
"""What a search is answered by."""

_WIDEST = 1000
"""Reports that agree equally well with what a text claims: of more the claims don't tell one from another,
and the best of them would earn less than 1 / 1,060."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Who is left out of an answer: a study, and every study of its patient or group."""

    study_id: str | None = None
    patient_id: str | None = None
    cluster: str | None = None
    facets: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Only studies that have these are kept, told as filters are: a sex, a range of ages, a view."""
    others: frozenset[str] = frozenset()
    """Further studies that are left out."""

    def drops(self, study: Study) -> bool:
        """Whether a study is left out."""
        if study.study_id == self.study_id or study.study_id in self.others:
            return True
        if self.patient_id is not None and study.patient_id == self.patient_id:
            return True
        if self.cluster is not None and study.facets.get("cluster") == self.cluster:
            return True
        return any(not Facets([study]).kept(one).all() for one in named(self.facets))

    def includes(self, other: Leave) -> bool:
        """Whether all that another names, study, patient and group, this one names too."""
        pairs = (
            (self.study_id, other.study_id),
            (self.patient_id, other.patient_id),
            (self.cluster, other.cluster),
        )
        return all(theirs in (None, own) for own, theirs in pairs)


NOBODY = Leave()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a search is to answer with: items of one kind, how many, and who is left out."""

    items: Items
    k: int
    leave: Leave

    @property
    def deep(self) -> int:
        """How far each stage looks at first."""
        return max(_DEPTH, 4 * self.k)


class Retriever:
    """Searches one index with one encoder."""

    def __init__(self, corpus: Corpus, index: Index, encoder: Encoder) -> None:
        self.corpus, self.index, self.encoder = corpus, index, encoder
        self._filtered: dict[Kind, Filtered] = {}

    def vectors_of(self, queries: Sequence[Query]) -> Vectors:
        """(queries, dim): a text's vector, or the mean of a study's views that show anything, of length 1."""
        texts = [query for query in queries if isinstance(query, str)]
        seen = iter(self._encoded([_films(query) for query in queries if not isinstance(query, str)]))
        told = iter(self.encoder.encode_texts(texts) if texts else ())
        rows = [next(told) if isinstance(query, str) else next(seen).mean(axis=0) for query in queries]
        return _unit(np.stack(rows))

    def vectors_of_views(self, studies: Sequence[Film | Sequence[Film]]) -> tuple[Vectors, list[Vectors]]:
        """(studies, dim) as of `vectors_of`, and of each study (shown, dim) those of its `shown_of`."""
        seen = self._encoded([_films(one) for one in studies])
        return _unit(np.stack([views.mean(axis=0) for views in seen])), [_unit(views) for views in seen]

    def _encoded(self, studies: Sequence[Sequence[Film]]) -> list[Vectors]:
        """Of each study (shown, dim): its views that show anything, as the encoder gives them."""
        shown = [shown_of(films) for films in studies]
        films = [film for one in shown for film in one]
        self._check_previews(films)
        rows = iter(self.encoder.encode_images([film.image for film in films]) if films else ())
        return [np.stack([next(rows) for _ in one]) for one in shown]

    def vector_of_region(self, views: Film | Sequence[Film], region: Region) -> NDArray[np.float32]:
        """(dim,) of length 1: what the encoder sees of a region of a film; refused where it can't."""
        self._check_previews(_films(views))
        return region_vector(self.encoder, views, region)

    def _check_previews(self, films: Sequence[Film]) -> None:
        held = self.corpus.settings.preview
        for film in films:
            if film.preview is not None and film.preview != held.fingerprint:
                raise MismatchError(
                    f"the image was loaded as preview {film.preview}",
                    wanted=f"preview {held.fingerprint} (size {held.size}), as the archive's",
                    remedy="load it with archive.load_film",
                )

    def search(
        self,
        query: Query,
        kind: Kind,
        k: int,
        *,
        leave: Leave | None = None,
        vector: Vectors | None = None,
        stages: Collection[str] = STAGES,
    ) -> tuple[Hit, ...]:
        """The k best items of a kind, best first; images come folded into studies, best view first.

        A text is answered by vectors, words and what it claims together, fused by rank (sentences by
        vectors alone); one that claims nothing by vectors and words; an image by vectors. Its own
        study and its patient's others are left out of an image's answer; a `leave` that is given takes
        the place of that (`dataclasses.replace(leave_of(query), facets=...)` adds to it). `vector`
        (dim,) is the query's own of `vectors_of`, where somebody has it already; `stages` are those that
        answer.
        """
        if k < 1:
            raise XemplarError(f"k = {k}", wanted="at least 1")
        if isinstance(query, str) and not query.strip():
            raise XemplarError("an empty query", wanted="words or an image")
        leave = self._named(self.leave_of(query) if leave is None else leave, kind)
        asked = _Asked(self.items(kind), k, leave)
        told = query if isinstance(query, str) and kind != "sentence" else ""
        words = self._by_words(told, asked) if "words" in stages else []
        claims = self._by_claims(told, asked) if "claims" in stages else []
        vectors = []
        if "vectors" in stages:
            row = self.vectors_of([query]) if vector is None else vector[None]
            vectors = self._by_vectors(row, asked, whole_ties=bool(words or claims))
        return self._fuse({"vectors": vectors, "words": words, "claims": claims}, asked)

    def leave_of(self, query: Query) -> Leave:
        """Leave out whoever any of an image's views is of: study, and patient's or group's others.

        A file that the archive holds already is known by its bytes, and its study goes before what else is
        known. A text leaves out nobody.
        """
        if isinstance(query, str):
            return NOBODY
        known = [leave for film in _films(query) for leave in self._leaves_of(film) if leave != NOBODY]
        first = next((leave for leave in known if leave.study_id is not None), (known or [NOBODY])[0])
        rest = [leave for leave in known if not first.includes(leave)]
        if not rest:
            return first
        others = [s.study_id for s in self.corpus.studies if any(leave.drops(s) for leave in rest)]
        return replace(first, others=frozenset(others))

    def _leaves_of(self, film: Film) -> list[Leave]:
        """Whose one film is: its own study's, or those that hold the same file."""
        held = self.holding(film) if film.study_id is None else ()
        of_file = [Leave(study.study_id, study.patient_id, study.facets.get("cluster")) for study in held]
        return [Leave(film.study_id, film.patient_id, film.cluster), *of_file]

    def holding(self, film: Film) -> tuple[Study, ...]:
        """The corpus's studies that hold a film's very file; none for a blank one."""
        return self._by_file.get(film.sha256 or "", ())

    def left_out(self, query: Query) -> tuple[str, ...]:
        """Studies of the index that an image's answer leaves out: its own first, if any, then its patient's.

        Nobody is left out of a text's answer, nor of one for an image that the archive doesn't know.
        """
        leave = self.leave_of(query)
        if leave == NOBODY:
            return ()
        parts = self.index.manifest["parts"]
        dropped = [s.study_id for s in self.corpus.studies if s.split in parts and leave.drops(s)]
        return tuple(sorted(dropped, key=lambda study_id: study_id != leave.study_id))

    @cached_property
    def _by_file(self) -> dict[str, tuple[Study, ...]]:
        """SHA-256 of an original -> its studies; blank films are nobody's."""
        found: dict[str, tuple[Study, ...]] = {}
        for study in self.corpus.studies:
            for view in study.views:
                if view.sha256 and not view.is_blank:
                    found[view.sha256] = (*found.get(view.sha256, ()), study)
        return found

    def filtered(self, kind: Kind) -> Filtered:
        """The index's items of a kind by what the studies behind them say of themselves."""
        if kind not in self._filtered:
            self._filtered[kind] = Filtered(self.items(kind), self.corpus.by_id)
        return self._filtered[kind]

    def _named(self, leave: Leave, kind: Kind) -> Leave:
        """The same with its facets looked up once: who lacks them, by name."""
        if not leave.facets:
            return leave
        gone = self.filtered(kind).gone(named(leave.facets))
        return replace(leave, facets={}, others=leave.others | gone if leave.others else gone)

    def items(self, kind: Kind) -> Items:
        """The items of a kind; a corpus of texts alone has no images, one of films alone no texts."""
        if kind not in self.index.items:
            have = ", ".join(self.index.items)
            raise XemplarError(f"no {kind} in the index", wanted=f"one of what it holds: {have}")
        return self.index.items[kind]

    def _by_vectors(self, vector: Vectors, asked: _Asked, *, whole_ties: bool) -> list[tuple[int, float]]:
        """Rows of items and cosines to a vector (1, dim), best first, one row a study for images.

        With `whole_ties` no group of equal scores is cut in two by how deep this looks: a rank given to
        a part of one would be owed to the order of rows.
        """
        items, leave, depth = asked.items, asked.leave, asked.deep
        kept = self._rows_of(items.kind, leave)
        most = len(items) if kept is None else len(kept)
        while most:
            rows, scores = nearest(items, kept, vector[0], depth=min(depth, most))
            pairs = zip(rows.tolist(), scores.tolist(), strict=True)
            found = self._folded([(r, s) for r, s in pairs if r >= 0 and self._kept(items, r, leave)], items)
            if whole_ties and depth < most:
                found = [(row, score) for row, score in found if score > scores[-1]]
            if len(found) >= asked.k or depth >= most:
                return found
            depth *= 4
        return []

    def _rows_of(self, kind: Kind, leave: Leave) -> NDArray[np.intp] | None:
        """The rows that so many `others` leave that they alone are looked at; None of few."""
        return self.filtered(kind).rows(leave.others) if leave.others else None

    def _by_words(self, query: str, asked: _Asked) -> list[tuple[int, float]]:
        """Rows of items whose study's report shares words with the query, by BM25."""
        scores = word_scores(self.index, query)
        return [] if scores is None else self._of_reports(scores, asked)

    def _by_claims(self, query: str, asked: _Asked) -> list[tuple[int, float]]:
        """Rows of items whose study's report claims what the query does; none where it claims nothing."""
        if not query or not self.claims:
            return []
        claims = claims_in(query)
        return self._of_reports(self.claims.scores(claims), asked, widest=_WIDEST) if claims else []

    @cached_property
    def claims(self) -> ClaimIndex:
        """What the index's reports claim, row by row; of no report where it has none."""
        reports = self.index.items.get("report")
        ids = () if reports is None else reports.study_ids
        return ClaimIndex([self.corpus.by_id[study_ids[0]].claims for study_ids in ids])

    def _of_reports(
        self, scores: NDArray[np.floating[Any]], asked: _Asked, *, widest: int | None = None
    ) -> list[tuple[int, float]]:
        """Rows of items by their reports' scores above 0, best first, no group of equal ones cut in two.

        One that reaches beyond `widest` rows is left out, and so is whatever comes after it.
        """
        reports, kept = self.items("report"), self._rows_of("report", asked.leave)
        above = np.flatnonzero(scores > 0) if kept is None else kept[scores[kept] > 0]
        found: list[tuple[int, float]] = []
        for row in above[np.argsort(-scores[above], kind="stable")].tolist():
            if len(found) >= asked.deep and scores[row] < found[-1][1]:
                break
            place = row if asked.items.kind == "report" else self.first_view.get(reports.ids[row])
            if place is not None and self._kept(asked.items, place, asked.leave):
                found.append((place, float(scores[row])))
            if widest is not None and len(found) > max(widest, asked.deep):
                return [(place, score) for place, score in found if score > found[-1][1]]
        return found

    @cached_property
    def first_view(self) -> dict[str, int]:
        """study_id -> row of its first image."""
        first: dict[str, int] = {}
        for row, study_ids in enumerate(self.items("image").study_ids):
            first.setdefault(study_ids[0], row)
        return first

    def _kept(self, items: Items, row: int, leave: Leave) -> bool:
        study_ids = items.study_ids[row]
        return leave == NOBODY or not all(leave.drops(self.corpus.by_id[study_id]) for study_id in study_ids)

    def sources(self, items: Items, row: int, leave: Leave) -> tuple[str, ...]:
        """The studies behind an item that are not left out."""
        study_ids = items.study_ids[row]
        if leave == NOBODY:
            return study_ids
        return tuple(study_id for study_id in study_ids if not leave.drops(self.corpus.by_id[study_id]))

    def _folded(self, found: list[tuple[int, float]], items: Items) -> list[tuple[int, float]]:
        if items.kind != "image":
            return found
        first: dict[str, tuple[int, float]] = {}
        for row, score in found:
            first.setdefault(items.study_ids[row][0], (row, score))
        return list(first.values())

    def _fuse(self, found: dict[str, list[tuple[int, float]]], asked: _Asked) -> tuple[Hit, ...]:
        """By the stages' ranks where there are several; a single stage keeps its own scores."""
        items = asked.items

        def key(row: int) -> str:
            return items.study_ids[row][0] if items.kind == "image" else items.ids[row]

        row_of: dict[str, int] = {}
        scores: dict[str, dict[str, float]] = {}
        for stage, pairs in found.items():
            for row, score in pairs:
                row_of.setdefault(key(row), row)
                scores.setdefault(key(row), {})[stage] = score
        several = sum(bool(pairs) for pairs in found.values()) > 1
        ranks = {stage: _ranks([(key(row), score) for row, score in pairs]) for stage, pairs in found.items()}
        total = {
            name: sum(1 / (FUSION + ranks[stage][name]) for stage in stages)
            if several
            else max(stages.values())
            for name, stages in scores.items()
        }
        best = sorted(total, key=lambda name: (-total[name], row_of[name]))[: asked.k]
        return tuple(self._hit(asked, row_of[name], score=total[name], scores=scores[name]) for name in best)

    def _hit(self, asked: _Asked, row: int, *, score: float, scores: Mapping[str, float]) -> Hit:
        items = asked.items
        study_ids = self.sources(items, row, asked.leave)
        text = None
        if items.kind == "sentence":
            text = self.sentence_texts[items.ids[row]]
        else:
            text = self.corpus.by_id[study_ids[0]].text or None
        view = items.ids[row] if items.kind == "image" else None
        return Hit(items.kind, items.ids[row], score, study_ids, text=text, view_id=view, scores=dict(scores))

    @cached_property
    def sentence_texts(self) -> dict[str, str]:
        """sentence_id -> text."""
        return {sentence.sentence_id: sentence.text for sentence in self.corpus.sentences}


def _unit(rows: Vectors) -> Vectors:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def shown_of(films: Sequence[Film]) -> Sequence[Film]:
    """The views of a study that show anything; all of them where none does."""
    return [film for film in films if not film.is_blank] or films


def _films(query: Film | Sequence[Film]) -> Sequence[Film]:
    films = [query] if isinstance(query, Film) else list(query)
    if not films:
        raise XemplarError("a query without an image", wanted="at least one view")
    return films


def _ranks(keys_and_scores: list[tuple[str, float]]) -> dict[str, int]:
    """Key -> rank from 1; equal scores share the worst of their ranks, so that ties earn nothing."""
    rising = np.sort([score for _, score in keys_and_scores])
    ranks: dict[str, int] = {}
    for key, score in keys_and_scores:
        ranks.setdefault(key, len(rising) - int(np.searchsorted(rising, score, side="left")))
    return ranks
