"""What says whose report it is, and who signed it, is in none of a study's texts; prose stays as written."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path

import pytest

from xemplar.report import UNNAMED, section_texts, split_sentences
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
    assert without_particulars(report) == (report, {})


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


HEADED = [
    ("PORTABLE CHEST\n\nETT 3 cm above carina. Dobhoff coiled in esophagus.\n\nIMPRESSION: Malpositioned.",
     ["PORTABLE CHEST"]),
    ("PORTABLE CHEST, ___\n\nLarge left PTX.\n\nIMPRESSION: Tension.", ["PORTABLE CHEST, ___"]),
    ("Bibasilar subsegmental atelectatic bands. Tortuous great vessels. Hiatal hernia.\n\nIMPRESSION: Same.",
     []),
    (" FINAL REPORT\n CHEST RADIOGRAPH\n \n INDICATION:  ___F with cough.\n \n Tortuous great vessels.\n \n"
     " IMPRESSION:  No change.", ["FINAL REPORT", "CHEST RADIOGRAPH"]),
    (f"{MARK}, JANE\nF 70\nHiatal hernia noted.\n\nIMPRESSION: No change.", [f"{MARK}, JANE", "F 70"]),
    (f"Name: {MARK}\nHiatal hernia.\nIMPRESSION: No change.", [f"Name: {MARK}"]),
    (f"Mrs. {MARK} came in with cough. Hiatal hernia.\n\nIMPRESSION: No change.",
     [f"Mrs. {MARK} came in with cough."]),
    (f"Seen by {MARK}. Feeding apparatus unchanged.\n\nIMPRESSION: No change.", [f"Seen by {MARK}."]),
    ("Two bullets project over the left axilla.\n\nLungs clear.\n\nIMPRESSION: No change.", []),
    ("LARGE LEFT PTX.\n\nIMPRESSION: TENSION.", []),
    ("Swan Ganz coiled. Kerley B septa.\n\nIMPRESSION: Edema.", []),
    (f"Jane {MARK}.\n\nSitus inversus totalis again.\n\nIMPRESSION: No change.", [f"Jane {MARK}."]),
    ("Reported: hiatal hernia\n\nIMPRESSION: No change.", ["Reported:"]),
    ("FINDINGS: Clear.\nReported: hiatal hernia", ["Reported:"]),
    ("ID: Suspicious for empyema.\n\nIMPRESSION: No change.", []),
    ("Mobile: free subdiaphragmatic gas\n\nIMPRESSION: No change.", []),
    (f"Mobile: {MARK} 07\nID: {MARK}\nReported: Jane {MARK}\nFINDINGS: Clear.",
     [f"Mobile: {MARK} 07", f"ID: {MARK}", f"Reported: Jane {MARK}"]),
    (f"FINDINGS: Clear.\nHiatal hernia, discussed with Dr. {MARK} MD", [f"Dr. {MARK} MD"]),
    (f"IMPRESSION:\nRight hydroPTX, Dr. {MARK} called by Dr. {MARK}, MD",
     [f", Dr. {MARK} called by Dr. {MARK}, MD"]),
    (f"FINDINGS: Hiatal hernia, J. van der {MARK} MD, PhD", [f", J. van der {MARK} MD, PhD"]),
    (f"FINDINGS: Clear.\nJane {MARK}, MD, Cardiothoracic Imaging",
     [f"Jane {MARK}, MD, Cardiothoracic Imaging"]),
    ("Septa thickened.\n\nIMPRESSION: Edema.", []),
    (f"IMPRESSION: Hiatal hernia, seen by Dr. {MARK} MD", [f"Dr. {MARK} MD"]),
    (f"Name: {MARK}\nTortuous great vessels\nLungs clear.", [f"Name: {MARK}"]),
]  # fmt: skip
"""Reports made up as in MIMIC-CXR and plainer, and the strings that may vanish from them beside headings."""
HEADINGS = ("INDICATION:", "FINDINGS:", "IMPRESSION:")


@pytest.mark.parametrize(("report", "listed"), HEADED)
def test_only_what_is_listed_vanishes(report, listed):
    left = report
    for gone in (*listed, *(heading for heading in HEADINGS if heading in report)):
        assert left.count(gone) == 1
        left = left.replace(gone, " ")
    assert " ".join(said(report).values()).split() == left.split()


def test_layouts_as_a_source_reads_them():
    """Of MIMIC-CXR's one opens with what was compared, and in one a notice is the addendum: it is kept."""
    layouts = tomllib.loads((Path(__file__).parents[1] / "report/layouts.toml").read_text("utf-8"))
    wrong = [
        at
        for at, one in enumerate(layouts["mimic"])
        if sentences_of(one["text"]) != in_one_line(one["sentences"])
    ]
    assert (wrong, len(layouts["mimic"])) == ([4, 6], 20)
    spanish = layouts["padchest"]["reports"]
    assert [sentences_of(" ".join(one)) for one in spanish] == spanish
    assert len(spanish) == 20


def in_one_line(sentences: list[str]) -> list[str]:
    return [" ".join(sentence.split()) for sentence in sentences]


def sentences_of(report: str) -> list[str]:
    texts = [text for name, text in said(report).items() if name in ("findings", "impression")]
    return in_one_line([text[start:end] for text in texts for start, end in split_sentences(text)])


@pytest.mark.parametrize("report", ["Name: x " * 8_000, "a:" * 8_000, "MRN 1 " * 8_000, "Dr. A\n" * 5_000])
def test_long_runs_take_no_long_time(report):
    assert len(without_particulars(report)[0]) <= len(report)


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
