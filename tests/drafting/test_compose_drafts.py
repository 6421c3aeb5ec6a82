"""Whole drafts: no rule is broken, the choice is the best by trying all, priors, styles, bad input."""

from itertools import combinations

import numpy as np
import pytest

from xemplar.drafting.beliefs import Belief, Limits
from xemplar.drafting.composition import ORDER, Composer
from xemplar.drafting.composition.believed import Believed, agrees
from xemplar.drafting.composition.gathered import NOT_ALONE, Gathered
from xemplar.drafting.composition.order import place_of
from xemplar.findings import FINDINGS, read_claims
from xemplar.index import build_index
from xemplar.report import stands_alone
from xemplar.retrieval import NOBODY, Leave

LIMITS = Limits(state_at=0.5, deny_at=0.1)
VALUES = {
    "side": ("left", "right", "bilateral"),
    "place": ("upper zone", "mid zone", "lower zone", "upper lobe", "lower lobe", "base", "apex"),
    "degree": ("small", "moderate", "large"),
}


class Random:
    """Vectors that know nothing of what they stand for."""

    fingerprint, preview, domain = "random", None, "synthetic"

    def encode_images(self, images):
        return self.encode_texts([""] * len(images))

    def encode_texts(self, texts):
        rows = np.random.default_rng(0).standard_normal((len(texts), 16)).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def drawn(phantom_corpus, tmp_path_factory):
    index = build_index(phantom_corpus, Random(), tmp_path_factory.mktemp("composed") / "i")
    return phantom_corpus, index


def at_random(rng):
    """Beliefs, most of them firm, with details of every kind, and a vector."""
    beliefs = {}
    for name in ORDER:
        details = {kind: {one: float(rng.beta(3, 1)) for one in values} for kind, values in VALUES.items()}
        beliefs[name] = Belief(float(rng.beta(0.4, 0.4)), details)
    vector = rng.standard_normal(16).astype(np.float32)
    return beliefs, vector / np.linalg.norm(vector)


@pytest.mark.parametrize("style", ["findings", "findings+impression", "impression"])
@pytest.mark.parametrize("with_prior", [False, True])
def test_no_draft_breaks_a_rule(drawn, style, with_prior):
    corpus, index = drawn
    composer, rng = Composer(corpus, index, style=style), np.random.default_rng(1)
    by_id = {sentence.sentence_id: sentence for sentence in corpus.sentences}
    seen = compared = 0
    for _ in range(40):
        beliefs, vector = at_random(rng)
        prior = at_random(rng)[0] if with_prior else None
        limits = Limits(float(rng.uniform(0.2, 0.7)), float(rng.uniform(0.02, 0.15)))
        made = composer.compose(vector, beliefs, limits, leave=NOBODY, prior=prior)
        told = [claim.finding for line in made.lines for claim in line.claims]
        assert {*told, *made.silent} == set(ORDER) and not {*told} & set(made.silent)
        believed = Believed(beliefs, prior)
        for section in ("findings", "impression"):
            lines = [line for line in made.lines if line.section == section]
            assert not lines or section in style
            names = [{claim.finding for claim in line.claims} for line in lines]
            assert sum(map(len, names)) == len(set().union(*names)), "a finding is told twice"
            assert [place_of(line.claims) for line in lines] == sorted(
                place_of(line.claims) for line in lines
            )
        long, short = (
            [claim for line in made.lines if line.section == section for claim in line.claims]
            for section in ("findings", "impression")
        )
        assert all(agrees(claim, long) for claim in short)
        for line in made.lines:
            sentence = by_id[line.sentence_id]
            assert line.text == sentence.text[slice(*line.span)]
            assert {c.meaning for c in read_claims(line.text)} == {c.meaning for c in line.claims}
            assert stands_alone(sentence.text) and set(line.source_study_ids) <= set(sentence.study_ids)
            assert line.confidence == min(believed.told(claim).probability for claim in line.claims)
            compares = sentence.compares_with_prior or any(claim.change for claim in line.claims)
            assert with_prior or not compares
            compared += compares
            for claim in line.claims:
                if claim.presence == "present":
                    assert line.confidence >= limits.state_at and limits.may_state(
                        beliefs[claim.finding].presence
                    )
                else:
                    assert limits.may_deny(claim.finding, beliefs[claim.finding].presence)
                if claim.change in ("unchanged", "increased", "decreased", "resolved"):
                    assert limits.may_state(prior[claim.finding].presence)
            seen += 1
    assert seen > 60 and (compared > 0) is with_prior


