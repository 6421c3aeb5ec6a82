"""What may be claimed of a film, and of two."""

import pytest

from xemplar.drafting.beliefs import Belief, Limits
from xemplar.drafting.composition.believed import Believed
from xemplar.records import Claim

LIMITS = Limits(state_at=0.5, deny_at=0.1)
SIDES = {"side": {"left": 0.8}}


def degrees(small, moderate, large):
    return Belief(0.9, {"degree": {"small": small, "moderate": moderate, "large": large}})


def edema(presence="present", **said):
    return Claim("Edema", presence, **said)


def told(claim, now, then=None):
    return Believed({"Edema": now}, None if then is None else {"Edema": then}).told(claim)


def test_a_detail_is_worth_telling_from_four_in_five_on():
    plain = told(edema(), Belief(0.9)).worth
    assert told(edema(side="left"), Belief(0.9, {"side": {"left": 0.81}})).worth > plain
    assert told(edema(side="left"), Belief(0.9, {"side": {"left": 0.79}})).worth < plain


def test_a_surer_claim_is_worth_more():
    assert told(edema(), Belief(0.9)).worth > told(edema(), Belief(0.8)).worth
    assert told(edema("absent"), Belief(0.1)).worth == pytest.approx(0.8)


@pytest.mark.parametrize("detail", [{"side": "left"}, {"place": "base"}, {"degree": "large"}])
def test_a_denial_of_a_part_denies_too_little(detail):
    assert told(edema("absent", **detail), Belief(0.0)).probability == 0.0


def test_nothing_is_claimed_of_what_nothing_is_believed():
    assert told(Claim("Scoliosis", "present"), Belief(1.0)).probability == 0.0
    assert told(edema("uncertain"), Belief(0.5)).probability == 0.0


@pytest.mark.parametrize("change", ["new", "unchanged", "increased", "decreased", "resolved"])
def test_without_a_prior_nothing_has_changed(change):
    assert told(edema(change=change), Belief(1.0)).probability == 0.0
    assert told(edema("absent", change=change), Belief(0.0)).probability == 0.0


@pytest.mark.parametrize(
    ("presence", "change", "now", "then", "probability"),
    [
        ("present", "new", 0.9, 0.05, 0.9 * 0.95),
        ("present", "unchanged", 0.9, 0.8, 0.9 * 0.8),
        ("absent", "resolved", 0.1, 0.8, 0.9 * 0.8),
        ("absent", "new", 0.1, 0.8, 0.9),
        ("present", "resolved", 0.9, 0.8, 0.0),
        ("absent", "unchanged", 0.1, 0.1, 0.0),
        ("absent", "decreased", 0.1, 0.9, 0.0),
        ("present", "increased", 0.9, 0.9, 0.0),
        ("present", "decreased", 0.9, 0.9, 0.0),
    ],
)
def test_a_change_is_as_probable_as_both_films_make_it(presence, change, now, then, probability):
    assert told(edema(presence, change=change), Belief(now), Belief(then)).probability == pytest.approx(
        probability
    )


def test_more_of_it_is_told_only_of_degrees_that_differ_so():
    small, large = degrees(0.8, 0.1, 0.1), degrees(0.1, 0.1, 0.8)
    more = 0.1 * 0.8 + 0.8 * (0.8 + 0.1)
    assert told(edema(change="increased"), large, small).probability == pytest.approx(0.81 * more)
    assert told(edema(change="increased"), small, large).probability == 0.0
    assert told(edema(change="decreased"), small, large).probability == pytest.approx(0.81 * more)
    assert told(edema(change="unchanged"), small, large).probability == 0.0
    assert told(edema(change="unchanged"), small, small).probability == pytest.approx(0.81)


def test_what_has_resolved_had_the_side_it_is_said_to_have_had():
    claim = edema("absent", side="left", change="resolved")
    assert told(claim, Belief(0.1), Belief(0.9, SIDES)).probability == pytest.approx(0.9 * 0.9 * 0.8)
    assert told(edema("absent", side="right", change="resolved"), Belief(0.1), Belief(0.9, SIDES)).worth == -1


@pytest.mark.parametrize(
    ("change", "presence", "then", "fits"),
    [
        ("new", "present", 0.05, True),
        ("new", "present", 0.3, False),
        ("unchanged", "present", 0.7, True),
        ("unchanged", "present", 0.3, False),
        ("resolved", "absent", 0.7, True),
        ("resolved", "absent", 0.05, False),
        ("new", "absent", 0.3, True),
    ],
)
def test_the_prior_is_as_sure_as_the_film(change, presence, then, fits):
    believed = Believed({"Edema": Belief(0.9)}, {"Edema": Belief(then)})
    assert believed.fits_prior(edema(presence, change=change), LIMITS) is fits


def test_where_limits_allow_both_it_is_stated():
    believed = Believed({"Edema": Belief(0.3)})
    both = Limits(0.2, 0.4)
    assert (believed.stated(both), believed.denied(both)) == (frozenset({"Edema"}), frozenset())
