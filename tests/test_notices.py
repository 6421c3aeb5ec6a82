"""What every surface says of its use is written down once."""

from __future__ import annotations

from pathlib import Path

import pytest

from xemplar import check, classify, records, retrieval

SOURCE = Path(records.__file__).parent


def test_it_is_written_down_once():
    places = [
        path for path in SOURCE.rglob("*.py") if records.RESEARCH_USE in path.read_text(encoding="utf-8")
    ]
    assert places == [SOURCE / "records.py"]


@pytest.mark.parametrize(
    "said", [records.UNVERIFIED, classify.UNVERIFIED_FINDINGS, check.NOTICE, retrieval.NOTICE]
)
def test_every_notice_begins_with_it(said):
    assert said.startswith("Research use only. Not for diagnosis.")


def test_a_drafts_words_stay():
    """They stand in the bytes of every draft kept."""
    assert records.UNVERIFIED == "Research use only. Not for diagnosis. Unverified draft."
