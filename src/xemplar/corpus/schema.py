"""The corpus folder's tables: which columns there are, and records to rows and back.

Knows Parquet and the records; knows nothing of where the folder lies or how it grows. No identifier
of the source other than those listed here enters a corpus.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC
from typing import Any

import pyarrow as pa

from xemplar.contracts import Json
from xemplar.records import Claim, PixelHistory, Sentence, Study, View

VERSION = 2
"""Of the folder's layout; another one is refused."""

_CLAIM = pa.struct(
    [
        ("finding", pa.string()),
        ("presence", pa.string()),
        ("side", pa.string()),
        ("place", pa.string()),
        ("degree", pa.string()),
        ("change", pa.string()),
        ("start", pa.int32()),
        ("end", pa.int32()),
    ]
)
_TEXTS = ("indication", "comparison", "findings", "impression")
_PLAIN = ("study_uid", "accession", "modality", "language", *_TEXTS, "report_status", "prior_id")
_PLACING = ("split", "split_unit", "source", "licence")

STUDIES = pa.schema(
    [
        pa.field("study_id", pa.string(), nullable=False),
        pa.field("patient_id", pa.string()),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("acquired_at", pa.timestamp("us")),
        *[pa.field(name, pa.string()) for name in _PLAIN],
        pa.field("report_version", pa.int32()),
        pa.field("claims", pa.list_(_CLAIM)),
        pa.field("labels", pa.map_(pa.string(), pa.string())),
        pa.field("facets", pa.map_(pa.string(), pa.string())),
        *[pa.field(name, pa.string()) for name in _PLACING],
        pa.field("content_key", pa.string(), nullable=False),
    ]
)
VIEWS = pa.schema(
    [
        pa.field("view_id", pa.string(), nullable=False),
        pa.field("study_id", pa.string(), nullable=False),
        pa.field("sop_instance_uid", pa.string()),
        pa.field("position", pa.string()),
        pa.field("laterality", pa.string()),
        pa.field("pixel_spacing", pa.list_(pa.float64())),
        pa.field("pixels", pa.struct(
            [
                ("format", pa.string()),
                ("height", pa.int32()),
                ("width", pa.int32()),
                ("bits_stored", pa.int32()),
                ("photometric", pa.string()),
                ("transfer_syntax", pa.string()),
                ("rescale", pa.list_(pa.float64())),
                ("window", pa.list_(pa.float64())),
                ("steps", pa.list_(pa.string())),
            ]
        )),
        pa.field("path", pa.string()),
        pa.field("sha256", pa.string()),
        pa.field("row", pa.int32(), nullable=False),
    ]
)  # fmt: skip
SENTENCES = pa.schema(
    [
        pa.field("sentence_id", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("study_ids", pa.list_(pa.string()), nullable=False),
        pa.field("claims", pa.list_(_CLAIM)),
        pa.field("compares_with_prior", pa.bool_()),
    ]
)


def claim_row(claim: Claim) -> Json:
    """A claim as a row; its span as two columns."""
    row = asdict(claim)
    row["start"], row["end"] = row.pop("span")
    return row


def claim_of(row: Json) -> Claim:
    """A row as the claim it was."""
    values = dict(row)
    return Claim(span=(values.pop("start"), values.pop("end")), **values)


def study_row(study: Study, content_key: str) -> Json:
    """A study as a row of `studies`; its views have a table of their own.

    `acquired_at` has no zone in the table: a time with one is brought to UTC, one without is kept as
    it is (by the source's clock).
    """
    row: Json = {name: getattr(study, name) for name in STUDIES.names if name != "content_key"}
    moment = study.acquired_at
    if moment is not None and moment.tzinfo is not None:
        row["acquired_at"] = moment.astimezone(UTC).replace(tzinfo=None)
    row["claims"] = [claim_row(claim) for claim in study.claims]
    row["labels"] = sorted(study.labels.items())
    row["facets"] = sorted(study.facets.items())
    row["content_key"] = content_key
    return row


def study_of(row: Json, views: tuple[View, ...]) -> Study:
    """A row of `studies` and its views as the study they were."""
    values: dict[str, Any] = {name: value for name, value in row.items() if name != "content_key"}
    values["claims"] = tuple(claim_of(claim) for claim in row["claims"])
    values["labels"] = dict(row["labels"])
    values["facets"] = dict(row["facets"])
    return Study(views=views, **values)


def view_row(view: View, study_id: str, row: int) -> Json:
    """A view as a row of `views`; `row` is its place in the segment's preview shard."""
    values = asdict(view)
    return {**values, "study_id": study_id, "row": row}


def view_of(row: Json) -> View:
    """A row of `views` as the view it was."""
    values = {
        name: row[name]
        for name in ("view_id", "sop_instance_uid", "position", "laterality", "path", "sha256")
    }
    spacing, pixels = row["pixel_spacing"], row["pixels"]
    if pixels is not None:
        pixels = PixelHistory(
            **{
                **pixels,
                "rescale": _pair(pixels["rescale"]),
                "window": _pair(pixels["window"]),
                "steps": tuple(pixels["steps"] or ()),
            }
        )
    return View(**values, pixel_spacing=_pair(spacing), pixels=pixels)


def sentence_row(sentence: Sentence) -> Json:
    """A sentence as a row, with the studies of one segment that wrote it."""
    return {
        "sentence_id": sentence.sentence_id,
        "text": sentence.text,
        "study_ids": list(sentence.study_ids),
        "claims": [claim_row(claim) for claim in sentence.claims],
        "compares_with_prior": sentence.compares_with_prior,
    }


def sentence_of(row: Json, study_ids: tuple[str, ...]) -> Sentence:
    """A row as a sentence, with the studies of all segments that wrote it."""
    return Sentence(
        sentence_id=row["sentence_id"],
        text=row["text"],
        study_ids=study_ids,
        claims=tuple(claim_of(claim) for claim in row["claims"]),
        compares_with_prior=row["compares_with_prior"],
    )


def _pair(values: list[float] | None) -> tuple[float, float] | None:
    return None if values is None else (values[0], values[1])
