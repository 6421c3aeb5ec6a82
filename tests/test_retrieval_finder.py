"""Searches that are read, from end to end on a few reports written by hand."""

from dataclasses import replace

import numpy as np
import pytest

from handmade import HashEncoder, arrival, corpus_of
from xemplar.errors import XemplarError
from xemplar.index import build_index
from xemplar.retrieval import Facets, Finder, Retriever, Term, named
from xemplar.retrieval.worth import PARTS, shipped

SPLITS = ("train", "val", "test")
REPORTS = [
    ("Small left pleural effusion. No pneumothorax.", {"age": "70", "sex": "F"}),
    ("Small left pleural effusion.", {"age": "71", "sex": "M"}),
    ("Left pleural effusion. Left pneumothorax.", {"age": "72", "sex": "F"}),
    ("No pleural effusion. No pneumothorax.", {"age": "40", "sex": "M"}),
    ("Right pleural effusion. No pneumothorax.", {"age": "73", "sex": "F"}),
    ("Azygos lobe. The lungs are clear.", {"age": "30", "sex": "M"}),
    ("Left pleural effusion, azygos lobe.", {"age": "20", "sex": "F"}),
]


@pytest.fixture(scope="module")
def finder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finder")
    arrivals = [arrival(n, findings=text, facets=facets) for n, (text, facets) in enumerate(REPORTS)]
    corpus = corpus_of(arrivals, folder / "corpus")
    return Finder(
        Retriever(corpus, build_index(corpus, HashEncoder(), folder / "index", parts=SPLITS), HashEncoder())
    )


def texts(answer):
    return [one.hit.text for one in answer.found]


def test_what_states_the_excluded_or_denies_the_wanted_is_out_and_counted(finder):
    answer = finder.find("left effusion without pneumothorax")
    assert REPORTS[2][0] not in texts(answer) and REPORTS[3][0] not in texts(answer)
    assert answer.excluded == {"states Pneumothorax": 1, "denies Pleural Effusion (left)": 1}


def test_a_plain_denial_of_the_excluded_ranks_above_silence(finder):
    answer = finder.find(replace(finder.reading("left effusion without pneumothorax"), ranked=""))
    chances = {one.hit.text: one.probability for one in answer.found}
    assert chances[REPORTS[0][0]] > chances[REPORTS[1][0]] > chances[REPORTS[4][0]]


def test_the_span_is_what_the_report_says(finder):
    found = finder.find("left effusion without pneumothorax").found
    one = next(one for one in found if one.hit.text == REPORTS[0][0])
    study, said = finder.retriever.corpus.by_id[one.hit.study_ids[0]], [each for each in one.why if each.span]
    assert [study.text[slice(*each.span)] for each in said] == [each.text for each in said]
    assert [each.text for each in said] == ["Small left pleural effusion.", "No pneumothorax."]
    assert (one.why[0].says, one.why[1].asked) == ("stated", "Pneumothorax")


def test_filters_keep_and_count(finder):
    answer = finder.find("effusion in women over 60")
    assert set(texts(answer)) == {REPORTS[n][0] for n in (0, 2, 4)}
    assert answer.excluded == {"not sex F": 3, "not age from 61": 1}


def test_a_filter_alone_finds_who_has_it_without_a_probability(finder):
    answer = finder.find("women under 30")
    assert texts(answer) == [REPORTS[6][0]] and answer.found[0].probability is None and answer.above is None


def test_what_no_study_says_filters_nothing_in_words_and_is_refused_by_name(finder):
    answer = finder.find("effusion on a lateral film")
    assert "no study here says its view" in str(answer.reading) and len(answer.found) == 5
    with pytest.raises(XemplarError, match="no study has the facet ward"):
        finder.find("ward=7 effusion")
    with pytest.raises(XemplarError, match="no study has sex=X"):
        finder.find("effusion", facets={"sex": "X"})


def test_what_names_no_finding_is_found_by_words_and_vectors(finder):
    answer = finder.find("azygos lobe", 2)
    assert set(texts(answer)) == {REPORTS[5][0], REPORTS[6][0]}
    assert answer.found[0].probability is None and answer.found[0].why[0].says == "words"


def test_another_language_by_words_alone(finder):
    answer = finder.find("Pleuraerguss links ohne Pneumothorax")
    assert all(set(one.hit.scores) == {"words"} for one in answer.found) and answer.found