def test_of_whole_sentences_the_best_are_taken_by_trying_them_all(drawn):
    """Over a few sentences that the rules allow, no set of lines has a better value."""
    corpus, index = drawn
    composer, rng = Composer(corpus, index), np.random.default_rng(2)
    for _ in range(12):
        beliefs, vector = at_random(rng)
        some = {name: beliefs[name] for name in rng.permutation(ORDER)[:5]}
        made = composer.compose(vector, some, LIMITS, leave=NOBODY)
        alone = composer.gather(vector, some, leave=NOBODY)
        allowed = {}
        for quote in composer.shelf.wholes:
            told = [Believed(some).told(claim) for claim in quote.claims]
            firm = all(
                LIMITS.may_state(some[c.finding].presence)
                if c.presence == "present"
                else LIMITS.may_deny(c.finding, some[c.finding].presence)
                for c in quote.claims
                if c.finding in some
            )
            sure = min(one.probability for one in told)
            implied = composer.shelf.mask(
                frozenset(n for n in some if not LIMITS.may_deny(n, some[n].presence))
            )
            if firm and sure >= (LIMITS.state_at if quote.states else 1e-9) and not quote.implies & implied:
                value = alone._value(quote, 0.0)
                allowed[quote.tells] = max(value, allowed.get(quote.tells, value))
        stated = composer.shelf.mask(frozenset(n for n in some if LIMITS.may_state(some[n].presence)))
        best = (0, 0, 0)
        for count in range(len(some) + 1):
            for masks in combinations(allowed, count):
                if sum(masks) == np.bitwise_or.reduce([*masks, 0]):
                    told_bits = sum(masks)
                    key = (
                        (told_bits & stated).bit_count(),
                        told_bits.bit_count(),
                        sum(map(allowed.get, masks)),
                    )
                    best = max(best, key)
        whole = all(line.text == line.sentence_text for line in made.lines)
        value = sum(round(10_000 * line.scores["value"]) for line in made.lines)
        names = {claim.finding for line in made.lines for claim in line.claims}
        mask = composer.shelf.mask(frozenset(names))
        got = (mask & stated).bit_count(), mask.bit_count(), value
        assert got == best if whole else got > best


def test_many_limits_are_asked_of_one_gathering(drawn):
    composer = Composer(*drawn)
    beliefs, vector = at_random(np.random.default_rng(3))
    gathered = composer.gather(vector, beliefs, leave=NOBODY)
    for limits in (Limits(0.3, 0.1), Limits(0.9, 0.01), Limits(0.3, 0.1), Limits(0.3, {"Edema": 0.2})):
        assert gathered.compose(limits) == composer.compose(vector, beliefs, limits, leave=NOBODY)


