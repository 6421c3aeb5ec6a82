"""What the tables of a corpus say, held against its schema, its manifest and each other.

Knows rows; knows nothing of hashes or pixels. Reads only the segments it is told are whole. Never says
a text, only the study or view and what is wrong with it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from xemplar.contracts import Json
from xemplar.corpus import schema
from xemplar.corpus.tables import LANDMARKS_SHAPE, open_array, read_parquet
from xemplar.errors import XemplarError
from xemplar.findings import FINDINGS, OTHER_FINDINGS
from xemplar.records import SPLITS

FOLDERS = ("studies", "sentences", "views", "previews", "landmarks")
KEY = re.compile(r"[0-9a-f]{16}")
"""A salted key."""

TABLES = {"studies": schema.STUDIES, "views": schema.VIEWS, "sentences": schema.SENTENCES}
PRESENCES = ("present", "absent", "uncertain")
UNITS = ("patient", "group", "official", "study")


class Tables:
    """All rows of the whole segments of a corpus, and what is wrong with them."""

    def __init__(self, folder: Path, manifest: Json, whole: set[str]) -> None:
        self.folder, self.manifest = folder, manifest
        self.segments = [name for name in manifest["segments"] if name in whole]
        self.unread: list[str] = []
        self.rows = {kind: dict(self._read(kind, table)) for kind, table in TABLES.items()}

    def wrong(self) -> list[str]:
        """A line for each thing wrong."""
        lines = list(self.unread)
        for name in self.segments:
            lines += self._required(name)
            lines += self._segment(name)
        return [*lines, *self._studies(), *self._views(), *self._sentences(), *self._leaks()]

    def notes(self) -> list[str]:
        """What is told and isn't wrong."""
        known = {row["study_id"] for row in self.studies}
        nowhere = sum(row["prior_id"] is not None and row["prior_id"] not in known for row in self.studies)
        return [f"{nowhere} studies name a prior that is not in this corpus"] if nowhere else []

    @cached_property
    def studies(self) -> list[Json]:
        """Rows of all segments."""
        return [row for rows in self.rows["studies"].values() for row in rows]

    @cached_property
    def views(self) -> list[Json]:
        """Rows of all segments."""
        return [row for rows in self.rows["views"].values() for row in rows]

    def _read(self, kind: str, table: pa.Schema) -> Iterator[tuple[str, list[Json]]]:
        for name in self.segments:
            try:
                yield name, read_parquet(self.folder, f"{kind}/{name}.parquet", table)
            except XemplarError:
                self.unread.append(f"{kind}/{name}.parquet: not the columns and types of this version")

    def _required(self, name: str) -> Iterator[str]:
        for kind, table in TABLES.items():
            needed = [column.name for column in table if not column.nullable]
            for column in needed:
                empty = sum(row[column] is None for row in self.rows[kind].get(name, ()))
                if empty:
                    yield f"{kind}/{name}.parquet: {empty} rows without {column}"

    def _segment(self, name: str) -> Iterator[str]:
        """Counts, previews and what refers to what inside one segment."""
        listed = self.manifest["segments"][name]
        studies, views, sentences = (self.rows[kind].get(name, []) for kind in TABLES)
        for kind, rows in (("studies", studies), ("views", views)):
            if len(rows) != listed[kind]:
                yield f"{kind}/{name}.parquet: {len(rows)} rows; wanted {listed[kind]}"
        if [row["row"] for row in views] != list(range(len(views))):
            yield f"views/{name}.parquet: its rows don't name the previews one by one"
        size = self.manifest["settings"]["preview"]["size"]
        for kind, shape in (("previews", (size, size)), ("landmarks", LANDMARKS_SHAPE)):
            try:
                open_array(self.folder, f"{kind}/{name}.npy", (len(views), *shape))
            except XemplarError:
                yield f"{kind}/{name}.npy: not {len(views)} x {' x '.join(map(str, shape))} bytes"
        held = {row["study_id"] for row in studies}
        for row in views:
            if row["study_id"] not in held:
                yield f"views/{name}.parquet: view {row['view_id']} is of no study of its segment"
        for row in sentences:
            if not row["study_ids"] or not held.issuperset(row["study_ids"]):
                yield f"sentences/{name}.parquet: {row['sentence_id']} was written by no study of its segment"

    def _studies(self) -> Iterator[str]:
        domain = self.manifest["settings"]["domain"]
        for row in self.studies:
            said, facets = f"study {row['study_id']}", dict(row["facets"] or ())
            keys = (row["study_id"], row["content_key"], facets.get("cluster"))
            optional = [key for key in (row["patient_id"], row["prior_id"]) if key is not None]
            if not all(key is not None and KEY.fullmatch(key) for key in [*keys, *optional]):
                yield f"{said}: a key that isn't a salted one"
            for what, allowed in (("domain", (domain,)), ("split", SPLITS), ("split_unit", UNITS)):
                if row[what] not in allowed:
                    yield f"{said}: {what} {row[what]!r}; wanted one of {', '.join(allowed)}"
            yield from _claims(said, row["claims"])
            if any(presence not in PRESENCES for _, presence in row["labels"] or ()):
                yield f"{said}: a label that is none of {', '.join(PRESENCES)}"
        yield from _twice("study", (row["study_id"] for row in self.studies))

    def _views(self) -> Iterator[str]:
        for row in self.views:
            if not (row["view_id"] and KEY.fullmatch(row["view_id"])):
                yield f"view {row['view_id']}: a key that isn't a salted one"
        yield from _twice("view", (row["view_id"] for row in self.views))

    def _sentences(self) -> Iterator[str]:
        for name, rows in self.rows["sentences"].items():
            for row in rows:
                yield from _claims(f"sentence {row['sentence_id']}", row["claims"])
                if not (row["text"] or "").strip():
                    yield f"sentences/{name}.parquet: sentence {row['sentence_id']} has no text"
            yield from _twice(f"sentences/{name}.parquet: sentence", (row["sentence_id"] for row in rows))

    def _leaks(self) -> Iterator[str]:
        """Whatever is in two splits and may be in one alone."""
        views: dict[str, list[Json]] = {}
        for row in self.views:
            views.setdefault(row["study_id"], []).append(row)
        held: dict[tuple[str, str], set[str]] = {}
        for row in self.studies:
            keys = {
                "patient": row["patient_id"],
                "group": dict(row["facets"] or ()).get("cluster"),
                "study UID": row["study_uid"],
            }
            for what, key in keys.items():
                if key is not None:
                    held.setdefault((what, key), set()).add(str(row["split"]))
            for view in views.get(row["study_id"], ()):
                if view["sop_instance_uid"] is not None:
                    held.setdefault(("image UID", view["sop_instance_uid"]), set()).add(str(row["split"]))
        for (what, key), splits in held.items():
            if len(splits) > 1:
                yield f"leak: {what} {key} is in {' and '.join(sorted(splits))}"


def _claims(said: str, claims: list[Json] | None) -> Iterator[str]:
    for claim in claims or ():
        if claim["finding"] not in FINDINGS + OTHER_FINDINGS:
            yield f"{said}: a claim of {claim['finding']!r}, which this lexicon doesn't know"
        if claim["presence"] not in PRESENCES:
            yield f"{said}: a claim that is none of {', '.join(PRESENCES)}"
        if not 0 <= claim["start"] <= claim["end"]:
            yield f"{said}: a claim whose span is no range"


def _twice(what: str, ids: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(ids).items():
        if count > 1:
            yield f"{what} {name} is there {count} times"