def test_a_reading_overrides_the_words(finder):
    reading = replace(finder.reading("left effusion"), wanted=(Term("Pleural Effusion", side=("right",)),))
    assert texts(finder.find(reading, 1)) == [REPORTS[4][0]]


def test_an_image_ranks_what_the_words_let_pass(finder):
    corpus = finder.retriever.corpus
    own = next(study for study in corpus.studies if study.text == REPORTS[2][0])
    film = corpus.film(own, own.views[0])
    answer = finder.find("like this, but without pneumothorax", 10, kind="image", like=film)
    near = [one.hit.score for one in answer.found]
    assert near == sorted(near, reverse=True) and own.study_id not in {
        one.hit.study_ids[0] for one in answer.found
    }
    assert answer.excluded == {"states Pneumothorax": 1} and len(answer.found) == 6
    with pytest.raises(XemplarError, match="names no known finding"):
        finder.find("zebra", like=film)


def test_an_image_is_filtered_by_side_too(finder):
    corpus = finder.retriever.corpus
    own = next(study for study in corpus.studies if study.text == REPORTS[2][0])
    answer = finder.find("right effusion", like=corpus.film(own, own.views[0]))
    assert texts(answer) == [REPORTS[4][0]]


def test_images_are_found_for_words(finder):
    hit = finder.find("right effusion", 1, kind="image").found[0].hit
    assert hit.kind == "image" and hit.view_id == hit.item_id and hit.text == REPORTS[4][0]


def test_sentences_are_not_held_against_a_reading(finder):
    with pytest.raises(XemplarError, match="held against whole reports"):
        finder.find("effusion", kind="sentence")
    with pytest.raises(XemplarError, match="k = 0"):
        finder.find("effusion", 0)


def test_the_shipped_weights_favour_what_they_should():
    weights = dict(zip(PARTS, shipped().weights, strict=True))
    met = weights["met"] + weights["met in its words"] + weights["named"] + weights["words"]
    stated = weights["stated"] + weights["terms stated"]
    assert stated + met > weights["uncertain"] > weights["unmentioned"] > 0
    assert weights["denied"] > 0 >= weights["doubted"] and min(met, weights["met"]) > 0


@pytest.mark.parametrize(
    ("query", "meets", "doubts"),
    [
        (
            "cardiomegaly with pulmonary edema",
            "The heart is enlarged. There is interstitial edema.",
            "Cardiomegaly with possible pulmonary edema.",
        ),
        (
            "pleural effusion and pneumothorax",
            "Fluid in the pleural space. Apical pneumothorax.",
            "Possible pleural effusion. Pneumothorax.",
        ),
    ],
)
def test_who_doubts_stands_below_who_states_it_in_other_words(query, meets, doubts, tmp_path):
    corpus = corpus_of(
        [arrival(n, findings=one) for n, one in enumerate((meets, doubts))], tmp_path / "corpus"
    )
    index = build_index(corpus, HashEncoder(), tmp_path / "index", parts=SPLITS)
    found = Finder(Retriever(corpus, index, HashEncoder())).find(query).found
    assert [one.hit.text for one in found] == [meets, doubts]
    assert found[0].probability > found[1].probability


def test_the_higher_the_score_the_higher_the_probability():
    scores, chances = np.array(shipped().knots).T
    assert (np.diff(scores) > 0).all() and (np.diff(chances) >= 0).all()
    assert (np.diff(chances[chances > 0]) > 0).all() and chances[-1] == 1.0


def test_facets_by_name_may_be_an_age_range(finder):
    studies = finder.retriever.corpus.studies
    assert Facets(studies).kept(named({"age": "70-72"})[0]).sum() == 3


def test_a_search_that_only_excludes_puts_plain_denials_first_and_tells_no_probability(finder):
    answer = finder.find("no effusion, without pneumothorax", 20)
    assert answer.reading.unwanted and not answer.reading.wanted
    assert "without a probability" in str(answer.reading)
    assert answer.found[0].hit.text == REPORTS[3][0]
    assert {one.probability for one in answer.found} == {None} and answer.above is None
    assert [one.says for one in answer.found[0].why] == ["denied", "denied"]
    assert answer.excluded == {"states Pleural Effusion": 5}
    assert len(answer.found) == 2
