"""What the splitter makes of stops, abbreviations, units, lists and lines."""

import csv
import os
import random
import re
import time
from itertools import pairwise
from pathlib import Path

import pytest

from xemplar import report


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
    ("text", "wanted"),
    [
        ("Tip 2 cm. above the carina. No pneumothorax.", ["Tip 2 cm. above the carina.", "No pneumothorax."]),
        ("Nodule is 3 mm. Heart is normal.", ["Nodule is 3 mm.", "Heart is normal."]),
        ("1. No effusion 2. Normal heart 3. Clear lungs", ["No effusion", "Normal heart", "Clear lungs"]),
        ("1) No effusion. 2) Normal heart.", ["No effusion.", "Normal heart."]),
        ("1.No effusion 2.Normal heart", ["No effusion", "Normal heart"]),
        ("Fracture of rib 7. Normal heart.", ["Fracture of rib 7.", "Normal heart."]),
        ("Nodule in segment 2. Normal heart.", ["Nodule in segment 2.", "Normal heart."]),
        ("1. Nodule in segment 2. Normal heart.", ["Nodule in segment 2.", "Normal heart."]),
        ("Compression of L1. Heart normal.", ["Compression of L1.", "Heart normal."]),
        ("Fusion of T5-T6. Heart normal.", ["Fusion of T5-T6.", "Heart normal."]),
        ("S/p CABG. Lungs clear.", ["S/p CABG.", "Lungs clear."]),
        (
            "Seen by Dr. A. Smith at 5:30 p.m. on 3/4/2011. No change.",
            ["Seen by Dr. A. Smith at 5:30 p.m. on 3/4/2011.", "No change."],
        ),
        ("Dr. XXXX. XXXX was told. Heart normal.", ["Dr. XXXX.", "XXXX was told.", "Heart normal."]),
        ("Opacity... likely scar. Heart normal.", ["Opacity... likely scar.", "Heart normal."]),
        ("Heart normal... Lungs clear.", ["Heart normal...", "Lungs clear."]),
        (
            "There is a pneumo-\nthorax on the left. Heart normal.",
            ["There is a pneumo- thorax on the left.", "Heart normal."],
        ),
        ("Lungs clear.Heart normal.No effusion.", ["Lungs clear.", "Heart normal.", "No effusion."]),
        ("LUNGS CLEAR.HEART NORMAL.", ["LUNGS CLEAR.", "HEART NORMAL."]),
        (
            "sin derrame . cardiomegalia . no hay consolidacion .",
            ["sin derrame .", "cardiomegalia .", "no hay consolidacion ."],
        ),
        ("Effusion (see Fig. 3). Heart normal.", ["Effusion (see Fig. 3).", "Heart normal."]),
        ("Nodule (?) in the left base. Normal.", ["Nodule (?) in the left base.", "Normal."]),
        ("? pneumonia. Heart normal.", ["? pneumonia.", "Heart normal."]),
        ("No. 7 French catheter. Normal.", ["No. 7 French catheter.", "Normal."]),
        ("Dated 3.4.2011. Heart normal.", ["Dated 3.4.2011.", "Heart normal."]),
        ("Nodule 1. 5 cm in size. Normal.", ["Nodule 1. 5 cm in size.", "Normal."]),
        ("Heart normal . Lungs clear .", ["Heart normal .", "Lungs clear ."]),
        ("A.P. view. Normal.", ["A.P. view.", "Normal."]),
        ("Vitamin D. Heart normal.", ["Vitamin D.", "Heart normal."]),
        ("Patient is a 50 y.o. male. Heart normal.", ["Patient is a 50 y.o. male.", "Heart normal."]),
        ("PICC in SVC/RA jct. No ptx.", ["PICC in SVC/RA jct.", "No ptx."]),
        ("Read by John R. Smith, M.D. Normal.", ["Read by John R. Smith, M.D.", "Normal."]),
        ("Impression: 1. Normal chest. 2. Scar.", ["Impression:", "Normal chest.", "Scar."]),
        ("a) Clear lungs\nb) Normal heart", ["Clear lungs", "Normal heart"]),
        ("A. Clear lungs.\nB. Normal heart.", ["Clear lungs.", "Normal heart."]),
        ("(1) Clear lungs. (2) Normal heart.", ["Clear lungs.", "Normal heart."]),
        (
            "ET tube 4.5cm above carina.NG tube in stomach.",
            ["ET tube 4.5cm above carina.", "NG tube in stomach."],
        ),
        ("Normal.  ", ["Normal."]),
        ("pH of 7.4. Heart normal.", ["pH of 7.4.", "Heart normal."]),
        ("approx. 3 x 4 cm. nodule in RUL. Heart ok.", ["approx. 3 x 4 cm. nodule in RUL.", "Heart ok."]),
        ("Bilat. effusions. Rt. lung clear.", ["Bilat. effusions.", "Rt. lung clear."]),
        ("i.e. normal. Lungs clear.", ["i.e. normal.", "Lungs clear."]),
        ("Lines 1. PICC in SVC. 2. ETT ok.", ["Lines", "PICC in SVC.", "ETT ok."]),
        ("There are 2. Both are small.", ["There are 2.", "Both are small."]),
        ("Pas d'épanchement. M. Dupont est vu.", ["Pas d'épanchement.", "M. Dupont est vu."]),
        ("1. Stable.\n\n2. Clear.", ["Stable.", "Clear."]),
        ("IMPRESSION:\n1. PE.\n2. No DVT.", ["IMPRESSION:", "PE.", "No DVT."]),
        ("C. difficile colitis. Lungs clear.", ["C. difficile colitis.", "Lungs clear."]),
        ("S. aureus pneumonia. Lungs clear.", ["S. aureus pneumonia.", "Lungs clear."]),
    ],
)
def test_more_sentences(text, wanted):
    assert list(report.sentences(text)) == wanted


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Nodule of 1.5 cm. No effusion.", 2),
        ("Discussed with Dr. ___ at 3:00 p.m. on ___ by phone.", 1),
        ("Effusion; heart normal; lungs clear.", 1),
        ("THE LUNGS ARE CLEAR. HEART IS NORMAL.", 2),
        ("- No effusion\n- Heart normal\n- Lungs clear", 3),
        ("• No effusion\n• Heart normal", 2),
        ("Heart: normal\nLungs: clear\nPleura: no effusion", 3),
        ("Heart normal\nLungs clear\nNo effusion", 3),
        ("The heart is enlarged and the\nSwan-Ganz catheter is in place. No\nPneumothorax.", 2),
        ("Herz normal groß, z.B. nicht verbreitert. Kein Erguss.", 2),
        ("Fraktur der 5. Rippe links. Kein Erguss.", 2),
        ("Z.n. Sternotomie. Kein Erguss.", 2),
        ("Is this new? Compare.", 2),
        ("Opacity ?pneumonia in base. Ok.", 2),
        ("Follow-up in approx. 6 weeks. Thanks.", 2),
        ("On Jan. 5 there was none. Now new.", 2),
        ("Consistent with hepatitis C. No effusion.", 2),
        ("Blood gas at 7 a.m. Heart normal.", 2),
        ("Cardiomegaly w/o failure. Normal.", 2),
        ("Heart size is normal (CT ratio 0.45). Lungs clear.", 2),
        ("No effusion.\r\nHeart normal.\r\n", 2),
        ("No effusion\r\n\r\nHeart normal", 2),
        ("The tip is at T4.5 level. Ok.", 2),
        ("No pneumothorax!!! Heart normal.", 2),
        ("[**Hospital 1**] study. Heart normal.", 2),
        ("Compared to [**2013-1-5**]. Heart normal.", 2),
        ("Follow-up CT in 3 mos. Heart normal.", 2),
        ("No change vs. prior. Lungs clear.", 2),
        ("Mass, e.g., lymphoma. Heart normal.", 2),
        ("St. Jude valve. Lungs clear.", 2),
        ("Normal chest. www.example.com is a site.", 2),
        ("Pulmonary edema,cardiomegaly.Small effusions bilaterally.", 2),
        ("no effusion.heart is normal.lungs are clear", 3),
        ("ETT terminates 5.2 cm above carina, NGT in stomach, R IJ in SVC.", 1),
    ],
)
def test_number_of_sentences(text, count):
    assert len(report.sentences(text)) == count


