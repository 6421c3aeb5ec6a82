"""Which parts of a report are read, and where its words stand: texts without headings, files as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from xemplar.check import check_text, read_report
from xemplar.check.folder import text_of
from xemplar.errors import XemplarError


@pytest.mark.parametrize(
    "text",
    [
        "There is a left pleural effusion. No left pleural effusion.",
        "No pneumothorax. Small left pneumothorax.",
        "There is a left effusion. No effusion. INDICATION: cough.",
    ],
)
def test_a_text_without_headings_is_read_as_one_section(text: str) -> None:
    checked = check_text(text)
    assert checked.unread is None
    (alert,) = checked.alerts
    assert alert.kind == "presence conflict"
    for quote in alert.quotes:
        assert quote.section == "report"
        assert text[quote.start : quote.end] == quote.text
        assert text[quote.sentence_start : quote.sentence_end] == quote.sentence
    assert [note for note in checked.notes if "read as one section" in note]


@pytest.mark.parametrize(
    "text", ["INDICATION: left effusion?", "Chest radiograph of 2010. INDICATION: effusion?"]
)
def test_a_title_above_an_indication_is_no_report(text: str) -> None:
    assert check_text(text).unread == "no findings and no impression in it"


@pytest.mark.parametrize("text", ["Normal chest.", "Normal chest.\nElectronically signed by A. B."])
def test_a_text_that_tells_of_no_finding_is_read_all_the_same(text: str) -> None:
    assert check_text(text).unread is None


def test_a_text_without_headings_in_another_language_says_so() -> None:
    checked = check_text("Linksseitiger Pleuraerguss. Kein Pneumothorax. Das Herz ist normal gross.")
    assert checked.unread == "in another language than English (de): not read"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_places_are_those_of_the_file_whatever_ends_its_lines(tmp_path: Path, mark: bytes) -> None:
    text = "FINDINGS:\r\nNo pneumothorax.\r\n\r\nIMPRESSION:\r\nLeft pneumothorax.\r\n"
    path = tmp_path / "report.txt"
    path.write_bytes(mark + text.encode())
    (alert,) = check_text(text_of(path)).alerts
    assert [text[one.start : one.end] for one in alert.quotes] == ["pneumothorax"] * 2


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(XemplarError, match="not UTF-8"):
        text_of(tmp_path / "report.txt")


def test_a_text_too_long_for_a_report_is_not_read() -> None:
    read = read_report("FINDINGS: " + "No pleural effusion. " * 5_000)
    assert read.said == () and read.unread == "104,999 characters, more than the 100,000 that are read"


@pytest.mark.parametrize(
    ("before", "after"),
    [("", ""), ("FINDINGS: ", ""), ("FINDINGS: Clear.\nIMPRESSION: ", ""), ("", "\nINDICATION: cough.")],
)
def test_a_word_that_is_none_leaves_the_report_unread(before: str, after: str) -> None:
    found = check_text(f"{before}No pneumothorax. Left pneumothorax. {'a' * 90_000}.{after}")
    assert (found.alerts, found.unread) == ((), "a word of 90,000 letters; no report")


def test_the_longest_word_is_read() -> None:
    assert check_text(f"Left pleural effusion. {'a' * 200} is clear.").unread is None
    assert check_text(f"Left pleural effusion. {'a' * 201} is clear.").unread is not None


def test_a_word_that_is_none_outside_of_what_is_read_is_nothing() -> None:
    assert check_text(f"INDICATION: {'a' * 500}\n\nFINDINGS: The lungs are clear.").unread is None


def test_a_text_without_an_end_of_a_sentence_is_not_read() -> None:
    read = read_report("effusion " * 1_000)
    assert read.said == () and read.unread == "a sentence of 8,999 characters; no report"
