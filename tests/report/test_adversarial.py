"""No text makes the room slow: 20,000 letters of what a pattern repeats are read within a second."""

import time

import pytest

from xemplar import report

LETTERS = 20_000
PARTS = (
    "a", "A", "\u00e9", "1", "_", "*", ".", "-", "(", "=", "\u2026", "x ", "\t", "\n", "\n ", "1.", "1) ",
    "x (1) ", ".1", "no ", "No ", "the findings ", "FINDINGS ", "FINDINGS:", "FINDINGS: ", "History: ",
    "\nHeart: ", "\n1. ", "A. ", "a.b.", "Dr. ", "Dr. A. ", "e.g. ", "am 5. ", "2 cm. ", "segment 2) ",
    "CHEST PA: ", "no prior ", "if ", "discussed with ", "a-", "ab/", "a, ", "? ", ".\" ", "XXXX ",
    "\u0441\u043b\u043e\u0432\u043e ", "has been the ", "CT of the ", "at the time of ", "at 12:",
)  # fmt: skip


def seconds(read, text):
    began = time.process_time()
    read(text)
    return time.process_time() - began


def whole_way(text):
    """All that is asked of a report, from its sections to each sentence's language."""
    home = report.language_of(text)
    for section in report.split_sections(text):
        for sentence in report.sentences(text[section.start : section.end]):
            report.compares_with_prior(sentence)
            report.is_boilerplate(sentence)
            report.language_within(sentence, home)


@pytest.fixture(scope="module", autouse=True)
def _warm():
    """What is read once, at the first call, is not timed."""
    whole_way("FINDINGS: \u0441\u043b\u043e\u0432\u043e \u0441\u043b\u043e\u0432\u043e. Small effusion.")
    report.stands_alone("Small effusion.")


@pytest.mark.parametrize("part", PARTS)
def test_repeats(part):
    text = part * (LETTERS // len(part))
    assert seconds(whole_way, text + "\0!") < 1
    for read in (report.stands_alone, report.normalise, report.is_english):
        assert seconds(read, "Effusion " + text + "!") < 1


@pytest.mark.parametrize(
    "text",
    [
        "FINDINGS" + " " * LETTERS + "!",
        "x" + " " * LETTERS + ":!",
        "FINDINGS: " + "." * LETTERS + "!",
        "A. x\n" + "." * LETTERS,
    ],
    ids=["blanks", "blanks before a colon", "stops", "stops of a list"],
)
def test_one_long_run(text):
    assert seconds(whole_way, text) < 1


STARTS = (
    "findings were ", "these results have been ", "the clinical referring dr ", "telephone call ",
    "images and the report ", "reviewed and signed ", "see the ", "recommend ", "please also therefore ",
    "for further a, ", "when b, ", "follow up ", "close interval ", "chest ct without contrast ",
    "this nodule ", "comparison to prior ", "none available ", "absence of ", "improving or ", "since the ",
    "increased in ", "not seen on ", "page was ", "at 3 p.m. ", "discussed the ", "evaluation ",
)  # fmt: skip


@pytest.mark.parametrize("part", STARTS)
def test_a_pattern_s_own_words_repeated(part):
    text = part * (LETTERS // len(part))
    for read in (
        report.is_boilerplate,
        report.stands_alone,
        report.points_elsewhere,
        report.compares_with_prior,
    ):
        assert seconds(read, text + "!") < 1
