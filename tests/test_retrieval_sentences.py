"""What each report says of a term, by hand: tiers, sides, places, degrees, words, and what is left out."""

import pytest

from xemplar.findings import read_claims
from xemplar.records import Sentence
from xemplar.retrieval import read_query
from xemplar.retrieval.by_sentences import SentenceTable

STATUS = ("denied", "unmentioned", "uncertain", "stated")


def table(*reports):
    """One report a list of sentences."""
    texts = {}
    for n, sentences in enumerate(reports):
        for text in sentences:
            texts.setdefault(text, []).append(str(n))
    held = [Sentence(text, text, tuple(ids), read_claims(text)) for text, ids in texts.items()]
    return SentenceTable(held, [str(n) for n in range(len(reports))])


def status(query, *reports):
    said = table(*reports).says(read_query(query).wanted[0])
    return [STATUS[one] for one in said.status]


def details(query, *reports):
    return table(*reports).says(read_query(query).wanted[0]).details.round(3).tolist()


def without(query, *reports):
    return [STATUS[one] for one in table(*reports).excluded(read_query(query).unwanted[0])]


def test_the_best_sentence_counts():
    reports = (
        ["No pleural effusion."], ["Small effusion."], ["Possible effusion."], ["Clear lungs."],
        ["No right effusion.", "Small left effusion."],
    )  # fmt: skip
    assert status("effusion", *reports) == ["denied", "stated", "uncertain", "unmentioned", "stated"]


def test_a_denial_of_the_other_side_denies_nothing():
    assert status("left effusion", ["No right effusion."], ["No effusion."], ["No left effusion."]) == [
        "unmentioned", "denied", "denied",
    ]  # fmt: skip


def test_details_are_the_same_near_silent_or_others():
    reports = (["Left effusion."], ["Bilateral effusions."], ["Effusion."], ["Right effusion."])
    assert details("left effusion", *reports) == [1, 1, pytest.approx(1 / 3, abs=1e-3), 0]
    near = details("atelectasis at the left base", ["Left lower lobe atelectasis."])
    assert near == [pytest.approx(5 / 6, abs=1e-3)]
    assert details("moderate or large effusion", ["Large effusion."], ["Small effusion."]) == [1, 0]


def test_a_left_and_a_right_one_are_two_sided():
    assert details("bilateral effusions", ["Left effusion.", "Right effusion."], ["Left effusion."]) == [1, 0]


def test_words_that_name_it_count_in_the_sentence_that_answers():
    said = table(["Rib fracture."], ["Old fracture of the clavicle.", "The ribs are normal."]).says(
        read_query("rib fracture").wanted[0]
    )
    assert said.words[0] == 1 and 0 < said.words[1] < 1


def test_what_is_not_to_be_there():
    reports = (["Small effusion."], ["No effusion."], ["Possible effusion."], ["Clear lungs."])
    assert without("nodule without effusion", *reports) == ["stated", "denied", "uncertain", "unmentioned"]


def test_what_is_excluded_on_one_side_is_stated_only_there():
    reports = (["Left effusion."], ["Right effusion."], ["Effusion."], ["Bilateral effusions."])
    assert without("nodule without left effusion", *reports) == [
        "stated",
        "unmentioned",
        "uncertain",
        "stated",
    ]


def test_words_of_a_report_by_their_rarity():
    found = table(["Azygos lobe."], ["The lower lobe."], ["Heart."]).holds(("azygos", "lobes"))
    assert found[0] == 1 and 0 < found[1] < 0.5 and found[2] == 0


def test_findings_that_are_stated_or_doubted_are_counted():
    one = table(
        ["Small effusion.", "No pneumothorax."], ["No effusion."], ["Possible edema.", "Cardiomegaly."]
    )
    assert one.positive().tolist() == [1, 0, 2]
    assert one.positive(["Cardiomegaly"]).tolist() == [1, 0, 1]
