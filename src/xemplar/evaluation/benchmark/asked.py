"""Whom every system is asked about: a set of studies, what is true of them, and what they say.

Knows corpora and truth; knows no system. All systems are asked the same studies in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xemplar.contracts import Json
from xemplar.corpus import Corpus, describe_part
from xemplar.drafting import truth_of
from xemplar.errors import XemplarError
from xemplar.findings import FINDINGS
from xemplar.records import Film, Split, Study, View
from xemplar.report import text_key

Columns = dict[str, NDArray[np.generic]]
"""Name -> what each asked study got, (n, ...); NaN where it wasn't asked."""


@dataclass(frozen=True, eq=False)
class Asked:
    """A set of studies, by a name such as "A"; `left_out` of it have a film in another split too."""

    name: str
    corpus: Corpus
    studies: tuple[Study, ...]
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.studies)

    def films(self, row: int, *, frontal: bool = False) -> list[Film]:
        """The views that a study is asked with; frontal alone: its first one of those, else its first.

        A blank one is taken where there is no other.
        """
        study = self.studies[row]

        def later(view: View) -> tuple[bool, bool]:
            return (view.is_blank, view.position != "frontal")

        views = sorted(study.views, key=later)[:1] if frontal else study.views
        return [self.corpus.film(study, view) for view in views]

    @cached_property
    def filmed(self) -> NDArray[np.bool_]:
        """(n,) who has a film."""
        return np.array([bool(study.views) for study in self.studies], np.bool_)

    @cached_property
    def written(self) -> NDArray[np.bool_]:
        """(n,) who has a text."""
        return np.array([bool(study.text.strip()) for study in self.studies], np.bool_)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """(n,) each text on one line."""
        return tuple(" ".join(study.text.split()) for study in self.studies)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """(n,) equal for equal texts."""
        return tuple(text_key(text) for text in self.texts)

    @cached_property
    def clusters(self) -> NDArray[np.str_]:
        """(n,) whose each study is: its patient or group."""
        return np.array([study.facets["cluster"] for study in self.studies])

    @cached_property
    def labelled(self) -> bool:
        """Whether the truth is the source's own, and not read from the reports."""
        return all(study.labels for study in self.studies)

    @cached_property
    def findings(self) -> tuple[str, ...]:
        """Those whose truth is known, in the order of FINDINGS; none of captions, or of films alone."""
        if self.corpus.settings.texts == "captions" and not self.labelled:
            return ()
        truths, read = [truth_of(study) for study in self.studies], self.written.any() and not self.labelled
        return tuple(name for name in FINDINGS if read or any(name in one for one in truths))

    @cached_property
    def truth(self) -> NDArray[np.bool_]:
        """(n, findings) who has it."""
        truths = [truth_of(study) for study in self.studies]
        rows = [[one.get(name) == "present" for name in self.findings] for one in truths]
        return np.array(rows, np.bool_).reshape(len(self), len(self.findings))

    def facts(self) -> Json:
        """What a table says of the set."""
        known = all(study.patient_id is not None for study in self.studies)
        return {
            "title": describe_part(self.corpus.settings.provenance, self.studies),
            "source": self.corpus.settings.source,
            "corpus": self.corpus.fingerprint,
            "domain": self.corpus.settings.domain,
            "texts": self.corpus.settings.texts,
            "studies": len(self),
            "with_films": int(self.filmed.sum()),
            "with_text": int(self.written.sum()),
            "with_two_views": sum(len(study.views) > 1 for study in self.studies),
            "clusters": len(set(self.clusters.tolist())),
            "resampled": "patients" if known else "groups or studies (patients unknown)",
            "left_out": self.left_out,
            "findings": list(self.findings),
            "present": dict(zip(self.findings, self.truth.sum(axis=0).tolist(), strict=True)),
            "truth": self._truth_told(),
        }

    def _truth_told(self) -> str | None:
        """What findings are held against; None of captions, which claim none."""
        if self.labelled:
            return "the source's labels; of drawn films what was drawn"
        if self.corpus.settings.texts == "captions":
            return None
        labels, reports = sum(bool(study.labels) for study in self.studies), bool(self.written.any())
        if not labels:
            return "claims of the report" if reports else "unknown: neither labels nor reports"
        others = "claims of the report of the others" if reports else "the others count as without findings"
        return f"the source's labels of {labels} studies; {others}"


def asked_of(name: str, corpus: Corpus, split: Split = "test") -> Asked:
    """The studies of a split that have films, or texts where nobody has a film; copies are left out."""
    part = corpus.part(split)
    filmed = [study for study in part if study.views]
    studies = filmed or [study for study in part if study.text.strip()]
    kept, copies = corpus.held_apart(studies) if filmed else (tuple(studies), 0)
    if len({study.facets["cluster"] for study in kept}) < 2:
        raise XemplarError(
            f"{len(kept)} studies of fewer than two patients or groups in {split}",
            wanted="two patients at least, to resample them", where=str(corpus.folder),
        )  # fmt: skip
    return Asked(name, corpus, kept, copies)


def said_columns(asked: Asked) -> Columns:
    """What is the same for every system: who each study is, and what is true of it."""
    return {
        "study_id": np.array([study.study_id for study in asked.studies]),
        "cluster": asked.clusters,
        "views": np.array([len(study.views) for study in asked.studies], np.int64),
        "truth": asked.truth,
    }


def scattered(
    asked: Asked, rows: Sequence[int] | NDArray[np.int64], values: NDArray[np.generic]
) -> NDArray[np.float64]:
    """(k, ...) values of some rows -> (n, ...), NaN elsewhere."""
    found = np.full((len(asked), *values.shape[1:]), np.nan)
    found[np.asarray(rows, np.int64)] = values
    return found
