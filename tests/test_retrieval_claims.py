"""What reports claim, as a third stage of a text's search: worth by hand, silence, ties, time."""

import math
import time

import numpy as np
import pytest

from handmade import HashEncoder, Pattern, TableEncoder, arrival, corpus_of
from xemplar.findings import read_claims
from xemplar.index import build_index
from xemplar.records import Claim
from xemplar.retrieval import ClaimIndex, ClaimWeights, Leave, Retriever, claims_in
from xemplar.retrieval import retriever as stages

SPLITS = ("train", "val", "test")
PLAIN = ClaimWeights(denial=0.5, contradiction=0.5, doubt=0.5, detail=0.2, length=0.0)
EFFUSION, HERNIA = "Pleural Effusion", "Hernia"


def claim(finding, presence="present", **details):
    return Claim(finding, presence, **details)


def scores(asked, reports, weights=PLAIN):
    return ClaimIndex(reports, weights).scores(asked).tolist()


def retriever_of(texts, folder, encoder=None, **fields):
    arrivals = [arrival(n, findings=text, **fields) for n, text in enumerate(texts)]
    corpus = corpus_of(arrivals, folder / "corpus", segment_size=500)
    encoder = encoder or HashEncoder()
    return Retriever(corpus, build_index(corpus, encoder, folder / "index", parts=SPLITS), encoder)


# --- what agreement is worth, by hand


def test_agreement_and_contradiction():
    reports = [[claim(EFFUSION)], [claim(EFFUSION, "uncertain")], [claim(EFFUSION, "absent")], []]
    sure, denied = math.log(1 + 4 / 3), 0.5 * math.log(1 + 4 / 2)
    assert scores([claim(EFFUSION)], reports) == pytest.approx([sure, sure / 2, -sure / 2, 0])
    assert scores([claim(EFFUSION, "uncertain")], reports) == pytest.approx([sure / 2, sure, -sure / 4, 0])
    assert scores([claim(EFFUSION, "absent")], reports) == pytest.approx(
        [-denied / 2, -denied / 4, denied, 0]
    )


def test_rare_findings_weigh_more():
    reports = [[claim(EFFUSION)]] * 5 + [[claim(HERNIA)]]
    found = scores([claim(EFFUSION), claim(HERNIA)], reports)
    assert found[5] > found[0] > 0


@pytest.mark.parametrize(
    ("detail", "same", "other"),
    [("side", "left", "right"), ("degree", "small", "large"), ("place", "base", "apex")],
)
def test_details_count_a_little(detail, same, other):
    reports = [[claim(EFFUSION, **({detail: value} if value else {}))] for value in (same, None, other)]
    reports.append([claim(HERNIA)])
    found = scores([claim(EFFUSION, **{detail: same})], reports)
    sure = math.log(1 + 4 / 4)
    assert found == pytest.approx([1.2 * sure, sure, 0.8 * sure, 0])


def test_both_sides_have_a_left_one():
    reports = [[claim(EFFUSION, side=side)] for side in ("bilateral", "left", "right")]
    left, both = (scores([claim(EFFUSION, side=side)], reports) for side in ("left", "bilateral"))
    assert left[0] == left[1] > left[2] > 0
    assert both[0] > both[1] == both[2] > 0


def test_the_side_of_what_is_denied_is_none():
    reports = [[claim(EFFUSION, side="left")], [claim(EFFUSION, side="right")]]
    found = scores([claim(EFFUSION, "absent", side="left")], reports)
    assert found[0] == found[1] < 0


def test_a_report_that_asserts_and_denies_asserts():
    both = [claim(EFFUSION, side="left"), claim(EFFUSION, "absent", side="right")]
    reports = [both, [claim(EFFUSION, side="left")]]
    found = scores([claim(EFFUSION, side="left")], reports)
    assert found[0] == found[1] > 0


def test_who_claims_much_else_is_held_back():
    reports = [[claim(EFFUSION)], [claim(EFFUSION), claim(HERNIA)], []]
    level, held = (scores([claim(EFFUSION)], reports, ClaimWeights(length=length)) for length in (0.0, 1.0))
    assert level[0] == level[1] and held[0] > held[1] > 0
    assert held[0] == pytest.approx(1)  # the cosine of a report with itself


def test_equal_claims_are_a_tie_in_whatever_order():
    own = [claim(name, side=side) for name in (EFFUSION, HERNIA, "Fracture") for side in ("left", "right")]
    found = scores(own, [own, own[::-1], [*own[3:], *own[:3]]], ClaimWeights())
    assert len(set(found)) == 1


@pytest.mark.parametrize("reports", [[], [[], []]])
def test_nobody_claims_anything(reports):
    index = ClaimIndex(reports)
    assert not index and index.scores([claim(EFFUSION)]).tolist() == [0.0] * len(reports)


def test_a_text_is_read_sentence_by_sentence():
    said = claims_in("1. Small left effusion. No pneumothorax.\nKein Erguss. Small left effusion.")
    sentences = ("Small left effusion.", "No pneumothorax.")
    assert [one.meaning for one in said] == [one.meaning for text in sentences for one in read_claims(text)]


