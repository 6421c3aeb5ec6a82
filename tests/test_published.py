"""Every published figure of drawn films is of the phantom as it is now."""

import json
import re
from pathlib import Path

import pytest

from xemplar.sources import phantom

DOCS = Path(__file__).parent.parent / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), *sorted((DOCS / "results").glob("*.json"))]
PAGES = [path for path in PAGES if path.name != "log.md"]
NONE = "none"
"""Of what is not of drawn films."""


def hashes(path):
    """Every phantom hash that a page or result names, wherever it stands."""
    text = path.read_text(encoding="utf-8")
    found = set(re.findall(r"phantom-v\d+ ([0-9a-f]{8})\b", text))
    if path.suffix == ".json":
        json.loads(text, object_hook=lambda row: found.update({row.get("version_hash", NONE)}))
    # What was killed was drawn before a result named its phantom; it says nothing of drawn films.
    return found - {NONE} - ({"unknown"} if path.name == "kills.json" else set())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_published_page_names_no_other_phantom(path):
    assert hashes(path) <= {phantom.version_hash()}
    assert "phantom-v0" not in path.read_text(encoding="utf-8")


def test_hashes_are_found():
    assert phantom.version_hash() in hashes(DOCS / "phantom.md")
    assert hashes(DOCS / "results" / "phantom_floor.json") == {phantom.version_hash()}
