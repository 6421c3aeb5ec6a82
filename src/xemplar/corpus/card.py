"""What a corpus holds, in numbers: the facts that its card shows as text and as a picture.

Knows a corpus's studies, sentences and manifest; draws nothing, and holds no patient text.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from xemplar.contracts import Json
from xemplar.corpus import refused
from xemplar.findings import summarise
from xemplar.records import SPLITS, Study

if TYPE_CHECKING:
    from xemplar.corpus.reader import Corpus

_UNKNOWN = "unknown"
_SITES = ("site", "hospital", "institution")
"""Facets that name where a study was made, the first that it has; else its source does."""

_AGE = re.compile(r"\s*(\d{1,3}(?:\.\d+)?)\s*(y|m|w|d)?", re.IGNORECASE)
_PER_YEAR = {"y": 1.0, "m": 12.0, "w": 52.18, "d": 365.25}


def facts_of(corpus: Corpus, *, near_duplicates: bool = False) -> Json:
    """All counts of a corpus; near-duplicates, which may have to be sought, only where asked for."""
    studies = corpus.studies
    facts = {
        **_heading(corpus),
        "splits": dict(Counter(study.split for study in studies)),
        "patients_by_split": _patients_by_split(studies),
        "split_units": dict(Counter(study.split_unit for study in studies)),
        "languages": _counted(study.language for study in studies),
        "present": _present(studies),
        "findings": _by_presence(summarise(study.claims) for study in studies),
        "labels": _by_presence(study.labels for study in studies),
        "present_by_split": {split: _present(s for s in studies if s.split == split) for split in SPLITS},
        "positions": _counted(view.position for study in studies for view in study.views),
        "ages": ages_of(studies),
        "sexes": _counted(study.facets.get("sex") for study in studies),
        "sites": _counted(_site(study) for study in studies),
        "licences": _counted(study.licence for study in studies),
        "years": dict(sorted(_counted(_year(study) for study in studies).items())),
        "words_per_report": _quantiles([len(study.text.split()) for study in studies if study.text]),
        "sentences_written": sum(len(sentence.study_ids) for sentence in corpus.sentences),
        "rejected_by_reason": _rejected(corpus),
        "cut": _cut(corpus.manifest),
        "without_text": sum(not study.text for study in studies),
        "without_views": sum(not study.views for study in studies),
    }
    return {**facts, "near_duplicates": _near_duplicates(corpus)} if near_duplicates else facts


def ages_of(studies: Iterable[Study]) -> dict[str, int]:
    """Studies by decade of age ("60-69"), from the facet `age`: years, or a number with Y, M, W or D."""
    found: Counter[int] = Counter()
    for study in studies:
        said = _AGE.match(study.facets.get("age", ""))
        if said:
            years = float(said[1]) / _PER_YEAR[(said[2] or "y").lower()]
            found[int(years // 10) * 10] += 1
    return {f"{decade}-{decade + 9}": found[decade] for decade in sorted(found)}


def _heading(corpus: Corpus) -> Json:
    settings, manifest = corpus.settings, corpus.manifest
    return {
        "title": corpus.title,
        "folder": str(corpus.folder),
        "source": settings.source,
        "domain": settings.domain,
        "texts": settings.texts,
        "generation": corpus.generation,
        "complete": manifest["complete"],
        "fingerprint": corpus.fingerprint,
        "lexicon": manifest["lexicon"],
        "preview": {"size": settings.preview.size, "fingerprint": manifest["preview_fingerprint"]},
        "studies": len(corpus.studies),
        "patients": corpus.patients,
        "views": sum(len(study.views) for study in corpus.studies),
        "sentences": len(corpus.sentences),
        "rejected": manifest["rejected"]["rows"],
    }


def _patients_by_split(studies: Iterable[Study]) -> dict[str, int | None]:
    held: dict[str, set[str | None]] = {split: set() for split in SPLITS}
    for study in studies:
        held[study.split or "train"].add(study.patient_id)
    return {split: None if None in patients else len(patients) for split, patients in held.items()}


def _present(studies: Iterable[Study]) -> dict[str, int]:
    """Finding -> studies whose report says that it is there, the most frequent first."""
    found: Counter[str] = Counter()
    for study in studies:
        found.update({claim.finding for claim in study.claims if claim.presence == "present"})
    return dict(found.most_common())


def _by_presence(said: Iterable[object]) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for one in said:
        for finding, presence in dict(one).items():  # type: ignore[call-overload]
            found.setdefault(finding, Counter())[presence] += 1
    order = sorted(found, key=lambda name: (-found[name]["present"], name))
    return {name: {p: found[name][p] for p in ("present", "absent", "uncertain")} for name in order}


def _counted(values: Iterable[str | None]) -> dict[str, int]:
    return dict(Counter(value or _UNKNOWN for value in values).most_common())


def _site(study: Study) -> str | None:
    return next((study.facets[name] for name in _SITES if name in study.facets), study.source)


def _year(study: Study) -> str | None:
    return None if study.acquired_at is None else str(study.acquired_at.year)


def _quantiles(counts: list[int]) -> Json | None:
    if not counts:
        return None
    low, middle, high = np.quantile(counts, [0.05, 0.5, 0.95])
    return {"least": min(counts), "p5": float(low), "median": float(middle), "p95": float(high),
            "most": max(counts)}  # fmt: skip


def _rejected(corpus: Corpus) -> dict[str, int]:
    """Reasons without their details, and how often each."""
    size = corpus.manifest["rejected"]["bytes"]
    path = corpus.folder / refused.NAME
    data = path.read_bytes()[:size] if size else b""
    reasons = (json.loads(line)["reason"].split(":")[0] for line in data.decode().splitlines())
    return dict(Counter(reasons).most_common())


def _cut(manifest: Json) -> Json:
    """Lines of reports that are in no text, and in how many studies; of how many nobody counted them."""
    lines: Counter[str] = Counter()
    studies = uncounted = 0
    for segment in manifest["segments"].values():
        if (cut := segment.get("cut")) is None:
            uncounted += segment["studies"]
        else:
            studies += cut["studies"]
            lines.update(cut["lines"])
    return {"studies": studies, "lines": dict(lines.most_common()), "studies_not_counted": uncounted}


def _near_duplicates(corpus: Corpus) -> Json:
    across = {}
    for split in SPLITS:
        across[split] = corpus.held_apart(corpus.part(split))[1]
    return {
        "groups": len(corpus.near_duplicates),
        "views": sum(len(group) for group in corpus.near_duplicates),
        "studies": len(corpus.copies),
        "studies_across_splits": across,
    }
