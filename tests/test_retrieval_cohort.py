"""Cohorts: who is in, who is out and why, made again from a header, and handed on without ids or words."""

import csv
import json
import re

import numpy as np
import pytest
from PIL import Image

from handmade import HashEncoder, arrival, corpus_of
from xemplar.errors import MismatchError, XemplarError
from xemplar.index import build_index
from xemplar.retrieval import NOTICE, Asked, Finder, Retriever, Term, asked_from
from xemplar.retrieval.cohort import csv_of, gather, gather_again, read_header
from xemplar.retrieval.deidentified import write_deidentified
from xemplar.retrieval.worth import shipped

SPLITS = ("train", "val", "test")
REPORTS = [
    ("Small left pleural effusion. No pneumothorax.", "70"),
    ("Left pleural effusion.", "95"),
    ("Left pleural effusion. Left pneumothorax.", "72"),
    ("Left pleural effusion. Possible pneumothorax.", "72"),
    ("Possible left pleural effusion.", "40"),
    ("No pleural effusion.", "41"),
    ("The lungs are clear.", "30"),
    ("Right pleural effusion.", "74"),
    ("Pleural effusion.", "75"),
]
QUERY = "left effusion without pneumothorax"


def finder_of(folder, reports=REPORTS, wards=None):
    wards = wards or [f"secret {n}" for n in range(len(reports))]
    arrivals = [
        arrival(n, patient=f"p{n}", findings=text, facets={"age": age, "sex": "F", "ward": wards[n]})
        for n, (text, age) in enumerate(reports)
    ]
    corpus = corpus_of(arrivals, folder / "corpus")
    index = build_index(corpus, HashEncoder(), folder / "index", parts=SPLITS)
    return Finder(Retriever(corpus, index, HashEncoder()))


@pytest.fixture(scope="module")
def finder(tmp_path_factory):
    return finder_of(tmp_path_factory.mktemp("cohort"))


def rows_of(text):
    return list(csv.DictReader(text.splitlines()[1:]))


def test_who_is_in_and_why_the_others_are_not(finder):
    made = gather(finder, QUERY)
    assert {study.text for study in made.studies} == {REPORTS[0][0], REPORTS[1][0]}
    assert made.header["excluded"] == {
        "states Pneumothorax": 1,
        "denies Pleural Effusion (left)": 1,
        "doubts Pneumothorax": 1,
        "says nothing of Pleural Effusion (left)": 1,
        "is unsure of Pleural Effusion (left)": 1,
        "states Pleural Effusion, not as Pleural Effusion (left)": 2,
    }
    assert made.header["included"] + sum(made.header["excluded"].values()) == made.header["reports"] == 9


def test_each_row_quotes_what_answers(finder):
    made = gather(finder, QUERY)
    for study, row in zip(made.studies, rows_of(made.text()), strict=True):
        name = "with Pleural Effusion (left)"
        span = slice(int(row[f"{name}: start"]), int(row[f"{name}: end"]))
        assert (study.study_id, study.text[span]) == (row["study_id"], row[f"{name}: text"])
        assert row["age"] and float(row["probability"]) > 0.5


def test_findings_and_facets_are_counted(finder):
    header = gather(finder, QUERY).header
    assert header["findings"]["Pneumothorax"] == {"present": 0, "uncertain": 0, "absent": 1}
    assert header["facets"]["sex"] == {"F": 2} and header["patients"] == 2


def test_a_probability_may_be_asked_for(finder):
    made = gather(finder, QUERY, at_least=1.0)
    assert made.rows == () and made.header["excluded"]["below a probability of 1"] == 2
    with pytest.raises(XemplarError, match="a probability of 90"):
        gather(finder, QUERY, at_least=90)


def test_the_same_cohort_comes_of_its_own_header(finder, tmp_path):
    made = gather(finder, QUERY + ", over 60", at_least=0.1)
    (tmp_path / "one.csv").write_text(made.text())
    assert gather_again(finder, tmp_path / "one.csv").text() == made.text()
    assert asked_from(read_header(tmp_path / "one.csv")["reading"]).text == QUERY + ", over 60"


def test_another_archive_is_refused(finder, tmp_path):
    (tmp_path / "one.csv").write_text(gather(finder, QUERY).text())
    with pytest.raises(MismatchError, match="the cohort was made with corpus"):
        gather_again(finder_of(tmp_path, REPORTS[:4]), tmp_path / "one.csv")


