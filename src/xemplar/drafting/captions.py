"""A caption draft: whole captions of the nearest figures, with their sources, and no finding logic.

For images that are not chest radiographs, where no claim is read and nothing is calibrated.
"""

from __future__ import annotations

from xemplar.records import Hit, Line

POLICY = "nearest whole captions, v1"
LINES = 3


def draft_captions(hits: tuple[Hit, ...]) -> tuple[Line, ...]:
    """The captions of sentence hits, as they are; their confidence is unknown, not low."""
    return tuple(
        Line(
            text=hit.text,
            sentence_id=hit.item_id,
            sentence_text=hit.text,
            span=(0, len(hit.text)),
            source_study_ids=hit.study_ids,
            scores=dict(hit.scores),
        )
        for hit in hits[:LINES]
        if hit.text
    )
