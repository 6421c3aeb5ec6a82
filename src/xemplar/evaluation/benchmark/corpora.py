"""The corpora that a benchmark is run on: drawn ones of two sites, or anybody's; shares of their patients.

Knows corpora and the phantom's sites; knows no model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from xemplar.corpus import Corpus, IngestSettings, ingest
from xemplar.corpus.settings import read_corpus_manifest
from xemplar.errors import XemplarError
from xemplar.images import PreviewSpec
from xemplar.records import Sentence, Study
from xemplar.sources import phantom
from xemplar.sources.phantom.truth import Site

PREVIEW = 128
"""Pixels a side of what is drawn: what recipes of the tiny size take in."""

OTHER = 0.3
"""Studies of site B for each of site A."""

SEEDS: dict[Site, int] = {"A": 11, "B": 12}
"""Of the archives drawn; no other figure of ours is made of these."""

WORKERS = 2
"""Processes that draw."""

Told = Callable[[str], None]


def drawn_corpora(folder: Path, studies: int, *, preview: int = PREVIEW, told: Told) -> dict[str, Path]:
    """Draw site A, and of site B what is only ever asked about; an interrupted drawing goes on.

    Set name ("A", "B") -> corpus folder. Both have the same previews and no patient in common.
    """
    counts: dict[Site, int] = {"A": studies, "B": max(10, round(OTHER * studies))}
    found: dict[str, Path] = {}
    for site, count in counts.items():
        place = folder / f"site-{site.lower()}"
        if not _has(place, count):
            told(f"drawing {count} studies of site {site}")
            settings = IngestSettings(
                domain="synthetic", texts="reports", source=phantom.label(site, SEEDS[site]),
                preview=PreviewSpec(size=preview),
                fractions=(0.7, 0.1, 0.2) if site == "A" else (0.0, 0.0, 1.0),
            )  # fmt: skip
            arrivals = phantom.studies(count, seed=SEEDS[site], site=site)
            ingest(arrivals, place, settings, workers=WORKERS, key_salt=b"phantom")
        found[site] = place
    return found


def _has(folder: Path, count: int) -> bool:
    if not (folder / "corpus.json").exists() or not read_corpus_manifest(folder)[0]["segments"]:
        return False  # not begun, or stopped before anything was whole
    corpus = Corpus.open(folder)
    held = len(corpus.studies)
    if held > count:
        raise XemplarError(
            f"{held} drawn studies", wanted=f"{count}", where=str(folder), remedy="take another folder"
        )
    return held == count


class Thinned(Corpus):
    """A corpus of which only a share of the training patients is there; all others stay.

    Who stays follows from a hash of the patient, so that a smaller share lies within a larger one.
    """

    def __init__(self, whole: Corpus, part: float) -> None:
        super().__init__(whole.folder, whole.manifest)
        self._whole, self._part = whole, part

    @cached_property
    def fingerprint(self) -> str:
        """Of the whole, and of how much is left."""
        return hashlib.sha256(f"{self._whole.fingerprint} {self._part!r}".encode()).hexdigest()[:16]

    @cached_property
    def near_duplicates(self) -> tuple[tuple[str, ...], ...]:
        """Those of the whole: who is a copy of whom doesn't depend on who stays."""
        return self._whole.near_duplicates

    @cached_property
    def copies(self) -> dict[str, frozenset[str]]:
        """Those of the whole."""
        return self._whole.copies

    @cached_property
    def studies(self) -> tuple[Study, ...]:
        """Every study whose patient stays, in the order of ingest."""
        train = {study.facets["cluster"] for study in self._whole.part("train")}
        order = sorted(train, key=lambda cluster: hashlib.sha256(cluster.encode()).hexdigest())
        stays = set(order[: max(2, round(self._part * len(order)))])
        return tuple(s for s in self._whole.studies if s.split != "train" or s.facets["cluster"] in stays)

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """Every sentence that a study wrote which stays."""
        found = []
        for sentence in self._whole.sentences:
            wrote = tuple(study_id for study_id in sentence.study_ids if study_id in self.by_id)
            if wrote:
                found.append(replace(sentence, study_ids=wrote))
        return tuple(found)


def taught(corpus: Corpus, part: float) -> Corpus:
    """The corpus that an entry learns from and retrieves from."""
    return corpus if part >= 1.0 else Thinned(corpus, part)
