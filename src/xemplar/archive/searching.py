"""Searching an archive: by likeness alone, by a query that is read, or for all that answer one; with a film.

Knows what is asked and of whom; how it is answered is known in `retrieval`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from xemplar.corpus import Corpus
from xemplar.errors import XemplarError
from xemplar.records import Film, Hit, Kind
from xemplar.retrieval import Answer, Asked, Finder, Leave, Query, Region, Retriever, named
from xemplar.retrieval.cohort import Cohort, gather


class Searched:
    """What an archive is searched by."""

    corpus: Corpus
    retriever: Retriever
    finder: Finder

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
        vector = None
        if region is not None:
            if isinstance(query, str):
                raise XemplarError("a region without an image", wanted="the image that it is a region of")
            vector = self.retriever.vector_of_region(query, region)
        kind = kind or ("report" if region is None else "image")
        if facets:
            self.check_facets(facets, kind=kind)
            leave = self.retriever.leave_of(query) if leave is None else leave
            leave = replace(leave, facets={**leave.facets, **facets})
        return self.retriever.search(query, kind, k, leave=leave, vector=vector)

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
        return self.finder.find(query, k, kind=kind, like=like, facets=facets, region=region)

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
