"""What report.py promises of sections, sentences, comparison, language and equality of text."""

import hashlib

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


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Nodule of 1.2 cm. No effusion.", ["Nodule of 1.2 cm.", "No effusion."]),
        ("1. Small effusion. 2. Normal heart.", ["Small effusion.", "Normal heart."]),
        ("1. Small effusion\n2. Normal heart", ["Small effusion", "Normal heart"]),
        ("Discussed with Dr. Smith at 9 a.m. by phone.", ["Discussed with Dr. Smith at 9 a.m. by phone."]),
        ("Called at 9 a.m. No effusion.", ["Called at 9 a.m.", "No effusion."]),
        ("Atelectasis vs. pneumonia.", ["Atelectasis vs. pneumonia."]),
        ("Tube, e.g. Port, approx. 2 cm.", ["Tube, e.g. Port, approx. 2 cm."]),
        ("Read by J. Smith. Normal.", ["Read by J. Smith.", "Normal."]),
        ("Read by Dr. J. R. Smith.", ["Read by Dr. J. R. Smith."]),
        ("History of hepatitis C. No effusion.", ["History of hepatitis C.", "No effusion."]),
        ("The heart\nis normal.\nNo effusion.", ["The heart is normal.", "No effusion."]),
        ("No effusion\n\nNormal heart", ["No effusion", "Normal heart"]),
        ("- No effusion\n- Normal heart", ["No effusion", "Normal heart"]),
        ("No focal disease.. No effusion", ["No focal disease..", "No effusion"]),
        ("No effusion.No pneumothorax.", ["No effusion.", "No pneumothorax."]),
        ("Is it new? Yes!", ["Is it new?", "Yes!"]),
        ("Findings (stable.) Normal.", ["Findings (stable.)", "Normal."]),
        ("No. 3 rib is intact. No.", ["No. 3 rib is intact.", "No."]),
        (" . \n", []),
    ],
)
def test_sentences(text, wanted):
    assert list(report.sentences(text)) == wanted


def test_sentence_offsets_point_into_the_original():
    text = "1.  Small\n effusion.  2. Heart  normal."
    assert [text[a:b] for a, b in report.split_sentences(text)] == ["Small\n effusion.", "Heart  normal."]


@pytest.mark.parametrize(
    "sentence",
    [
        "Unchanged left effusion.",
        "No interval change.",
        "Effusion has increased since the prior study.",
        "Compared with the previous radiograph, no effusion.",
        "Again seen is a granuloma.",
        "New right opacity.",
        "Stable cardiomegaly.",
        "Worsening edema.",
        "Improved aeration.",
        "The previously seen nodule is gone.",
        "Pneumothorax is no longer seen.",
        "Heart remains enlarged.",
        "No comparison available, but the effusion is new.",
    ],
)
def test_compares_with_prior(sentence):
    assert report.compares_with_prior(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "No comparison available.",
        "No prior studies are available for comparison.",
        "Comparison: None.",
        "None available for comparison.",
        "Comparison with prior films is recommended.",
        "Increased interstitial markings.",
        "Prior median sternotomy.",
        "Heart size is normal.",
        "No pleural effusion or pneumothorax.",
    ],
)
def test_does_not_compare(sentence):
    assert not report.compares_with_prior(sentence)


@pytest.mark.parametrize(
    "text",
    [
        "No pleural effusion.",
        "Cardiomegaly.",
        "The heart is not enlarged and the lungs are clear.",
        "",
        "XXXX",
        "Panoramic radiograph",
        "Inguinal ligament (IL).",
        "Drug eluting stents (DES) in series",
    ],
)
def test_english(text):
    assert report.is_english(text)


@pytest.mark.parametrize(
    "text",
    [
        "Kein Pleuraerguss, das Herz ist nicht vergrößert.",
        "Sin derrame pleural.",
        "SIN DERRAME PLEURAL.",
        "No se observa derrame pleural ni neumotórax.",
        "Distension digestive avec niveaux hydro-aériques et vacuité pelvienne",
        "Ausência de derrame pleural; não há consolidação.",
        "Сердце не увеличено.",
    ],
)
def test_not_english(text):
    assert not report.is_english(text)


@pytest.mark.parametrize(
    "twin",
    ["no pleural effusion", "NO  PLEURAL\nEFFUSION.", " No  pleural effusion!! ", "No pleural e\ufb00usion."],
)
def test_equal_texts_have_one_key(twin):
    assert report.text_key(twin) == report.text_key("No pleural effusion.")


def test_inner_punctuation_distinguishes():
    assert report.normalise("1.2 cm") != report.normalise("12 cm")


def test_text_key_is_the_start_of_a_sha256():
    assert report.text_key("Normal.") == hashlib.sha256(b"normal").hexdigest()[:16]


@pytest.mark.parametrize(
    "sentence",
    [
        "Lines and devices as above.",
        "As above.",
        "See above.",
        "Bilateral effusions, as detailed above.",
        "Opacity (see below).",
        "Effusion as described.",
        "Otherwise as noted.",
        "The above findings are of uncertain cause.",
        "Above findings suggest edema.",
        "Tubes and lines, described above, are in place.",
        "The aforementioned effusion is small.",
        "See impression.",
        "Please see the separate CT report.",
        "Refer to the findings section.",
    ],
)
def test_a_sentence_that_points_elsewhere(sentence):
    assert report.points_elsewhere(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Endotracheal tube tip 4 cm above the carina.",
        "The nasogastric tube extends below the diaphragm.",
        "Opacity above the left hemidiaphragm.",
        "No acute findings.",
        "Findings are consistent with edema.",
        "Small effusion, such as after surgery.",
        "Opacity at the right base, seen on the lateral view.",
        "The heart is normal in size.",
    ],
)
def test_a_place_in_the_body_points_nowhere(sentence):
    assert not report.points_elsewhere(sentence)
