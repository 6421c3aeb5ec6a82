"""What says whose report it is, and who signed it, is in none of a study's texts; prose stays as written."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from xemplar.report import UNNAMED, section_texts
from xemplar.sources.particulars import without_particulars
from xemplar.sources.prose import is_plainly_of_a_radiograph, prose_of
from xemplar.sources.report_texts import FIELDS, report_texts

MARK = "ZQX"
CLEAR = "The lungs are clear. No effusion."
PARTICULARS = [
    f"Name: {MARK} MRN: {MARK}\nReferring: Dr. {MARK}",
    f"Name: {MARK}. MRN: {MARK}.",
    f"Name:\nJane {MARK}\n\nMRN:\n{MARK}1",
    f"{MARK}, JANE   MRN: 123   DOB: 02/03/1951\nReferring physician: Dr {MARK}",
    f"Patient Name: {MARK} | MRN: {MARK} | DOB: 1/1/1950 | Sex: F | Age: 70",
    f"MRN#: {MARK}\nPt's Name: {MARK}\nD.O.B.: 1/1/1950 {MARK}\nAcc. No.: {MARK}\nOrdered By: {MARK}",
    f"Address: 1 {MARK} St.\n  {MARK} Town\nPhone: 555 {MARK}\nSSN: {MARK}\nNHS No: {MARK}",
    f"Ward: {MARK}\nSex: {MARK}\nHospital: {MARK}\nPhysician: {MARK}\nDictated by: {MARK}\nDate: {MARK}",
    f"RADIOLOGY REPORT\n{MARK}, JANE\nF 70",
    f"Patientenname: {MARK}\nGeburtsdatum: {MARK}\nZuweiser: Dr. {MARK}",
    f"Nombre: {MARK}\nFecha de nacimiento: {MARK}\nM\u00e9dico solicitante: {MARK}",
]
FOOTERS = [
    f"Dictated by: Dr. {MARK}",
    f"Electronically signed by: {MARK}, MD\n2/3/2001 4:00 pm\ncc: {MARK}\n    {MARK} B",
    f"cc: Dr {MARK}",
    f"CC: {MARK}, {MARK}",
    f"Copies to: {MARK}",
    f"Dr. {MARK} Smith, MD\nConsultant radiologist\n02/03/2001",
    f"{'_' * 20}\nDr. Z. {MARK}. Consultant.",
    f"Kind regards,\nJane {MARK}",
    f"Reporting radiologist: {MARK}\nGMC: 1234567 {MARK}",
    f"Phone: {MARK}",
]


def said(report: str) -> dict[str, str]:
    cut = report_texts(report)
    return {name: text for name in FIELDS if (text := getattr(cut, name)) is not None}


@pytest.mark.parametrize("header", PARTICULARS)
@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ("IMPRESSION: Normal.", {"impression": "Normal."}),
        ("FINDINGS: Clear.\nIMPRESSION: Normal.", {"findings": "Clear.", "impression": "Normal."}),
        (f"\n{CLEAR}", {"findings": CLEAR}),
        (f"\n{CLEAR}\n\nIMPRESSION: Normal.", {"findings": CLEAR, "impression": "Normal."}),
        ("HISTORY: Cough.\n\nFINDINGS: Clear.", {"indication": "Cough.", "findings": "Clear."}),
    ],
)
def test_a_header_is_in_no_text(header, body, texts):
    assert said(f"{header}\n{body}") == texts


@pytest.mark.parametrize("footer", FOOTERS)
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_a_footer_is_in_no_text(footer, gap):
    expected = {"findings": "Clear.", "impression": "No change."}
    assert said(f"FINDINGS: Clear.\nIMPRESSION: No change.{gap}{footer}") == expected


@pytest.mark.parametrize("footer", [f"cc: Dr {MARK}", f"Dr. {MARK} Smith, MD", f"Dictated by: {MARK}"])
def test_a_footer_on_the_impressions_line_is_in_no_text(footer):
    assert said(f"IMPRESSION: No change. {footer}") == {"impression": "No change."}


def test_particulars_on_the_findings_line_are_in_no_text():
    report = f"Name: {MARK} MRN: {MARK} Sex: F Ward: {MARK} FINDINGS: Clear. IMPRESSION: Normal."
    assert said(report) == {"findings": "Clear.", "impression": "Normal."}


def test_of_a_line_with_prose_the_prose_stays():
    assert said(f"Name: {MARK} MRN: 123. {CLEAR}") == {"findings": CLEAR}


def test_text_before_the_impression_that_is_no_prose_of_a_film_is_nothing():
    report = f"Dear Dr. {MARK},\nThank you for referring Mrs. {MARK}.\n\nIMPRESSION: Normal."
    assert said(report) == {"impression": "Normal."}


def test_text_under_a_rule_after_the_impression_is_no_finding():
    assert said(f"IMPRESSION: Normal.\n{'_' * 20}\nTyped in London. By {MARK}.") == {"impression": "Normal."}


@pytest.mark.parametrize(
    "report",
    [
        "1. Normal chest.\n2. No change.",
        "Heart: Normal\nLungs: Clear\nLines/tubes: NG tube in the stomach",
        "FINDINGS: Location: left lower lobe. Size: 3 cm.",
        "FINDINGS: Heart: normal. Patient is rotated.\nWard film. Bed sores are not seen.",
        "INDICATION: 50M. CC: chest pain.\nFINDINGS: Clear.",
        "INDICATION: 55 year old patient: cough.\nFINDINGS: Clear.",
        "FINDINGS: Clear.\nIMPRESSION: Pneumothorax. Dr. A was told of the pneumothorax.",
        "Keine Infiltrate.\nHerz normal gro\u00df.",
        "\u041b\u0435\u0433\u043a\u0438\u0435 \u0447\u0438\u0441\u0442\u044b",
    ],
)
def test_what_only_looks_like_particulars_stays(report):
    assert without_particulars(report) == report


@pytest.mark.parametrize(
    ("sentence", "plainly"),
    [
        ("The lungs are clear.", True),
        ("No acute disease.", True),
        ("Unremarkable.", True),
        ("Sin derrame pleural.", True),
        ("Kein Pleuraerguss.", True),
        ("Jane Doe, 1 High St.", False),
        ("Department of heart disease, 2 Elm Street is here.", False),
        ("Mr. Doe has pneumonia.", False),
        ("Chest PA and lateral.", False),
        ("Doe 1234567 lungs clear.", False),
    ],
)
def test_plain_prose(sentence, plainly):
    assert is_plainly_of_a_radiograph(sentence) is plainly


def test_prose_begins_with_its_first_plain_sentence():
    assert prose_of(f"Seen by Doe. {CLEAR} Unchanged.") == f"{CLEAR} Unchanged."


@pytest.mark.parametrize("report", ["Name: x " * 8_000, "a:" * 8_000, "MRN 1 " * 8_000, "Dr. A\n" * 5_000])
def test_long_runs_take_no_long_time(report):
    assert len(without_particulars(report)) <= len(report)


@pytest.mark.shared
def test_real_reports_lose_nothing(shared_data: Path):
    """Open-i's sections bear no particulars, but for two notices of who was told."""
    with (shared_data / "iu_reports/reports.csv").open(newline="", encoding="utf-8") as file:
        texts = [
            text for row in list(csv.DictReader(file))[::8] for name in FIELDS if (text := row.get(name, ""))
        ]
    assert len(texts) > 1000
    changed = [text for text in texts if said(text) != _as_cut(text)]
    assert len(changed) <= 2
    assert all("Dr. XXXX" in text for text in changed)


def _as_cut(text: str) -> dict[str, str]:
    """The sections as they are cut, text under no heading as findings."""
    parts = section_texts(text)
    if UNNAMED in parts and "findings" not in parts:
        parts["findings"] = parts[UNNAMED]
    return {name: parts[name] for name in FIELDS if name in parts}
