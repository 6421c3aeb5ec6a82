"""X-REM's stages over archives made by hand: who is near, who matches, who stays, and who wrote it."""

import numpy as np
import pytest

from xemplar.assembly import Assembly
from xemplar.contracts import Matches
from xemplar.drafting.judges import ByVerdict, ClaimJudge, Everything
from xemplar.drafting.policies.case import Case
from xemplar.drafting.policies.consistent import Consistent
from xemplar.report import text_key
from xemplar.retrieval import NOBODY, Retriever

STUDIES = [
    ("p0", "Small left pleural effusion. No pneumothorax."),
    ("p1", "Left pleural effusion."),
    ("p2", "No pleural effusion."),
    ("p3", "Mild cardiomegaly."),
    ("p4", "SMALL left pleural effusion.  No pneumothorax."),
    ("p5", "Acute rib fracture. No pneumothorax."),
    ("p0", "Moderate pulmonary edema."),
]


class States:
    """Texts as they are."""

    def __init__(self, texts):
        self.texts = texts

    def __len__(self):
        return len(self.texts)

    def take(self, rows):
        return States([self.texts[row] for row in rows])


class ByTable:
    """A matcher whose score is told of each text; remembers what it was asked."""

    def __init__(self, scores=None):
        self.scores, self.prepared, self.asked = scores or {}, [], []

    def prepare(self, texts):
        self.prepared.append(list(texts))
        return States(list(texts))

    def match(self, images, states, *, explain=False):
        self.asked.append(states.texts)
        rows = [[self.scores.get(text, 0.0) + place for text in states.texts] for place in range(len(images))]
        return Matches(np.array(rows, np.float32))


class Plain(ByTable):
    """One whose prepared texts can't be chosen from."""

    def prepare(self, texts):
        self.prepared.append(list(texts))
        states = States(list(texts))
        return type("Whole", (), {"__len__": States.__len__, "texts": states.texts})()


@pytest.fixture
def retriever(archive_of):
    corpus, index, encoder = archive_of(STUDIES)
    return Retriever(corpus, index, encoder)


def case_of(retriever, study, *, leave=None, films=1):
    views = [retriever.corpus.film(study, view) for view in study.views] * films
    vector = retriever.vectors_of([views])[0]
    return Case(views, vector, retriever.leave_of(views) if leave is None else leave)


def study_of(retriever, text):
    return next(study for study in retriever.corpus.studies if study.findings == text)


def made(retriever, by=None, matcher=None, **assembly):
    settings = Assembly(policy="consistent", unit="report", **assembly)
    return Consistent(retriever, settings, by or Everything(), matcher=matcher)


def asking(retriever):
    return case_of(retriever, study_of(retriever, STUDIES[3][1]), leave=NOBODY)


def test_equal_reports_are_one_candidate(retriever):
    keys = [text_key(hit.text) for hit in made(retriever, keep=50).candidates(asking(retriever))]
    assert len(keys) == len(set(keys)) == 6


def test_without_a_matcher_cosine_orders(retriever):
    case = asking(retriever)
    found = made(retriever, keep=4).candidates(case)
    every = retriever.search(case.films, "report", 50, leave=NOBODY)
    best = {}
    for hit in sorted(every, key=lambda hit: -hit.score):
        best.setdefault(text_key(hit.text), hit.score)
    assert [hit.score for hit in found] == list(best.values())[:4]


def test_the_matcher_orders_those_near_and_no_others(retriever):
    case, texts = asking(retriever), [" ".join(text.split()) for _, text in STUDIES]
    matcher = ByTable({text: float(10 * place) for place, text in enumerate(texts)})
    found = made(retriever, matcher=matcher, first=4, keep=2).candidates(case)
    near = [text_key(hit.text) for hit in made(retriever, keep=4).candidates(case)]
    assert {text_key(text) for text in matcher.asked[0]} == set(near)
    best = sorted(matcher.asked[0], key=matcher.scores.get, reverse=True)[:2]
    assert [text_key(hit.text) for hit in found] == [text_key(text) for text in best]
    assert all(hit.scores["matcher"] == hit.score for hit in found)


def test_texts_are_prepared_once_for_all_queries(retriever):
    matcher = ByTable()
    drafter = made(retriever, matcher=matcher)
    drafter.drafts([asking(retriever)] * 3)
    drafter.drafts([asking(retriever)])
    assert len(matcher.prepared) == 1
    assert sorted(text_key(text) for text in matcher.prepared[0]) == sorted({text_key(t) for _, t in STUDIES})


def test_a_matcher_without_choice_is_asked_for_those_near(retriever):
    one, other = ByTable({STUDIES[5][1]: 9.0}), Plain({STUDIES[5][1]: 9.0})
    case = asking(retriever)
    found = [made(retriever, matcher=matcher, first=3).candidates(case) for matcher in (one, other)]
    assert found[0] == found[1]


def test_several_films_are_averaged(retriever):
    study = study_of(retriever, STUDIES[3][1])
    matcher = ByTable({STUDIES[5][1]: 9.0})
    found = made(retriever, matcher=matcher).candidates(case_of(retriever, study, leave=NOBODY, films=3))
    assert {hit.score for hit in found} == {1.0, 10.0}