def test_a_word_broken_over_lines_keeps_its_place():
    text = "A pneumo-\nthorax is seen. Clear."
    assert report.split_sentences(text)[0] == (0, text.index(".") + 1)


PIECES = (
    "Nodule of 1.5 cm in the right base.",
    "Seen by Dr. Smith at 9 a.m. by phone.",
    "Tip at T5-T6.",
    "Pneumonia vs. atelectasis, e.g. at the left base.",
    "The heart\nis normal.",
    "XXXX opacity, XXXX scarring.",
    "Compared to ___.",
    "Is there an effusion?",
    "Status post CABG (see Fig. 2).",
    "Compression of L1.",
    "Effusion; heart normal; s/p CABG.",
)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("layout", ["run", "blank", "listed", "numbered", "bulleted", "wide"])
def test_composed_sentences_come_back(layout, seed):
    rng = random.Random(seed)
    wanted = [rng.choice(PIECES) for _ in range(rng.randint(1, 7))]
    text = {
        "run": " ".join(wanted),
        "wide": "  ".join(wanted),
        "blank": "\n\n".join(wanted),
        "listed": "\n".join(f"{n}. {one}" for n, one in enumerate(wanted, 1)),
        "numbered": " ".join(f"{n}. {one}" for n, one in enumerate(wanted, 1)),
        "bulleted": "\n".join(f"- {one}" for one in wanted),
    }[layout]
    assert [text[start:end] for start, end in report.split_sentences(text)] == wanted