# --- within a search


TEXTS = ("Large left pleural effusion.", "Small right pleural effusion.", "No pleural effusion.", "A zebra.")


@pytest.mark.parametrize("kind", ["report", "image"])
def test_claims_are_told_apart_from_words(tmp_path, kind):
    hits = retriever_of(TEXTS, tmp_path).search("fluid in the left pleural space, large", kind, 4)
    by_claims = {hit.text: hit.scores["claims"] for hit in hits if "claims" in hit.scores}
    assert list(sorted(by_claims, key=by_claims.get, reverse=True)) == list(TEXTS[:2])
    assert hits[0].text == TEXTS[0]


def test_three_stages_are_fused_by_reciprocal_rank(tmp_path):
    query = "effusion on the left"
    table = {query: [1, 0], TEXTS[3]: [1, 0], TEXTS[2]: [1, 1], TEXTS[1]: [0.5, 1], TEXTS[0]: [0, 1]}
    hits = retriever_of(TEXTS, tmp_path, TableEncoder(table)).search(query, "report", 4)
    found = {hit.text: hit for hit in hits}
    words = sorted((hit.scores["words"] for hit in hits if "words" in hit.scores), reverse=True)
    for place, text in enumerate((TEXTS[3], TEXTS[2], TEXTS[1], TEXTS[0]), start=1):
        wanted, own = 1 / (60 + place), found[text].scores
        if "words" in own:
            wanted += 1 / (60 + sum(score >= own["words"] for score in words))
        wanted += {TEXTS[0]: 1 / 61, TEXTS[1]: 1 / 62}.get(text, 0)
        assert found[text].score == pytest.approx(wanted)


@pytest.mark.parametrize("query", ["zebra", "?", "the film of a zebra", "Kein Pleuraerguss links."])
@pytest.mark.parametrize("kind", ["report", "image", "sentence"])
def test_what_claims_nothing_is_answered_as_without_claims(tmp_path, monkeypatch, query, kind):
    assert claims_in(query) == ()
    retriever = retriever_of((*TEXTS, "Kein Pneumothorax rechts."), tmp_path)
    hits = retriever.search(query, kind, 5)
    monkeypatch.setattr(Retriever, "_by_claims", lambda *_: [])
    assert hits == retriever.search(query, kind, 5)
    assert not any("claims" in hit.scores for hit in hits)


def test_sentences_are_found_by_vectors_alone(tmp_path):
    for hit in retriever_of(TEXTS, tmp_path).search("left effusion", "sentence", 4):
        assert set(hit.scores) == {"vectors"}


def test_a_left_out_study_has_no_rank(tmp_path):
    retriever = retriever_of(TEXTS, tmp_path)
    first = retriever.corpus.studies[0]
    hits = retriever.search(TEXTS[0], "report", 4, leave=Leave(first.study_id))
    assert first.text not in {hit.text for hit in hits}
    assert [hit.text for hit in hits if "claims" in hit.scores] == [TEXTS[1]]


def test_equal_claims_share_their_worst_rank_and_too_many_have_none(tmp_path, monkeypatch):
    # 130 say the same, deeper than a search looks; one says it with its side.
    texts = [*(f"There is a pleural effusion, {n}." for n in range(130)), "Left pleural effusion."]
    retriever = retriever_of(texts, tmp_path, images=[])
    asked = stages._Asked(retriever.items("report"), 1, Leave())
    found = retriever._by_claims("left pleural effusion", asked)
    assert len(found) == 131 and len({score for _, score in found}) == 2
    monkeypatch.setattr(stages, "_WIDEST", 120)
    assert [retriever.items("report").study_ids[row][0] for row, _ in retriever._by_claims(
        "left pleural effusion", asked
    )] == [retriever.corpus.studies[130].study_id]  # fmt: skip


def test_captions_claim_nothing(tmp_path):
    arrivals = [arrival(n, impression=text, images=[Pattern(n)]) for n, text in enumerate(TEXTS)]
    corpus = corpus_of(arrivals, tmp_path / "corpus", texts="captions")
    retriever = Retriever(
        corpus, build_index(corpus, HashEncoder(), tmp_path / "index", parts=SPLITS), HashEncoder()
    )
    assert not retriever.claims
    assert not any("claims" in hit.scores for hit in retriever.search("left effusion", "report", 4))


def test_a_hundred_thousand_reports_are_quick():
    rng = np.random.default_rng(0)
    names = [f"finding {n}" for n in range(40)]
    kinds = [[claim(name, "absent"), claim(name, side="left"), claim(name, degree="mild")] for name in names]
    drawn = rng.integers(0, 3, (2000, 8)), rng.integers(0, 40, (2000, 8))
    reports = [[kinds[f][k] for k, f in zip(*row, strict=True)] for row in zip(*drawn, strict=True)] * 50
    index = ClaimIndex(reports)
    took = []
    for row in range(5):
        began = time.process_time()
        index.scores(reports[row])
        took.append(time.process_time() - began)
    assert min(took) < 0.1
