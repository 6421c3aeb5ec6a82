"""Sides, places and degrees: by made-up vectors in which they can be read, by hand, and by scipy."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import minimize

from xemplar.drafting.beliefs import Belief
from xemplar.drafting.details import CLASSES, REGIONS, Details, DetailsFit, softmax
from xemplar.drafting.details_fit import SHRUNK, STEADY, HeldBack, conditional_logit, fit_details, named_in
from xemplar.drafting.truth import Truth, held_to_report
from xemplar.findings.lexicon import lexicon
from xemplar.records import Claim, Study

EFFUSION, LESION, DIM = "Pleural Effusion", "Lung Lesion", 12
AXES = {"left": (1.0, 0.0), "right": (0.0, 1.0), "bilateral": (1.0, 1.0)}


def film(side: str | None, rng: np.random.Generator) -> np.ndarray:
    """A vector whose first two dimensions are what is left and what is right, among noise."""
    row = 0.3 * rng.standard_normal(DIM)
    row[:2] += AXES.get(side or "", (0.0, 0.0))
    row[2] = 1.0
    return row / np.linalg.norm(row)


def study(number: int, side: str | None, finding: str = EFFUSION, **more: str) -> Study:
    claims = (Claim(finding, "present", side=side, **more),) if side else (Claim(finding, "absent"),)
    return Study(
        f"s{number}", f"p{number}", "synthetic", findings="Words.", language="en", claims=claims,
        labels={"Edema": "present"}, split="train",
    )  # fmt: skip


def made(studies: list[Study], vectors: np.ndarray) -> tuple[SimpleNamespace, SimpleNamespace]:
    """What is asked of a corpus and an index."""
    corpus = SimpleNamespace(part=lambda split: [one for one in studies if one.split == split])
    rows = SimpleNamespace(study_ids=[(one.study_id,) for one in studies], vectors=vectors.astype(np.float32))
    return corpus, SimpleNamespace(items={"image": rows, "sentence": rows})


def drawn(count: int, *, seed: int, finding: str = EFFUSION) -> tuple[list[Study], np.ndarray]:
    rng = np.random.default_rng(seed)
    sides = [("left", "right", "bilateral", None)[number % 4] for number in range(count)]
    studies = [study(number, side, finding) for number, side in enumerate(sides)]
    return studies, np.stack([film(side, rng) for side in sides]).astype(np.float32)


def held(count: int, *, seed: int = 1) -> HeldBack:
    studies, vectors = drawn(max(count, 1), seed=seed)
    studies, vectors = studies[:count], vectors[:count]
    return HeldBack(vectors, studies, [held_to_report(one) for one in studies])


@pytest.fixture(scope="module")
def fitted() -> DetailsFit:
    return fit_details(*made(*drawn(400, seed=0)), held(80))


@pytest.fixture(scope="module")
def asked() -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(2)
    sides = ["left", "right", "bilateral"] * 40
    return sides, np.stack([film(side, rng) for side in sides]).astype(np.float32)


def test_the_side_that_can_be_read_is_told(fitted: DetailsFit, asked: tuple[list[str], np.ndarray]) -> None:
    """Of films never seen, nine in ten one-sided ones have their own side likelier than the other."""
    told = [
        (one[EFFUSION]["side"]["left"] > one[EFFUSION]["side"]["right"]) == (side == "left")
        for side, one in zip(asked[0], Details(fitted).of(asked[1]), strict=True)
        if side != "bilateral"
    ]
    assert np.mean(told) > 0.9


def test_one_side_is_right_of_both_too(fitted: DetailsFit, asked: tuple[list[str], np.ndarray]) -> None:
    """A side is there or the other is: left and right add up to one more than both, wherever none is cut."""
    for one in Details(fitted).of(asked[1]):
        p = one[EFFUSION]["side"]
        assert p["bilateral"] <= min(p["left"], p["right"]) + 1e-9
        if all(0.02 < value < 0.98 for value in p.values()):
            assert p["left"] + p["right"] - p["bilateral"] == pytest.approx(1)


def test_probabilities_are_as_often_right_as_they_say(
    fitted: DetailsFit, asked: tuple[list[str], np.ndarray]
) -> None:
    """The mean of those given for left is how many have it, and half-sure ones are right half the time."""
    p = np.array([one[EFFUSION]["side"]["left"] for one in Details(fitted).of(asked[1])])
    right = np.array([side != "right" for side in asked[0]])
    assert p.mean() == pytest.approx(right.mean(), abs=0.06)
    assert right[p > 0.8].mean() > 0.85 and right[p < 0.2].mean() < 0.15


def test_an_answer_is_the_same_alone_and_in_company(
    fitted: DetailsFit, asked: tuple[list[str], np.ndarray]
) -> None:
    """To the last bit."""
    details = Details(fitted)
    assert details.of(asked[1]) == [details.of(asked[1][row : row + 1])[0] for row in range(len(asked[1]))]


def test_a_fit_is_the_same_after_a_file(fitted: DetailsFit, asked: tuple[list[str], np.ndarray]) -> None:
    """Written as JSON and read again."""
    again = DetailsFit.model_validate_json(fitted.model_dump_json())
    assert Details(again).of(asked[1]) == Details(fitted).of(asked[1])


def test_it_is_shaped_as_a_belief_wants_it(fitted: DetailsFit, asked: tuple[list[str], np.ndarray]) -> None:
    """A claim of a side is believed by presence and side together."""
    details = Details(fitted).of(asked[1])[0][EFFUSION]
    claim = Claim(EFFUSION, "present", side="left")
    assert Belief(0.5, details).probability(claim) == pytest.approx(0.5 * details["side"]["left"])


def test_what_was_drawn_is_never_learnt() -> None:
    """Other labels and facets on the training studies, and not a number changes."""
    studies, vectors = drawn(80, seed=0)
    other = [replace(one, labels={}, facets={"effusion_left": "large"}) for one in studies]
    assert fit_details(*made(studies, vectors), held(40)) == fit_details(*made(other, vectors), held(40))


def test_validation_studies_in_the_index_are_not_learnt_from() -> None:
    """Nor one whose report is in another language."""
    studies, vectors = drawn(80, seed=0)
    other = [replace(one, split="val" if n % 2 else "train") for n, one in enumerate(studies)]
    spanish = [replace(one, language="es" if n % 2 else "en") for n, one in enumerate(studies)]
    half = made(studies[::2], vectors[::2])
    assert fit_details(*made(other, vectors), held(40)) == fit_details(*half, held(40))
    assert fit_details(*made(spanish, vectors), held(40)) == fit_details(*half, held(40))


def test_too_few_studies_give_their_share_drawn_to_that_of_all() -> None:
    """Three left of four, where all findings together are as they are: by hand."""
    studies, vectors = drawn(80, seed=0)
    few = [study(100 + n, side, LESION) for n, side in enumerate(("left", "left", "left", "right"))]
    fit = fit_details(*made(studies + few, np.concatenate([vectors, vectors[:4]])), held(40))
    everywhere = np.array([20 + 3, 20 + 1, 20]) + 1
    share = (np.array([3, 1, 0]) + SHRUNK * everywhere / everywhere.sum()) / (4 + SHRUNK)
    told = Details(fit).of(vectors[:1])[0][LESION]["side"]
    assert fit.findings[LESION]["side"].weights == []
    assert told == {
        "left": pytest.approx(share[0] + share[2], abs=1e-3),
        "right": pytest.approx(max(share[1] + share[2], 1 / 6), abs=1e-3),
    }


def test_nobody_held_back_leaves_shares_alone() -> None:
    """Scores that nothing says how far to rely on are not relied on."""
    fit = fit_details(*made(*drawn(80, seed=0)), held(0))
    assert set(fit.fitted_on.values()) == {0}
    told = Details(fit).of(drawn(3, seed=3)[1])
    assert told[0] == told[1] == told[2]
    assert told[0][EFFUSION]["side"]["left"] == pytest.approx(2 / 3, abs=1e-3)


def test_an_index_without_films_leaves_nothing() -> None:
    """Texts alone tell of no film."""
    corpus, index = made(*drawn(40, seed=0))
    del index.items["image"]
    fit = fit_details(corpus, index, held(40))
    assert fit.findings == {}
    assert Details(fit).of(held(2).vectors) == [{}, {}]


def test_a_value_that_no_report_states_is_not_in_it() -> None:
    """Both sides, named apart, are no claim of "bilateral"; and of degrees nothing is known."""
    studies, vectors = drawn(80, seed=0)
    apart = [
        replace(
            one, claims=(Claim(EFFUSION, "present", side="left"), Claim(EFFUSION, "present", side="right"))
        )
        if one.claims[0].side == "bilateral"
        else one
        for one in studies
    ]
    told = Details(fit_details(*made(apart, vectors), held(40))).of(vectors[:1])[0]
    assert {kind: set(values) for kind, values in told[EFFUSION].items()} == {"side": {"left", "right"}}


@pytest.mark.parametrize(
    ("sides", "row"),
    [({"left"}, [1, 0, 0]), ({"right"}, [0, 1, 0]), ({"left", "right"}, [0, 0, 1])],
)
def test_sides_are_alone_or_both(sides: set[str], row: list[float]) -> None:
    """By the truth, whatever the report claims."""
    told = named_in(study(0, "left"), Truth({EFFUSION: "present"}, {EFFUSION: frozenset(sides)}))
    assert told[EFFUSION, "side"].tolist() == row


def test_places_are_the_reports_and_degrees_the_truths() -> None:
    """Two degrees share; a finding that isn't there has no details."""
    told = named_in(
        study(0, "left", place="base"),
        Truth({EFFUSION: "present", LESION: "absent"}, {}, {EFFUSION: frozenset({"small", "large"})}),
    )
    assert told[EFFUSION, "place"].tolist() == [0, 0, 1]
    assert told[EFFUSION, "degree"].tolist() == [0.5, 0, 0.5]
    assert (EFFUSION, "side") not in told and (LESION, "side") not in told


def test_every_place_of_the_lexicon_has_a_region() -> None:
    """A place without one would never be believed."""
    assert set(lexicon("default").modifiers["place"].labels) == set(REGIONS)
    assert set(REGIONS.values()) == set(CLASSES["place"])


def test_the_weights_are_the_penalised_likelihoods_best() -> None:
    """As scipy finds them, on columns of mean square 1."""
    rng = np.random.default_rng(4)
    scores = rng.standard_normal((60, 3, 2))
    wanted = np.eye(3)[softmax(scores @ [2.0, -1.0]).argmax(axis=1)]
    spread = np.sqrt((scores**2).mean(axis=(0, 1)))

    def lost(weights: np.ndarray) -> float:
        chances = softmax(scores / spread @ weights)
        return float(-(wanted * np.log(chances)).sum() + STEADY / 2 * (weights**2).sum())

    best = minimize(lost, np.zeros(2)).x / spread
    assert conditional_logit(scores, wanted) == pytest.approx(best, rel=1e-3)