@pytest.mark.parametrize("seed", range(40))
def test_any_text_is_covered_in_order(seed):
    rng = random.Random(seed)
    text = "".join(rng.choice("uv X.1()\n-?;: ") for _ in range(200))
    spans = report.split_sentences(text)
    assert all(start < end for start, end in spans)
    assert all(left[1] <= right[0] for left, right in pairwise(spans))
    covered = {at for start, end in spans for at in range(start, end)}
    assert [at for at, letter in enumerate(text) if letter in "uvX" and at not in covered] == []


# --- every report of Open-i -----


@pytest.fixture(scope="module")
def open_i():
    root = os.environ.get("XEMPLAR_DATA")
    if not root:
        pytest.skip("XEMPLAR_DATA is not set")
    with (Path(root) / "iu_reports" / "reports.csv").open(encoding="utf-8", newline="") as file:
        texts = [row[part] for row in csv.DictReader(file) for part in ("findings", "impression")]
    return [(text, report.split_sentences(text)) for text in texts if text.strip()]


def between(text, spans):
    """What stands before, between and after the sentences, without blanks."""
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    return [text[edges[at] : edges[at + 1]].strip() for at in range(0, len(edges), 2)]


@pytest.mark.shared
def test_nothing_is_lost_but_list_marks(open_i):
    left = {one for text, spans in open_i for one in between(text, spans) if one}
    assert {one for one in left if not re.fullmatch(r"\(?\d{1,2}[.)],?|\.", one)} == set()


@pytest.mark.shared
def test_sentences_in_order_without_outer_blanks(open_i):
    for text, spans in open_i:
        flat = [edge for span in spans for edge in span]
        assert flat == sorted(flat)
        assert all(text[start:end] == text[start:end].strip() != "" for start, end in spans)


@pytest.mark.shared
def test_no_sentence_ends_within_a_number_or_at_an_abbreviation(open_i):
    abbreviated = re.compile(r"\b(?:dr|drs|vs|e\.g|i\.e|approx|ca|cf|etc|st|prof|cm|mm)\.\Z", re.IGNORECASE)
    found = []
    for text, spans in open_i:
        for (start, end), (after, _) in pairwise(spans):
            number = re.search(r"\d\.\Z", text[start:end]) and text[end : end + 1].isdigit()
            if number or (abbreviated.search(text, start, end) and text[after].islower()):
                found.append(text[start : end + 20])
    assert found == []


@pytest.mark.shared
def test_a_report_takes_a_fraction_of_a_millisecond(open_i):
    began = time.process_time()
    for text, _ in open_i:
        report.split_sentences(text)
    assert time.process_time() - began < 3
