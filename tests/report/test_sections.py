"""Which sections are read from which layouts."""

import random

import pytest

from xemplar import report


def bodies(text):
    return [(s.name, text[s.start : s.end]) for s in report.split_sections(text)]


def test_sections_at_line_starts():
    text = (
        "FINAL\nINDICATION: Cough.\nComparison: None.\n\n"
        "FINDINGS:\nClear lungs.\nHEART: normal.\nIMPRESSION:\n1. Normal.\n"
    )
    assert bodies(text) == [
        ("unnamed", "FINAL"),
        ("indication", "Cough."),
        ("comparison", "None."),
        ("findings", "Clear lungs.\nHEART: normal."),
        ("impression", "1. Normal."),
    ]


def test_sections_in_run_on_text():
    text = "Chest film. HISTORY: pain FINDINGS: No effusion. Impression: Normal chest."
    assert bodies(text) == [
        ("unnamed", "Chest film."),
        ("indication", "pain"),
        ("findings", "No effusion."),
        ("impression", "Normal chest."),
    ]


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("CLINICAL INFORMATION", "indication"),
        ("Reason for exam", "indication"),
        ("TECHNIQUE", "technique"),
        ("CONCLUSION", "impression"),
        ("ADDENDUM", "addendum"),
        ("RECOMMENDATION", "recommendation"),
    ],
)
def test_heading_names(heading, name):
    assert bodies(f"FINDINGS: x\n{heading}: y")[-1] == (name, "y")


def test_lower_case_word_is_no_heading():
    assert bodies("The findings: small effusion.") == [("unnamed", "The findings: small effusion.")]


def test_capitals_alone_on_a_line_are_a_heading():
    text = "FINDINGS\nClear.\nIMPRESSION\nNormal."
    assert bodies(text) == [("findings", "Clear."), ("impression", "Normal.")]


def test_section_texts_join_one_name():
    text = "FINDINGS: a.\nIMPRESSION: b.\nFINDINGS: c."
    assert report.section_texts(text) == {"findings": "a.\nc.", "impression": "b."}


def test_empty_text_has_no_sections():
    assert report.split_sections(" \n") == ()


HEADS = {
    "indication": [
        "INDICATION",
        "HISTORY",
        "CLINICAL HISTORY",
        "REASON FOR EXAM",
        "Clinical details",
        "Indication",
    ],
    "technique": ["TECHNIQUE", "EXAMINATION", "Technique"],
    "comparison": ["COMPARISON", "Comparison", "PRIOR STUDIES"],
    "findings": ["FINDINGS", "Findings", "REPORT", "RESULT"],
    "impression": ["IMPRESSION", "Impression", "CONCLUSION", "OPINION"],
    "recommendation": ["RECOMMENDATION(S)", "RECOMMENDATIONS"],
    "notification": ["NOTIFICATION"],
    "addendum": ["ADDENDUM"],
}
BODY = {
    "indication": ["Cough and fever.", "50-year-old with chest pain, rule out pneumonia"],
    "technique": ["PA and lateral views of the chest.", "Portable AP"],
    "comparison": ["None.", "Chest radiograph from ___.", "Radiograph dated 1/2/2003."],
    "findings": [
        "The lungs are clear. Heart size is normal.",
        "There is a 2.5 cm nodule in the right\nupper lobe. No effusion: none seen.",
        "LUNGS: Clear.\nHEART: Normal.",
    ],
    "impression": [
        "1. No acute disease.\n2. Stable nodule.",
        "Normal chest.",
        "Small left effusion. No pneumothorax.",
    ],
    "recommendation": ["CT in 3 months."],
    "notification": ["Dr. ___ was called at 5 pm."],
    "addendum": ["There is also a rib fracture."],
}
ORDER = list(HEADS)


def composed(rng, style):
    """A report in one layout, and the sections it was made of."""
    text, wanted = "", []
    for number, name in enumerate(n for n in HEADS if n in ("findings", "impression") or rng.random() < 0.6):
        head, body = rng.choice(HEADS[name]), rng.choice(BODY[name])
        head = "FINDINGS" if head == "REPORT" and style == "alone" else head
        if style == "upper":
            head, body = head.upper(), body.upper()
        elif style == "lower":
            head, body = head.lower(), body.lower()
        elif style == "run-on":
            body = " ".join(body.split())
            head, body = head.upper(), body if body.endswith(".") else body + "."
        text += {
            "below": f"{head}:\n{body}\n",
            "indented": f" {head}: \n \n {body}\n \n",
            "alone": f"{head.upper()}\n{body}\n\n",
            "dash": f"{head} - {body}\n",
            "run-on": f"{head}: {body} ",
            "numbered": f"{number + 1}. {head}: {body}\n",
            "starred": f"**{head}:** {body}\n",
        }.get(style, f"{head}: {body}\n")
        wanted.append((name, body))
    return text, wanted


STYLES = ("colon", "below", "indented", "alone", "dash", "run-on", "numbered", "starred", "upper", "lower")


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("style", STYLES)
def test_composed_reports_come_back(style, seed):
    text, wanted = composed(random.Random(seed), style)
    assert bodies(text) == wanted