@pytest.mark.parametrize("state_at", [0.3, 0.95, 1.01])
def test_what_may_be_denied_where_nothing_is_stated_is_asked_once_that_is_known(drawn, monkeypatch, state_at):
    """The draft of all that may be denied, and where that states nothing, the draft of the surest of it."""
    composer, rng = Composer(*drawn), np.random.default_rng(5)
    calls, composed = [], Gathered._composed
    monkeypatch.setattr(Gathered, "_composed", lambda *asked: calls.append(asked) or composed(*asked))
    less = 0
    for _ in range(8):
        beliefs, vector = at_random(rng)
        limits, believed = Limits(state_at, 0.1, normal_wrong=0.02), Believed(beliefs)
        gathered = composer.gather(vector, beliefs, leave=NOBODY)
        calls.clear()
        made = gathered.compose(limits)
        assert len(calls) == 1 or believed.stated(limits)
        stated, denied = believed.stated(limits), believed.denied(limits)
        whole = composed(gathered, limits, stated, denied)
        states = any(claim.presence == "present" for line in whole.lines for claim in line.claims)
        alone = denied if states else believed.denied_alone(denied, limits)
        assert made.lines == composed(gathered, limits, stated, alone).lines
        why = [finding for finding, told in made.silent.items() if told.startswith(NOT_ALONE)]
        assert set(why) == denied - alone
        less += bool(why)
    assert less or state_at < 0.5


# --- by hand


def composed(made, beliefs, *, style="findings", prior=None, limits=LIMITS, leave=NOBODY):
    corpus, index, encoder = made
    composer = Composer(corpus, index, style=style)
    return composer.compose(encoder.encode_texts(["x"])[0], beliefs, limits, leave=leave, prior=prior)


def texts(draft):
    return [line.text for line in draft.lines]


SURE = {kind: dict.fromkeys(values, 1.0) for kind, values in VALUES.items()}
HERE, GONE = Belief(0.9, SURE), Belief(0.02)


def test_the_better_believed_side_is_told(archive_of):
    made = archive_of([("a", "Left pleural effusion."), ("b", "Right pleural effusion.")])
    belief = Belief(0.95, {"side": {"left": 0.2, "right": 0.9}})
    assert texts(composed(made, {"Pleural Effusion": belief})) == ["Right pleural effusion."]


def test_an_unbelieved_side_is_not_told_and_why_is(archive_of):
    made = archive_of([("a", "Left pleural effusion.")])
    draft = composed(made, {"Pleural Effusion": Belief(0.95, {"side": {"left": 0.2}})})
    assert draft.lines == ()
    assert draft.silent == {
        "Pleural Effusion": "present (p = 0.95), but no sentence is as sure of all that it tells: "
        "p = 0.19 at best, stated from 0.50"
    }


def test_what_is_undecided_is_not_spoken_of(archive_of):
    draft = composed(archive_of([("a", "Mild edema.")]), {"Edema": Belief(0.3, SURE)})
    assert draft.silent == {"Edema": "evidence undecided: p = 0.30, stated from 0.50, denied up to 0.10"}


def test_without_a_limit_of_its_own_it_is_never_denied(archive_of):
    draft = composed(archive_of([("a", "No edema.")]), {"Edema": GONE}, limits=Limits(0.5, {}))
    assert draft.silent == {"Edema": "evidence undecided: p = 0.02, stated from 0.50, denied never"}


def test_where_nothing_is_stated_only_so_much_is_denied_as_is_absent_together(archive_of):
    made = archive_of([("a", "No edema."), ("b", "No pneumothorax."), ("c", "Cardiomegaly.")])
    beliefs = {"Edema": Belief(0.04), "Pneumothorax": Belief(0.03)}
    limits = Limits(0.5, 0.1, normal_wrong=0.05)
    draft = composed(made, beliefs, limits=limits)
    assert texts(draft) == ["No pneumothorax."]
    assert draft.silent["Edema"].endswith("the chance that any of all that is absent is there is over 0.05")
    assert len(texts(composed(made, beliefs, limits=Limits(0.5, 0.1, normal_wrong=0.07)))) == 2
    beside = {**beliefs, "Cardiomegaly": HERE}
    assert set(texts(composed(made, beside, limits=limits))) == {
        "Cardiomegaly.", "No edema.", "No pneumothorax.",
    }  # fmt: skip


