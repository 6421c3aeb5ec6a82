"""An archive in which no finding is rarer than another: who stays of the training studies, and why.

A pool of candidates that is mostly normal, or mostly of one finding, favours what is common in it. Here for
each finding that reports of the training part state, equally many studies that state it are kept (as many
as state the rarest of those that at least FEWEST state), and as many that state none. A study with two
findings may be chosen for either, so that counts are only near to equal. Nobody of the other parts is
touched.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from functools import cached_property

from xemplar.corpus import Corpus
from xemplar.drafting import claims_of
from xemplar.records import Sentence, Study

FEWEST = 30
"""Training studies that state a finding, below which it isn't balanced."""


class Balanced(Corpus):
    """A corpus of whose training studies only a balanced choice is there."""

    def __init__(self, whole: Corpus) -> None:
        super().__init__(whole.folder, whole.manifest)
        self._whole = whole

    @cached_property
    def fingerprint(self) -> str:
        """Of the whole, and of the rule."""
        return hashlib.sha256(f"{self._whole.fingerprint} balanced {FEWEST}".encode()).hexdigest()[:16]

    @cached_property
    def near_duplicates(self) -> tuple[tuple[str, ...], ...]:
        """Those of the whole."""
        return self._whole.near_duplicates

    @cached_property
    def copies(self) -> dict[str, frozenset[str]]:
        """Those of the whole."""
        return self._whole.copies

    @cached_property
    def studies(self) -> tuple[Study, ...]:
        """All but the training studies that aren't chosen, in the order of ingest."""
        stays = chosen(self._whole.part("train"))
        return tuple(s for s in self._whole.studies if s.split != "train" or s.study_id in stays)

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """Every sentence that a study wrote which stays."""
        found = []
        for sentence in self._whole.sentences:
            wrote = tuple(study_id for study_id in sentence.study_ids if study_id in self.by_id)
            if wrote:
                found.append(replace(sentence, study_ids=wrote))
        return tuple(found)


def stated(study: Study) -> frozenset[str]:
    """Findings that a study's report states as present."""
    return frozenset(name for name, said in claims_of(study).items() if said == "present")


def chosen(train) -> set[str]:
    """The rarest finding's studies first, then each next finding filled up to as many, by a hash."""
    said = {study.study_id: stated(study) for study in train}
    counts = Counter(name for names in said.values() for name in names)
    findings = sorted((n for n in counts if counts[n] >= FEWEST), key=lambda name: (counts[name], name))
    if not findings:
        raise SystemExit(f"no finding is stated in {FEWEST} training studies")
    each = counts[findings[0]]
    order = sorted(said, key=lambda study_id: hashlib.sha256(study_id.encode()).hexdigest())
    kept: set[str] = set()
    for name in findings:
        missing = each - sum(name in said[study_id] for study_id in kept)
        # Those with the fewest other findings first: they fill no other finding beyond its share.
        others = sorted(
            (one for one in order if one not in kept and name in said[one]), key=lambda one: len(said[one])
        )
        kept.update(others[: max(0, missing)])
    kept.update([study_id for study_id in order if not said[study_id]][:each])
    return kept
