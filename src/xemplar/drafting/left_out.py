"""Who is left out of an answer: looked up by study, patient and group, not sought row by row.

Knows a corpus and the rows of one kind of item; knows nothing of scores. What it costs depends on how
much those who are left out wrote, not on how much the archive holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from xemplar.corpus import Corpus
from xemplar.index import Items
from xemplar.retrieval import NOBODY, Leave


@dataclass(frozen=True, slots=True)
class Gone:
    """Those left out of one answer, and how many of each row's studies they are."""

    studies: frozenset[str]
    touched: Mapping[int, int]
    """Row -> how many of its studies are left out; a row without any isn't in it."""


class LeftOut:
    """Answers for one kind of item which rows have lost sources, and which sources are left."""

    def __init__(self, corpus: Corpus, items: Items) -> None:
        self._corpus, self._items = corpus, items
        self._of_patient: dict[str | None, list[str]] = {}
        self._of_cluster: dict[str | None, list[str]] = {}
        for study in corpus.studies:
            self._of_patient.setdefault(study.patient_id, []).append(study.study_id)
            self._of_cluster.setdefault(study.facets.get("cluster"), []).append(study.study_id)
        self._rows: dict[str, list[int]] = {}
        for row, study_ids in enumerate(items.study_ids):
            for study_id in study_ids:
                self._rows.setdefault(study_id, []).append(row)

    def of(self, leave: Leave) -> Gone:
        """Who is gone; a filter by facets has to look at every study, nothing else has."""
        if leave == NOBODY:
            return Gone(frozenset(), {})
        if leave.facets:
            studies = {study.study_id for study in self._corpus.studies if leave.drops(study)}
        else:
            studies = {*leave.others} if leave.study_id is None else {leave.study_id, *leave.others}
            if leave.patient_id is not None:
                studies.update(self._of_patient.get(leave.patient_id, ()))
            if leave.cluster is not None:
                studies.update(self._of_cluster.get(leave.cluster, ()))
        return Gone(frozenset(studies), Counter(row for name in studies for row in self._rows.get(name, ())))

    def rows(self, gone: Gone) -> list[int]:
        """Rows of which no study is left."""
        return [row for row, count in gone.touched.items() if count == len(self._items.study_ids[row])]

    def sources(self, row: int, gone: Gone) -> tuple[str, ...]:
        """The studies behind a row that are left, in their order."""
        study_ids = self._items.study_ids[row]
        if row not in gone.touched:
            return study_ids
        return tuple(study_id for study_id in study_ids if study_id not in gone.studies)