@pytest.mark.parametrize("line", ["", "study_id\n", "# {}\n", '# {"kind": "cohort", "version": 9}\n'])
def test_what_is_no_cohort_is_refused(tmp_path, line):
    (tmp_path / "one.csv").write_text(line)
    with pytest.raises(XemplarError, match="cohort"):
        read_header(tmp_path / "one.csv")


def test_a_query_that_names_nothing_defines_no_cohort(finder):
    with pytest.raises(XemplarError, match="defines no cohort"):
        gather(finder, "zebra")


def test_what_is_handed_on_has_no_id_and_no_word(finder, tmp_path):
    made = gather(finder, QUERY)
    assert write_deidentified(made, finder.retriever.corpus, tmp_path / "out") == 2
    text = (tmp_path / "out" / "cohort.csv").read_text()
    for study in finder.retriever.corpus.studies:
        kept = (study.study_id, study.patient_id, study.facets["ward"], study.text, study.views[0].view_id)
        assert not any(one in text for one in kept)
    assert "Small left" not in text and finder.retriever.corpus.fingerprint not in text
    rows = rows_of(text)
    assert {row["age"] for row in rows} == {"70-79", "90+"} and {row["sex"] for row in rows} == {"F"}
    assert json.loads(text.splitlines()[0].removeprefix("# "))["deidentified"] is True


def test_what_is_handed_on_tells_probabilities_in_tenths(tmp_path):
    finder = finder_of(tmp_path, [("Left pleural effusion.", "40")], wards=("a",))
    write_deidentified(cohort := gather(finder, "left effusion"), finder.retriever.corpus, tmp_path / "out")
    exact = cohort.rows[0]["probability"]
    text = (tmp_path / "out" / "cohort.csv").read_text()
    assert len(exact) == 6 and exact not in text and f",{exact[:3]}," in text


@pytest.mark.parametrize(
    ("query", "facets", "secret"),
    [
        ("left effusion", {"ward": "secret 0"}, "secret 0"),
        ('left effusion, ward="secret 0"', {}, "secret 0"),
        ("left effusion, ward=SECRET0", {}, "secret0"),
        ("left effusion of Secret 0, after the crash", {"ward": "secret 0"}, "secret 0"),
        ("left effusion, age=95", {}, "95"),
        ("left effusion, over 93", {}, "94"),
        ("left effusion, over 93", {}, "93"),
    ],
)
def test_what_is_handed_on_tells_no_filter_that_points_at_a_patient(tmp_path, query, facets, secret):
    reports = [("Left pleural effusion.", age) for age in ("95", "40", "41")]
    finder = finder_of(tmp_path, reports, wards=("secret 0", "secret0", "secret 2"))
    write_deidentified(gather(finder, query, facets=facets), finder.retriever.corpus, tmp_path / "out")
    text = (tmp_path / "out" / "cohort.csv").read_text()
    assert secret not in text.lower() and "(withheld)" in text


@pytest.mark.parametrize(
    ("query", "facets", "secret"),
    [
        ("left effusion at age 43", {}, "43"),
        ("left effusion in a 43-year-old", {}, "43"),
        ("left effusion, 43 f", {}, "43"),
        ("left effusion", {"age": "43"}, "43"),
        ("left effusion, aged 43 to 49", {}, "43"),
        ("left effusion, aged 40 to 44", {}, "44"),
        ("left effusion, at least 43 years old", {}, "43"),
        ("left effusion, over 42 years old", {}, "4[23]"),
        ("left effusion, under 44 years old", {}, "4[34]"),
        ("left effusion, at most 50 years old", {}, "50"),
        ("left effusion, not over 50", {}, "50"),
        ("left effusion, not over 50s", {}, "50"),
        ("left effusion, age!=44-49", {}, "44"),
        ("left effusion, age!=41-49", {}, "41"),
    ],
)
def test_what_is_handed_on_tells_no_age_within_a_band(tmp_path, query, facets, secret):
    reports = [("Left pleural effusion.", age) for age in ("43", "43", "50", "61")]
    finder = finder_of(tmp_path, reports)
    cohort = gather(finder, query, facets=facets)
    write_deidentified(cohort, finder.retriever.corpus, tmp_path / "out")
    text = (tmp_path / "out" / "cohort.csv").read_text()
    header = text.splitlines()[0]
    assert re.search(secret, json.dumps(cohort.header["reading"]))
    told = [json.loads(header.removeprefix("# "))[name] for name in ("query", "reading", "excluded")]
    assert not re.search(secret, json.dumps(told)) and "(withheld)" in header


