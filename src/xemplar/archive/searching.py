"""Searching an archive: by likeness alone, by a query that is read, or for all that answer one; with a film.

Knows what is asked and of whom, of how much of the archive, and if its gate would let the film pass; how it
is answered is known in `retrieval`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xemplar.archive.gating import Gatekeeper
from xemplar.corpus import Corpus
from xemplar.drafting.gate.reasons import HELD
from xemplar.errors import XemplarError
from xemplar.index import Index
from xemplar.records import Film, Hit, Kind
from xemplar.retrieval import Answer, Asked, Finder, Leave, Query, Region, Retriever, named
from xemplar.retrieval.cohort import Cohort, gather
from xemplar.retrieval.finder import Seen, Views

UNREAD = "sentences are sought by likeness alone: the query isn't read, and what it excludes isn't left out"
UNDRAFTED = "this image would not be drafted for: "


@dataclass(frozen=True, slots=True)
class Reach:
    """How many of an archive's studies a search looks at, and of which parts they are."""

    studies: int
    of: int
    parts: tuple[str, ...]

    def __str__(self) -> str:
        """Such as "1,360 of 2,000 studies: train"."""
        return f"{self.studies:,} of {self.of:,} studies: {', '.join(self.parts)}"


@dataclass(frozen=True, slots=True)
class Alike:
    """What is most alike; whom facets left out, by reason; of how many studies; what is to be known."""

    hits: tuple[Hit, ...]
    excluded: Mapping[str, int]
    reach: Reach
    notes: tuple[str, ...] = ()


class Searched:
    """What an archive is searched by."""

    corpus: Corpus
    index: Index
    retriever: Retriever
    finder: Finder
    gatekeeper: Gatekeeper

    def search(
        self,
        query: Query,
        k: int = 10,
        *,
        kind: Kind | None = None,
        leave: Leave | None = None,
        facets: Mapping[str, str] | None = None,
        region: Region | None = None,
    ) -> tuple[Hit, ...]:
        """The k best reports, sentences or images for a text, a film or the views of one study.

        With a `region` of one film, by what lies in it, and of images unless another kind is asked for;
        refused where the model sees whole films alone. `facets` are those that a study must have.
        """
        vector = None if region is None else self._of_region(query, region)
        kind = kind or ("report" if region is None else "image")
        if facets:
            self.check_facets(facets, kind=kind)
            leave = self.retriever.leave_of(query) if leave is None else leave
            leave = replace(leave, facets={**leave.facets, **facets})
        return self.retriever.search(query, kind, k, leave=leave, vector=vector)

    def alike(
        self,
        query: Query,
        k: int = 10,
        *,
        kind: Kind | None = None,
        facets: Mapping[str, str] | None = None,
        region: Region | None = None,
    ) -> Alike:
        """What `search` finds, with whom the facets left out, of how many studies, and notes.

        These say that no query is read for sentences, and why an image would not be drafted for.
        """
        kind, facets = kind or ("report" if region is None else "image"), facets or {}
        self.check_facets(facets, kind=kind)
        leave = self.retriever.leave_of(query)
        leave = replace(leave, facets=facets) if facets else leave
        seen = None if isinstance(query, str) else self._seen(query)
        vector = None if seen is None else seen.vector
        if region is not None:
            vector = self._of_region(query, region)
        hits = self.retriever.search(query, kind, k, leave=leave, vector=vector)
        notes = self._notes(seen) if seen is not None else (UNREAD,) if kind == "sentence" else ()
        filtered = self.retriever.filtered(kind)
        lacking = filtered.lacking(named(facets))
        excluded = {why: len(studies) for why, studies in lacking.items() if studies}
        return Alike(hits, excluded, self.reach(len(filtered.facets.studies)), notes)

    def ask(
        self,
        query: str | Asked,
        k: int = 10,
        *,
        kind: Kind = "report",
        like: Film | Sequence[Film] | None = None,
        facets: Mapping[str, str] | None = None,
        region: Region | None = None,
    ) -> Answer:
        """The best reports or images for a query that is read; with `like`, the most alike it lets pass.

        With a `region` of that image, alike by what lies there. `facets` are those that a study must have
        beside what the query asks for.
        """
        seen = None if like is None else self._seen(like)
        answer = self.finder.find(query, k, kind=kind, like=seen, facets=facets, region=region)
        return answer if seen is None else replace(answer, notes=(*answer.notes, *self._notes(seen)))

    def reach(self, studies: int) -> Reach:
        """So many studies beside all that the corpus holds."""
        parts = tuple(str(part) for part in self.index.manifest["parts"])
        return Reach(studies, len(self.corpus.studies), parts)

    def cohort(
        self,
        query: str | Asked,
        *,
        facets: Mapping[str, str] | None = None,
        at_least: float | None = None,
    ) -> Cohort:
        """Every study that answers a query, with its evidence and who was left out; see `gather`."""
        return gather(self.finder, query, facets=facets, at_least=at_least)

    def check_facets(self, facets: Mapping[str, str], *, kind: Kind | None = None) -> None:
        """Refuse a facet, or a value of one, that no study of the index has (with items of a kind)."""
        known = self.finder.facets if kind is None else self.retriever.filtered(kind).facets
        for one in named(facets):
            known.check(one, str(self.corpus.folder))

    def _of_region(self, query: Query, region: Region) -> NDArray[np.float32]:
        if isinstance(query, str):
            raise XemplarError("a region without an image", wanted="the image that it is a region of")
        return self.retriever.vector_of_region(query, region)

    def _seen(self, views: Views) -> Seen:
        """The views of one study, encoded once for all that looks at them."""
        vectors, (shown,) = self.retriever.vectors_of_views([views])
        return Seen(views, vectors[0], shown)

    def _notes(self, seen: Seen) -> tuple[str, ...]:
        """Why an image would not be drafted for; not that a study holds it, where that one is left out."""
        films = [seen.films] if isinstance(seen.films, Film) else seen.films
        why = self.gatekeeper.why(films, seen.vector, views=seen.views)
        own = self.retriever.leave_of(films).study_id
        if why is None or (own is not None and why == HELD.format(study_id=own)):
            return ()
        return (UNDRAFTED + why.removeprefix("no draft: "),)
