"""Where two ancestors' sections and sentences are right ours agree, and where they differ ours are right."""

import json
import os
from pathlib import Path

import pytest

from xemplar import report

pytestmark = pytest.mark.shared


def golden(name):
    root = os.environ.get("XEMPLAR_GOLDEN")
    if not root:
        pytest.skip("XEMPLAR_GOLDEN is not set")
    return json.loads((Path(root) / name).read_text("utf-8"))


def test_impressions():
    known = golden("cxr_repair/extract_impression.json")
    ours = [" ".join(report.section_texts(one).get("impression", "").split()) for one in known["reports"]]
    theirs = [" ".join(one.split()) for one in known["impressions"]]
    assert [at for at, one in enumerate(ours) if one != theirs[at]] == [3, 4, 5]
    # A notification is no impression; a conclusion is one; its heading, alone on a line, is not part of it.
    assert (ours[3], ours[4], ours[5]) == ("1. One. 2. Two at 2.5 cm.", "x", "no colon here")


def test_sentences_are_whole():
    texts = golden("txtrayalign_metrics/sentence_split.json")["texts"]
    # They cut at every stop: "2.5", "Dr. Smith", the numbers of a list.
    assert [len(report.sentences(one)) for one in texts] == [4, 2, 1, 0, 1, 1, 1, 1]


def test_section_names():
    reports = golden("txtrayalign_metrics/sections.json")["reports"]
    assert {key: [one.name for one in report.split_sections(text)] for key, text in reports.items()} == {
        "s50000001": ["technique", "indication", "comparison", "findings", "impression"],
        "s50000002": ["indication", "impression"],
        "s50000003": ["indication", "findings", "impression"],
        "s50000004": ["unnamed", "indication", "comparison", "impression", "impression"],
        "s50000005": ["unnamed"],
        "s50525523": ["unnamed"],
        "s50913680": ["findings", "recommendation"],
    }