def test_one_sentence_that_denies_three_things_beats_three(archive_of):
    three = "No consolidation, pleural effusion or pneumothorax."
    made = archive_of(
        [("a", "No consolidation."), ("b", "No pleural effusion."), ("c", "No pneumothorax."), ("d", three)]
    )
    corpus, index, _ = made
    names = ("Consolidation", "Pleural Effusion", "Pneumothorax")
    zero = np.zeros(48, np.float32)
    draft = Composer(corpus, index).compose(zero, dict.fromkeys(names, GONE), LIMITS, leave=NOBODY)
    assert texts(draft) == [three]


def test_clear_lungs_have_nothing_in_them(archive_of):
    made = archive_of([("a", "The lungs are clear."), ("b", "Mild edema.")])
    lungs = {"Consolidation": GONE, "Lung Opacity": GONE}
    assert texts(composed(made, lungs)) == ["The lungs are clear."]
    assert texts(composed(made, {**lungs, "Edema": HERE})) == ["Mild edema."]
    assert texts(composed(made, {**lungs, "Edema": Belief(0.3)})) == []


def test_a_normal_cardiomediastinum_has_no_enlarged_heart(archive_of):
    made = archive_of([("a", "The cardiomediastinal silhouette is normal."), ("b", "The heart is enlarged.")])
    beliefs = {"Enlarged Cardiomediastinum": GONE, "Cardiomegaly": HERE}
    assert texts(composed(made, beliefs)) == ["The heart is enlarged."]
    assert texts(composed(made, {**beliefs, "Cardiomegaly": GONE})) == [
        "The cardiomediastinal silhouette is normal."
    ]


COMPARING = {
    "Edema has increased.": ("increased", "present"),
    "New edema.": ("new", "present"),
    "Unchanged edema.": ("unchanged", "present"),
    "Edema has resolved.": ("resolved", "absent"),
}


@pytest.mark.parametrize("text", COMPARING)
def test_a_sentence_that_compares_needs_a_prior(archive_of, text):
    made = archive_of([("a", text)])
    change, presence = COMPARING[text]
    assert [(c.change, c.presence) for c in read_claims(text)] == [(change, presence)]
    small = Belief(0.9, {"degree": {"small": 0.9, "large": 0.1}})
    large = Belief(0.9, {"degree": {"small": 0.1, "large": 0.9}})
    now = GONE if presence == "absent" else large
    then = {"increased": small, "new": GONE, "unchanged": large, "resolved": large}[change]
    assert texts(composed(made, {"Edema": now})) == []
    assert texts(composed(made, {"Edema": now}, prior={"Edema": then})) == [text]
    against = {"increased": large, "new": large, "unchanged": GONE, "resolved": GONE}[change]
    assert texts(composed(made, {"Edema": now}, prior={"Edema": against})) == []
    assert texts(composed(made, {"Edema": now}, prior={})) == []


def test_what_compares_in_words_that_nobody_read_is_never_quoted(archive_of):
    text = "Interval placement of an endotracheal tube."
    assert [claim.change for claim in read_claims(text)] == [None]
    draft = composed(archive_of([("a", text)]), {"Support Devices": HERE}, prior={"Support Devices": GONE})
    assert draft.lines == ()


def test_an_impression_tells_again_in_short_what_is_there(archive_of):
    made = archive_of(
        [
            ("a", "There is a small pleural effusion on the left side."),
            ("b", "Left effusion."),
            ("c", "No edema."),
        ]
    )
    beliefs = {"Pleural Effusion": HERE, "Edema": GONE}
    both = composed(made, beliefs, style="findings+impression")
    assert [(line.section, line.text) for line in both.lines][-1] == ("impression", "Left effusion.")
    assert [line.section for line in both.lines] == ["findings", "findings", "impression"]
    short = composed(made, beliefs, style="impression")
    assert texts(short) == ["Left effusion."]
    assert short.silent == {"Edema": "absent, and an impression tells what is there"}