@pytest.mark.parametrize(
    "query", ["aged 40 to 49", "in their 40s", "under 50", "at least 40 years old", "over 40"]
)
def test_what_is_handed_on_tells_ages_of_whole_bands(tmp_path, query):
    finder = finder_of(tmp_path, [("Left pleural effusion.", "43")])
    cohort = gather(finder, f"left effusion, {query}")
    write_deidentified(cohort, finder.retriever.corpus, tmp_path / "out")
    text = (tmp_path / "out" / "cohort.csv").read_text()
    assert cohort.header["reading"]["filters"] and query in text and "(withheld)" not in text


def test_what_is_handed_on_tells_the_filters_that_the_rows_tell(finder, tmp_path):
    made = gather(finder, "left effusion in women over 60")
    write_deidentified(made, finder.retriever.corpus, tmp_path / "out")
    text = (tmp_path / "out" / "cohort.csv").read_text()
    assert "left effusion in women over 60" in text and "not age from 61" in text


def test_its_previews_are_the_archives(finder, tmp_path):
    made, corpus = gather(finder, "left effusion, age=95"), finder.retriever.corpus
    write_deidentified(made, corpus, tmp_path)
    pixels = corpus.preview_pixels([made.studies[0].views[0].view_id])[0]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "previews" / "case-00001-1.png")), pixels)
    with pytest.raises(XemplarError, match="the folder holds other files"):
        write_deidentified(made, corpus, tmp_path)


def test_a_cohort_says_what_it_is_not_for_and_one_that_only_excludes_has_no_probability(finder):
    made = gather(finder, "no pneumothorax")
    assert made.header["status"] == NOTICE
    assert made.rows and {row["probability"] for row in made.rows} == {""}
    with pytest.raises(XemplarError, match="wants no finding, and so has none"):
        gather(finder, "no pneumothorax", at_least=0.5)


SEVERAL = [
    ("Small right pleural effusion. No left pleural effusion.", "60"),
    ("Moderate right pleural effusion.", "60"),
    ("Bilateral pleural effusions.", "60"),
    ("Possible right pleural effusion.", "60"),
    ("There is a left chest tube.", "60"),
    ("There is a cardiac pacemaker with two leads. The heart is normal in size.", "60"),
    ("Old fracture of the left clavicle. Nodule in the right lung.", "60"),
    ("Old left rib fracture.", "60"),
    ("There is apical scarring. No pneumothorax.", "60"),
    ("Right lower lobe opacity. A mass in the left lung.", "60"),
    ("The lungs are clear.", "60"),
    ("There is a chest tube in the left hemithorax. There is a cardiac pacemaker with two leads.", "60"),
]
HELD = [
    ("right effusion without left effusion", [0, 1]),
    ("right effusion, no large effusion", [0, 1]),
    ("right effusion", [0, 1, 2]),
    ("possible effusion", [3]),
    ("chest tube", [4, 11]),
    ("pacemaker", [5, 11]),
    ("clavicle fracture", [6]),
    ("rib fracture", [7]),
    ("scarring", [8]),
    ("lung mass", [9]),
    ("nodule", [6]),
    ("no chest tube", [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]),
    ("right effusion, no chest tube", [0, 1, 2]),
    ("chest tube or pacemaker", [4, 5, 11]),
    ("chest tube and pacemaker", [11]),
    ("pacemaker, chest tube", [11]),
    ("pacemaker or chest tube, no rib fracture", [4, 5, 11]),
    ("pacemaker without chest tube", [5]),
    ("pacemaker or defibrillator, no chest tube", [5]),
    ("vertebral compression fracture", []),
    ("scarring or left effusion", [2, 8]),
    ("clavicle fracture or lung mass", [6, 9]),
    ("no scarring, no left effusion", [0, 1, 3, 4, 5, 6, 7, 9, 10, 11]),
]


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    return finder_of(tmp_path_factory.mktemp("several"), SEVERAL)


@pytest.mark.parametrize(("query", "who"), HELD)
def test_a_cohort_is_held_to_what_was_asked_and_no_row_states_what_is_excluded(several, query, who):
    made = gather(several, query)
    assert sorted(study.text for study in made.studies) == sorted(SEVERAL[n][0] for n in who)
    for row in made.rows:
        for name, says in row.items():
            if name.endswith(": says") and name.startswith("with "):
                assert says == ("uncertain" if "possible" in query else "stated")
            assert not (name.startswith("without ") and says in ("stated", "uncertain"))