def test_what_is_entailed_or_contradicted_is_left_out(retriever):
    """Best by the matcher: effusion; then what it entails, what it contradicts, what is new."""
    order = [STUDIES[0][1], STUDIES[1][1], STUDIES[2][1], STUDIES[3][1], STUDIES[5][1]]
    scores = {text: 20.0 - place for place, text in enumerate(order)}
    scores[" ".join(STUDIES[4][1].split())] = scores[order[0]]
    drafter = made(retriever, ByVerdict(ClaimJudge(), "rules"), ByTable(scores), count=2)
    lines = drafter.drafts([asking(retriever)])[0].lines
    texts = [line.text.lower() for line in lines]
    assert texts == ["small left pleural effusion.", "no pneumothorax.", "mild cardiomegaly."]


def test_each_line_quotes_its_source_with_both_scores(retriever):
    matcher = ByTable({STUDIES[5][1]: 9.0})
    drafter = made(retriever, matcher=matcher, count=1)
    lines = drafter.drafts([asking(retriever)])[0].lines
    study = study_of(retriever, STUDIES[5][1])
    assert [line.text for line in lines] == ["Acute rib fracture.", "No pneumothorax."]
    assert all(line.source_study_ids[0] == study.study_id for line in lines)
    assert len(lines[1].source_study_ids) == 3
    assert all(line.scores.keys() == {"cosine", "matcher"} for line in lines)
    assert all(line.scores["matcher"] == 9.0 and line.confidence is None for line in lines)


def test_a_sentence_of_two_reports_is_said_once(retriever):
    lines = made(retriever, count=50, keep=50).drafts([asking(retriever)])[0].lines
    assert len({line.sentence_id for line in lines}) == len(lines) == 7


def test_own_study_and_patient_are_left_out(retriever):
    study = study_of(retriever, STUDIES[0][1])
    found = made(retriever, keep=50).candidates(case_of(retriever, study))
    own = {one.study_id for one in retriever.corpus.studies if one.patient_id == study.patient_id}
    assert len(own) == 2
    assert not own & {name for hit in found for name in hit.study_ids}
    lines = made(retriever, count=50, keep=50).drafts([case_of(retriever, study)])[0].lines
    assert not own & {name for line in lines for name in line.source_study_ids}


def test_a_case_has_one_answer_alone_or_among_others(retriever):
    cases = [case_of(retriever, study) for study in retriever.corpus.studies]
    drafter = made(retriever, ByVerdict(ClaimJudge(), "rules"), ByTable({STUDIES[3][1]: 2.0}))
    assert drafter.drafts(cases) == [drafter.drafts([case])[0] for case in cases]


def test_an_archive_where_nobody_is_left_says_nothing(archive_of):
    corpus, index, encoder = archive_of([("p0", "Mild cardiomegaly."), ("p0", "Clear lungs.")])
    retriever = Retriever(corpus, index, encoder)
    drafter = made(retriever, matcher=ByTable())
    assert drafter.drafts([case_of(retriever, corpus.studies[0])])[0].lines == ()


def test_the_policy_names_every_stage(retriever):
    by = ByVerdict(ClaimJudge(), "radnli 1a2b")
    assert made(retriever, by, ByTable(), count=2, keep=10, first=50).policy == (
        "up to 2 whole reports of 10 of 50 by matcher, judged by radnli 1a2b, v1"
    )
    assert "by cosine alone, judged by nobody" in made(retriever).policy


def test_texts_prepared_in_a_folder_are_found_again(retriever, tmp_path):
    torch = pytest.importorskip("torch")
    from xemplar.models.config import MatcherConfig
    from xemplar.models.matcher import MatcherNet
    from xemplar.models.matching import TorchMatcher
    from xemplar.models.tokenizer import train_wordpiece

    words = train_wordpiece([text for _, text in STUDIES], 200)
    config = MatcherConfig.model_validate({
        "image": {"input_size": 32, "patch": 16, "channels": 1, "width": 8, "depth": 1, "heads": 2},
        "text": {"vocabulary": len(words), "width": 8, "layers": 2, "fusion": 1, "heads": 2, "inner": 8,
                 "positions": 32, "max_tokens": 32, "cls_token": 2, "sep_token": 3, "mask_token": 4},
        "dim": 4, "queue": 4,
    })  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = MatcherNet(config)
    matcher = TorchMatcher(net, words, {"files": {}, "domain": "synthetic", "preview_fingerprint": None})
    settings = Assembly(policy="consistent", unit="report")
    case, found, place = asking(retriever), [], tmp_path / "prepared"
    for folder in (None, place, place):
        drafter = Consistent(retriever, settings, Everything(), matcher=matcher, folder=folder)
        found.append(drafter.candidates(case))
        kept = [path.stat().st_mtime_ns for path in sorted(place.rglob("*.npy"))]
    assert found[0] == found[1] == found[2]
    assert len(kept) == 2
    assert isinstance(drafter._states.states, np.memmap)
