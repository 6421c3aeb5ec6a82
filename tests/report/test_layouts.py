"""Made-up reports in the layouts of MIMIC-CXR and PadChest, as their writer would have them read."""

import re
import tomllib
from pathlib import Path

import pytest

from xemplar import report

LAYOUTS = tomllib.loads(Path(__file__).with_name("layouts.toml").read_text("utf-8"))


def told(text, names=report.SECTION_NAMES):
    bodies = (text[one.start : one.end] for one in report.split_sections(text) if one.name in names)
    return [sentence for body in bodies for sentence in report.sentences(body)]


def begins(text, name):
    found = report.section_texts(text).get(name)
    return found and re.sub(r"\A\d\. +", "", found)


def well_read(text, sentences, findings=None, impression=None):
    for name, wanted in (("findings", findings), ("impression", impression)):
        found = begins(text, name)
        if (found is None) != (wanted is None) or (wanted and not found.startswith(wanted)):
            return False
    return told(text, ("findings", "impression")) == [" ".join(one.split()) for one in sentences]


def test_mimic():
    """The one that is read otherwise opens its findings with what was compared, a paragraph of its own."""
    wrong = [at for at, one in enumerate(LAYOUTS["mimic"]) if not well_read(**one)]
    assert (wrong, len(LAYOUTS["mimic"])) == ([4], 20)


@pytest.mark.parametrize("sentences", LAYOUTS["padchest"]["reports"], ids=lambda one: one[0][:20])
def test_padchest(sentences):
    text = " ".join(sentences)
    assert told(text) == sentences
    assert {report.language_within(one, report.language_of(text)) for one in sentences} == {"es"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "PORTABLE CHEST: Clear lungs.\nIMPRESSION: Normal.",
            {"findings": "Clear lungs.", "impression": "Normal."},
        ),
        ("CHEST, TWO VIEWS:\nFINDINGS: Clear.", {"unnamed": "CHEST, TWO VIEWS:", "findings": "Clear."}),
        (
            "CHEST PA AND LATERAL: 1/2/2003\nFINDINGS: Clear.",
            {"unnamed": "CHEST PA AND LATERAL: 1/2/2003", "findings": "Clear."},
        ),
        (
            "INDICATION: Cough.\nIMPRESSION: Normal.\nCHEST PA: Clear.",
            {"indication": "Cough.", "impression": "Normal.\nCHEST PA: Clear."},
        ),
        (
            "CHEST, PA LATERAL:\n\nINDICATION: Fever.\n\nThe lungs are clear.\n\nNormal heart.",
            {
                "unnamed": "CHEST, PA LATERAL:",
                "indication": "Fever.",
                "findings": "The lungs are clear.",
                "impression": "Normal heart.",
            },
        ),
    ],
)
def test_views_open_findings_where_nothing_else_does(text, wanted):
    assert report.section_texts(text) == wanted