def test_what_a_cohort_is_held_to_and_what_only_ranks_is_told(several):
    header = gather(several, "loculated right effusion, no chest tube").header
    assert header["held_to"] == ["with Pleural Effusion (right)", "without Support Devices [chest tube]"]
    assert header["notes"] == ['no report is held to "loculated": words only rank']
    assert header["excluded"]["states Support Devices [chest tube]"] == 2


@pytest.mark.parametrize("sign", "=+@")
def test_a_sentence_that_looks_like_a_formula_is_quoted_as_it_stands(tmp_path, sign):
    said = f"{sign} Left pleural effusion."
    finder = finder_of(tmp_path, [(said, "70")], wards=["=1+1"])
    made = gather(finder, "left effusion")
    (tmp_path / "one.csv").write_text(made.text())
    row = rows_of(made.text())[0]
    assert row["with Pleural Effusion (left): text"] == said and row["ward"] == "=1+1"
    assert gather_again(finder, tmp_path / "one.csv").text() == made.text()


def test_what_is_left_out_of_a_reading_is_told_in_the_header(several):
    header = gather(several, "right effusion, worsening, no azygos lobe").header
    assert header["notes"] == [
        '"no azygos lobe" is not understood and left out',
        'no report is held to "worsening": words only rank',
    ]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("elderly with effusion", '"elderly" looks like an age'),
        ("effusion in children", '"children" looks like an age'),
        ("effusion in 2020", '"2020" looks like a date'),
        ("effusion, 3/14/2019", '"2019" looks like a date'),
        ("effusion, ICU patients", '"icu" looks like where a patient is'),
        ("effusion, portable", '"portable" looks like how a film is taken'),
        ("effusion, RLL", '"right lower lobe" is no finding\'s'),
        ("effusion in women, apex", '"apex" is no finding\'s'),
    ],
)
def test_what_looks_like_a_filter_and_is_none_is_refused(several, query, told):
    with pytest.raises(XemplarError, match=told):
        gather(several, query)


def test_a_reading_by_hand_says_itself_which_words_rank(several):
    made = gather(several, Asked("", wanted=(Term("Pleural Effusion"),), words=("elderly",)))
    assert made.rows and 'no report is held to "elderly": words only rank' in made.header["notes"]


def test_an_age_is_refused_where_no_study_tells_one(tmp_path):
    corpus = corpus_of([arrival(0, patient="p", findings="Left pleural effusion.")], tmp_path / "corpus")
    index = build_index(corpus, HashEncoder(), tmp_path / "index", parts=SPLITS)
    with pytest.raises(XemplarError, match="no study here says its age: age from 61 would filter nothing"):
        gather(Finder(Retriever(corpus, index, HashEncoder())), "effusion, over 60")


def test_no_two_columns_have_one_name(several):
    reading = Asked("", wanted=(Term("Pleural Effusion"), Term("Pleural Effusion")))
    columns = gather(several, reading).columns
    assert len(set(columns)) == len(columns) and "with Pleural Effusion (2): says" in columns


def test_a_file_whose_rows_are_not_those_gathered_is_refused(finder, tmp_path):
    made = gather(finder, QUERY)
    header = {**made.header, "rows": "of others", "xemplar": "0.0"}
    (tmp_path / "one.csv").write_text(csv_of(header, made.columns, made.rows))
    with pytest.raises(
        MismatchError, match=r"has other rows here; wanted those of the file .* by xemplar 0\.0"
    ):
        gather_again(finder, tmp_path / "one.csv")


def test_weights_of_another_lexicon_tell_no_probability(finder, monkeypatch):
    assert shipped().stale is None
    monkeypatch.setattr("xemplar.retrieval.worth.lexicon_version", lambda: "another")
    stale = shipped.__wrapped__()
    assert stale.cut_off is None and "another version of the findings engine" in stale.stale
    other = Finder(finder.retriever, worth=stale)
    made = gather(other, QUERY)
    assert {row["probability"] for row in made.rows} == {""}
    assert any("another version of the findings engine" in note for note in made.header["notes"])
    with pytest.raises(XemplarError, match="no probability"):
        gather(other, QUERY, at_least=0.5)
