"""A system asked about a set of studies: its vectors, its rankings, its drafts, and how long a draft takes.

Knows systems and sets of studies; scores nothing by itself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xemplar.contracts import Json, Matcher
from xemplar.drafting.policies.augmented import Augmented
from xemplar.drafting.policies.case import Case
from xemplar.errors import XemplarError
from xemplar.evaluation.benchmark import retrieving
from xemplar.evaluation.benchmark.asked import Asked
from xemplar.evaluation.benchmark.retrieving import Gallery, Matrix
from xemplar.evaluation.benchmark.systems import System
from xemplar.folders import fingerprint
from xemplar.records import Draft, Film, Vectors

TIMED, WARM = 40, 3
"""Studies by which a draft's latency is measured, after so many that don't count."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A set of studies as an encoder sees it: `views` (v, dim), whose each is, and `texts` (written, dim)."""

    views: Vectors
    owners: NDArray[np.int64]
    """(v,) row of the study; each one's views follow each other, a frontal one first."""
    texts: Vectors


class Questions:
    """One system and one set of studies; everything is computed once."""

    def __init__(self, system: System, asked: Asked, runs: Path) -> None:
        self.system, self.asked, self.runs = system, asked, runs
        self.archive = system.archive
        self.frontal = system.entry.views == "frontal"

    @cached_property
    def rows(self) -> list[int]:
        """Of the studies that have a film."""
        return [int(row) for row in retrieving.films(self.asked)]

    @cached_property
    def films(self) -> list[Sequence[Film]]:
        """What each study with a film is asked with."""
        return [self.asked.films(row, frontal=self.frontal) for row in self.rows]

    @cached_property
    def seen(self) -> Seen:
        """The set in the encoder's eyes, as another entry of the same encoder left it, or seen now."""
        mark = fingerprint([self.archive.encoder.fingerprint, self.asked.facts()])
        place = (
            self.runs / (self.system.entry.shares or self.system.entry.name) / f"seen.{self.asked.name}.npz"
        )
        if place.exists():
            with np.load(place, allow_pickle=False) as kept:
                if str(kept["mark"]) == mark:
                    return Seen(kept["views"], kept["owners"], kept["texts"])
        seen = self._see()
        place.parent.mkdir(parents=True, exist_ok=True)
        np.savez(place, mark=np.array(mark), views=seen.views, owners=seen.owners, texts=seen.texts)
        return seen

    def _see(self) -> Seen:
        films, owners = [], []
        for row in self.rows:
            own = sorted(self.asked.films(row), key=lambda film: film.position != "frontal")
            films += own
            owners += [row] * len(own)
        written = [self.asked.texts[row] for row in retrieving.texts(self.asked)]
        nothing: Vectors = np.zeros((0, 1), np.float32)
        return Seen(
            self.archive.retriever.vectors_of(films) if films else nothing,
            np.array(owners, np.int64),
            self.archive.encoder.encode_texts(written) if written else nothing,
        )

    @cached_property
    def vectors(self) -> Vectors:
        """(studies with a film, dim): each one's mean view, or its frontal one."""
        if not self.rows:
            return np.zeros((0, 1), np.float32)
        starts = np.searchsorted(self.seen.owners, self.rows)
        if self.frontal:
            return self.seen.views[starts]
        sums = np.add.reduceat(self.seen.views, starts, axis=0)
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), np.float32)

    @cached_property
    def cases(self) -> list[Case]:
        """Studies with a film as policies see them."""
        return self.archive.cases(self.films, self.vectors)

    @cached_property
    def texts_of_both(self) -> Vectors:
        """(studies with film and text, dim) of the texts."""
        return self.seen.texts[np.isin(retrieving.texts(self.asked), retrieving.both(self.asked))]

    def gallery(self) -> Gallery:
        """Scores in all four directions.

        Image to report is ranked as the system's own drafts are: by a vector that has looked at its
        neighbours, or again by a matcher; the other directions by the encoder's vectors.
        """
        both = np.isin(self.rows, retrieving.both(self.asked))
        gallery: dict[str, Matrix] = {}
        if both.any():
            plain = self.vectors[both] @ self.texts_of_both.T
            gallery["report_image"] = plain.T
            gallery["image_report"] = self._own_ranking(np.flatnonzero(both), plain)
        if len(self.rows):
            gallery["image_image"] = self.vectors @ self.vectors.T
        if len(self.seen.texts):
            gallery["report_report"] = self.seen.texts @ self.seen.texts.T
        return Gallery(**gallery)

    def _own_ranking(self, rows: NDArray[np.int64], plain: Matrix) -> Matrix:
        policy, stages = self.archive.assembly.policy, self.archive.stages
        cases = [self.cases[row] for row in rows]
        if policy == "augmented" and isinstance(drafter := self.archive.drafter, Augmented):
            return drafter.neighbourhood.vectors(cases) @ self.texts_of_both.T
        if policy == "consistent" and stages.matcher is not None:
            texts = [self.asked.texts[row] for row in retrieving.both(self.asked)]
            return matched(stages.matcher, cases, texts, plain=plain, first=self.archive.assembly.first)
        return plain

    def drafts(self) -> list[Draft]:
        """A draft for every study with a film."""
        return self.archive.draft_many(self.films, vectors=self.vectors)

    def latency(self) -> Json:
        """Seconds that a draft takes from previews to lines, one study after the other."""
        count = min(len(self.films), TIMED + WARM)
        took = []
        for films in self.films[:count]:
            began = time.perf_counter()
            self.archive.draft(films)
            took.append(time.perf_counter() - began)
        timed = took[WARM:] or took
        return {
            "studies": len(timed),
            "median": float(np.median(timed)),
            "p95": float(np.quantile(timed, 0.95)),
        }


def matched(
    matcher: Matcher, cases: Sequence[Case], texts: Sequence[str], *, plain: Matrix, first: int
) -> Matrix:
    """The `first` nearest texts of each case ranked again by a matcher, before all others by cosine.

    A study's several films are matched one by one and averaged; equal texts have one score.
    """
    known = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    places = np.array([known[text] for text in texts])
    states = matcher.prepare(list(known))
    take = getattr(states, "take", None)
    if take is None:
        raise XemplarError("a matcher whose prepared texts can't be taken one by one")
    scores = np.array(plain, np.float32)
    for row, case in enumerate(cases):
        near = np.argsort(-plain[row], kind="stable")[:first]
        asked = np.unique(places[near])
        said = matcher.match([film.image for film in case.films], take(asked.tolist())).scores.mean(axis=0)
        order = np.unique(said, return_inverse=True)[1].reshape(-1)  # ties stay ties
        rank = dict(zip(asked.tolist(), order.tolist(), strict=True))
        scores[row, near] = [2.0 + rank[place] for place in places[near].tolist()]
    return scores