def test_an_impression_tells_no_other_degree_or_side_than_the_findings(archive_of):
    """Where both fit what is believed, the shorter sentence would be the better impression."""
    long, short = "There is a small pleural effusion on the left side.", "Moderate left effusion."
    made = archive_of([("a", long), ("b", short), ("c", short), ("d", "Small effusion, left.")])
    degrees = {"small": 1.0, "moderate": 0.95, "large": 0.0}
    belief = Belief(0.99, {"side": {"left": 1.0}, "degree": degrees})
    both = composed(made, {"Pleural Effusion": belief}, style="findings+impression")
    told = {claim.degree for line in both.lines for claim in line.claims}
    assert len(both.lines) == 2 and len(told) == 1


@pytest.mark.parametrize(
    ("said", "again", "agree"),
    [
        ("Small left effusion.", "Left effusion.", True),
        ("Left effusion.", "Small left effusion.", True),
        ("Small left effusion.", "Moderate left effusion.", False),
        ("Left effusion.", "Right effusion.", False),
        ("Left effusion.", "Bilateral effusions.", False),
        ("Left effusion. Right effusion.", "Bilateral effusions.", True),
        ("Small left effusion.", "Moderate cardiomegaly.", True),
        ("Small left effusion.", "No effusion.", False),
    ],
)
def test_what_agrees_with_what_was_said_before(said, again, agree):
    assert all(agrees(claim, read_claims(said)) for claim in read_claims(again)) is agree


def test_of_a_normal_film_an_impression_denies_everything_at_once(archive_of):
    text = "No acute cardiopulmonary abnormality."
    made = archive_of([("a", text), ("b", "No edema.")])
    normal = dict.fromkeys(FINDINGS, GONE)
    (line,) = composed(made, normal, style="impression").lines
    assert line.text == text and line.section == "impression"
    assert {(c.finding, c.presence) for c in line.claims} == {(name, "absent") for name in FINDINGS}
    assert line.confidence == pytest.approx(0.98)
    for doubt in FINDINGS:
        assert composed(made, {**normal, doubt: Belief(0.3)}, style="impression").lines == ()
        without = {name: belief for name, belief in normal.items() if name != doubt}
        assert composed(made, without, style="impression").lines == ()


def test_nor_is_everything_denied_beside_something_else(archive_of):
    made = archive_of([("a", "No pneumothorax, no acute cardiopulmonary process.")])
    assert texts(composed(made, {"Pneumothorax": GONE})) in ([], ["No pneumothorax"])
    assert len(composed(made, dict.fromkeys(FINDINGS, GONE)).lines) == 1


def test_candidates_that_all_contradict_themselves_leave_it_unsaid(archive_of):
    made = archive_of([("a", "Left effusion but no right effusion."), ("b", "Possible effusion.")])
    draft = composed(made, {"Pleural Effusion": HERE})
    assert draft.lines == () or texts(draft) == ["Left effusion"]


def test_an_archive_of_one_study_leaves_it_nothing_to_quote_of_itself(archive_of):
    made = archive_of([("a", "Mild edema.")])
    (study,) = made[0].studies
    assert texts(composed(made, {"Edema": HERE})) == ["Mild edema."]
    draft = composed(made, {"Edema": HERE}, leave=Leave(study.study_id, study.patient_id))
    assert draft.lines == () and list(draft.silent) == ["Edema"]


def test_a_finding_that_nobody_ever_wrote_of_is_left_unsaid(archive_of):
    draft = composed(archive_of([("a", "Mild edema.")]), {"Edema": HERE, "Pleural Other": HERE})
    assert texts(draft) == ["Mild edema."]
    assert draft.silent == {
        "Pleural Other": "no sentence of the archive says it is present and nothing unbelieved"
    }


def test_without_beliefs_nothing_is_said(archive_of):
    draft = composed(archive_of([("a", "Mild edema.")]), {})
    assert (draft.lines, draft.silent) == ((), {})
