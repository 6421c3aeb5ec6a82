"""A confidence is worded as what it is: a probability of what a line claims, in its details too."""

import pytest

from xemplar.drafting import how_sure
from xemplar.records import Claim, Line


def line(confidence, *claims):
    return Line("x", "s", "x", (0, 1), ("study",), tuple(Claim(*c) for c in claims), confidence=confidence)


HERE, OTHER, NOT = ("Edema", "present"), ("Fracture", "present"), ("Pneumothorax", "absent")
LEFT, SMALL = (*HERE, "left"), (*HERE, None, None, "small")
BASE = (*HERE, "left", "base", "small")
GROWN = (*HERE, None, None, None, "increased")
SAME = (*LEFT, None, None, "unchanged")


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ([HERE], "87 % that the finding is there"),
        ([HERE, HERE], "87 % that the finding is there"),
        ([LEFT], "87 % that the finding is there, on that side"),
        ([LEFT, SMALL], "87 % that the finding is there, on that side and of that degree"),
        ([BASE], "87 % that the finding is there, on that side, in that place and of that degree"),
        ([HERE, OTHER], "87 % or more that each finding is there"),
        ([LEFT, OTHER], "87 % or more that each finding is there, on that side"),
        ([GROWN], "87 % that the comparison is as said"),
        ([SAME], "87 % that the comparison is as said, on that side"),
        ([SAME, OTHER], "87 % or more that each finding is as said, on that side"),
        ([NOT], "87 % that it is absent"),
        ([NOT, ("Edema", "absent")], "87 % or more that each finding is absent"),
        ([HERE, NOT], "87 % or more that each finding is as said"),
    ],
)
def test_it_says_of_what_it_is_sure(claims, words):
    assert how_sure(line(0.87, *claims)) == words


def test_what_was_not_calibrated_is_not_called_sure():
    assert how_sure(line(None, HERE)) == "confidence not calibrated"


@pytest.mark.parametrize(("value", "start"), [(0.994, "99 %"), (0.996, "over 99 %"), (1.0, "over 99 %")])
def test_nothing_is_certain(value, start):
    assert how_sure(line(value, NOT)).startswith(start)
