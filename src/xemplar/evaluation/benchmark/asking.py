"""A system asked about a set of studies: its vectors, its rankings, its drafts, and how long a draft takes.

Knows systems and sets of studies; scores nothing by itself.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

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
from xemplar.folders import fingerprint, write_atomic
from xemplar.records import Draft, Film, Vectors
from xemplar.retrieval import Leave, shown_of

CHUNK = 64
"""Studies whose films are held at once."""

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
    def apart(self) -> frozenset[str]:
        """Whoever is asked about, who is in no archive by the benchmark's own rule.

        To seek each film in every entry's would take longer than all drafts.
        """
        return frozenset(study.study_id for study in self.asked.studies)

    @cached_property
    def rows(self) -> list[int]:
        """Of the studies that have a film."""
        return [int(row) for row in retrieving.films(self.asked)]

    def films(self, place: int) -> list[Film]:
        """What the study of a place among `rows` is asked with; read from the disk whenever asked for."""
        return self.asked.films(self.rows[place], frontal=self.frontal)

    @cached_property
    def leaves(self) -> list[Leave]:
        """Who is left out of each one's answers."""
        return [self.archive.retriever.leave_of(self.films(place)) for place in range(len(self.rows))]

    @cached_property
    def seen(self) -> Seen:
        """The set in the encoder's eyes, as another entry of the same encoder left it, or seen now."""
        mark = fingerprint([self.archive.encoder.fingerprint, self.asked.facts(), *self._shown_alone])
        place = self.runs / self.system.entry.home / f"seen.{self.asked.name}.npz"
        if place.exists():
            with np.load(place, allow_pickle=False) as kept:
                if str(kept["mark"]) == mark:
                    return Seen(kept["views"], kept["owners"], kept["texts"])
        seen = self._see()
        held: dict[str, Any] = {
            "mark": np.array(mark),
            "views": seen.views,
            "owners": seen.owners,
            "texts": seen.texts,
        }
        _kept(place, lambda sink: np.savez(sink, **held))
        return seen

    @property
    def _shown_alone(self) -> list[str]:
        """A word in the marks of what is kept, where blank views are left out of it: once they weren't."""
        blank = any(view.is_blank for study in self.asked.studies for view in study.views)
        return ["without blank views"] if blank else []

    def _see(self) -> Seen:
        views: list[Vectors] = []
        owners: list[int] = []
        for rows in _chunks(self.rows):
            films = []
            for row in rows:
                shown = shown_of(self.asked.films(row))
                own = sorted(shown, key=lambda film: film.position != "frontal")
                films += own
                owners += [row] * len(own)
            views.append(self.archive.retriever.vectors_of(films))
        written = [self.asked.texts[row] for row in retrieving.texts(self.asked)]
        nothing: Vectors = np.zeros((0, 1), np.float32)
        return Seen(
            np.concatenate(views) if views else nothing,
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

    def case(self, place: int) -> Case:
        """A study as policies see it."""
        return Case(shown_of(self.films(place)), self.vectors[place], self.leaves[place])

    @cached_property
    def texts_of_both(self) -> Vectors:
        """(studies with film and text, dim) of the texts."""
        return self.seen.texts[np.isin(retrieving.texts(self.asked), retrieving.both(self.asked))]

    def gallery(self) -> Gallery:
        """Scores in all four directions.

        Between images and reports the ranking is the system's own: image to report by a vector that has
        looked at its neighbours, where its drafts are; both directions by a matcher, where it has one, of
        the nearest by cosine. All else is by the encoder's vectors.
        """
        gallery: dict[str, Matrix] = {}
        both = np.flatnonzero(np.isin(self.rows, retrieving.both(self.asked)))
        if len(both):
            gallery["image_report"], gallery["report_image"] = self._between(both)
        if len(self.rows):
            gallery["image_image"] = self.vectors @ self.vectors.T
        if len(self.seen.texts):
            gallery["report_report"] = self.seen.texts @ self.seen.texts.T
        return Gallery(**gallery)

    def _between(self, rows: NDArray[np.int64]) -> tuple[Matrix, Matrix]:
        """Image to report and report to image, of those who have both."""
        policy, stages = self.archive.assembly.policy, self.archive.stages
        plain = self.vectors[rows] @ self.texts_of_both.T
        if policy == "augmented" and isinstance(drafter := self.archive.drafter, Augmented):
            cases = [Case((), self.vectors[place], self.leaves[place]) for place in rows]
            return drafter.neighbourhood.vectors(cases) @ self.texts_of_both.T, plain.T
        if policy in ("consistent", "evidence") and stages.matcher is not None:
            first = self.archive.assembly.first
            near = nearest(plain, first), nearest(plain.T, first).T
            said = self._matched(stages.matcher, rows, near[0] | near[1])
            return ahead(plain, said, near[0]), ahead(plain.T, said.T, near[1].T)
        return plain, plain.T

    def _matched(self, matcher: Matcher, rows: NDArray[np.int64], asked: NDArray[np.bool_]) -> Matrix:
        """The matcher's scores of the pairs asked for, as another entry of the same stages left them."""
        texts = [self.asked.texts[row] for row in retrieving.both(self.asked)]
        pairs = hashlib.sha256(np.packbits(asked).tobytes()).hexdigest()
        facts = [self.asked.facts(), self.frontal, pairs, *self._shown_alone]
        mark = fingerprint([matcher.fingerprint, *facts])
        place = self.runs / self.system.entry.home / f"matched.{self.asked.name}.{mark}.npy"
        if place.exists():
            kept: Matrix = np.load(place, allow_pickle=False)
            return kept
        said = matched(matcher, (self.films(place) for place in rows), texts, asked=asked)
        _kept(place, lambda sink: np.save(sink, said, allow_pickle=False))
        return said

    def drafts(self) -> list[Draft]:
        """A draft for every study with a film."""
        found: list[Draft] = []
        for places in _chunks(range(len(self.rows))):
            films = [self.films(place) for place in places]
            vectors = self.vectors[list(places)]
            found += self.archive.draft_many(films, vectors=vectors, apart=self.apart)
        return found

    def latency(self) -> Json:
        """Seconds that a draft takes from previews to lines, one study after the other."""
        took = []
        for place in range(min(len(self.rows), TIMED + WARM)):
            films = self.films(place)
            began = time.perf_counter()
            self.archive.draft_many([films], apart=self.apart)
            took.append(time.perf_counter() - began)
        timed = took[WARM:] or took
        return {
            "studies": len(timed),
            "median": float(np.median(timed)),
            "p95": float(np.quantile(timed, 0.95)),
        }


def _chunks(places: Sequence[int]) -> Iterator[Sequence[int]]:
    """A few studies at a time, so that few films are held at once."""
    for start in range(0, len(places), CHUNK):
        yield places[start : start + CHUNK]


def _kept(place: Path, write: Callable[[io.BytesIO], None]) -> None:
    """Write a file that another entry may be looking for."""
    sink = io.BytesIO()
    write(sink)
    place.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(place, sink.getvalue())


def nearest(scores: Matrix, first: int) -> NDArray[np.bool_]:
    """(queries, items) which are among each query's `first` highest, equal ones in order."""
    chosen = np.zeros(scores.shape, np.bool_)
    np.put_along_axis(chosen, np.argsort(-scores, axis=1, kind="stable")[:, :first], True, axis=1)
    return chosen


def ahead(plain: Matrix, said: Matrix, chosen: NDArray[np.bool_]) -> Matrix:
    """Cosines, but that the chosen stand before all others in the order of what was said; ties stay ties."""
    scores = np.array(plain, np.float32)
    for row, near in enumerate(chosen):
        order = np.unique(said[row, near], return_inverse=True)[1].reshape(-1)
        scores[row, near] = 2.0 + order
    return scores


def matched(
    matcher: Matcher, studies: Iterable[Sequence[Film]], texts: Sequence[str], *, asked: NDArray[np.bool_]
) -> Matrix:
    """(studies, texts) a matcher's scores of the pairs asked for, NaN elsewhere.

    A study's several films are matched one by one and averaged; equal texts have one score.
    """
    known = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    places = np.array([known[text] for text in texts])
    states = matcher.prepare(list(known))
    take = getattr(states, "take", None)
    if take is None:
        raise XemplarError("a matcher whose prepared texts can't be taken one by one")
    found = np.full(asked.shape, np.nan, np.float32)
    for row, films in enumerate(studies):
        rows = np.unique(places[asked[row]])
        said = np.full(len(known), np.nan, np.float32)
        images = [film.image for film in shown_of(films)]
        said[rows] = matcher.match(images, take(rows.tolist())).scores.mean(axis=0)
        found[row] = np.where(asked[row], said[places], np.nan)
    return found
