"""A second risk: lines that state a finding may be asked to be right by themselves."""

from pathlib import Path

import numpy as np
import pytest

from xemplar.archive import asked_for
from xemplar.cli.verbs import calibrate
from xemplar.drafting import limits as module
from xemplar.drafting.beliefs import Limits
from xemplar.drafting.limits import Trial, promised
from xemplar.drafting.promise import Asked, Promise
from xemplar.drafting.truth import Truth
from xemplar.errors import XemplarError
from xemplar.records import Claim, Line

NAMES = ("Edema", "Fracture", "Consolidation", "Atelectasis", "Cardiomegaly", "Pneumothorax")


def line(finding, presence):
    text = f"{presence} {finding}"
    return Line(text, "s", text, (0, len(text)), ("a",), (Claim(finding, presence, span=(0, len(text))),))


DENIALS = tuple(line(name, "absent") for name in NAMES[:5])


def archive(patients, loose_below):
    """Five denials and a statement, all right; below a limit twice as many, and a statement that is wrong."""

    def draft(place, limits):
        right = (*DENIALS, line("Pneumothorax", "present"))
        if limits.state_at >= loose_below:
            return right
        return (*DENIALS, *right, line("Cardiomegaly", "present"))

    truth = Truth({**dict.fromkeys(NAMES, "absent"), "Pneumothorax": "present"})
    return Trial([f"p{n}" for n in range(patients)], [{}] * patients, [truth] * patients, draft)


def test_few_wrong_lines_may_hide_many_wrong_statements():
    """One line in twelve is wrong, and of those that state a finding one in two."""
    tested = archive(300, 0.6)
    one = promised(Asked(), tested, 0.1)
    assert one.state_at < 0.6 and one.stating_wrong == 0.5
    both = promised(Asked(wrong_stated=0.2), tested, 0.1)
    assert both.kept and both.state_at >= 0.6 and both.stating_wrong == 0.0


def test_where_statements_are_never_right_enough_nothing_is_promised():
    made = promised(Asked(wrong_stated=0.2), archive(300, 1.0), 0.1)
    assert not made.kept
    told = "drafts for 300 patients show of no limit that few enough lines that state a finding are wrong"
    assert made.why == told


def test_where_both_fail_both_are_told_and_one_alone_is_named_alone():
    both = promised(Asked(wrong_lines=0.05, wrong_stated=0.2), archive(300, 1.0), 0.1)
    assert both.why.endswith(
        "few enough lines are wrong, nor that few enough lines that state a finding are wrong"
    )
    assert promised(Asked(wrong_lines=0.05), archive(300, 1.0), 0.1).why.endswith(
        "few enough lines are wrong"
    )


def test_it_is_counted_over_stating_lines_alone():
    counted = module._means(archive(4, 1.0), Limits(0.5, 0.1)).sum(axis=0)
    assert np.array_equal(counted, [4, 48, 4, 8])


def test_the_sentence_tells_both_and_the_usual_one_is_as_it_was():
    given = {"patients": 80, "studies": 80, "state_at": 0.6, "deny_at": 0.1}
    told = Promise(asked=Asked(wrong_stated=0.2), **given).sentence
    assert "at most 10% of lines wrong, and 20% of those that state a finding (confidence 90%)" in told
    assert Asked().model_dump().keys() == {"wrong_lines", "denied", "confidence"}


def test_it_is_a_share(asked=asked_for):
    assert asked(0.1, 0.05, 0.9, wrong_stated=0.2).wrong_stated == 0.2
    with pytest.raises(XemplarError, match="wrong stated 1; wanted a share between 0 and 1"):
        asked(0.1, 0.05, 0.9, wrong_stated=1.0)


def test_where_more_may_be_wrong_than_any_limit_is_tried_for_that_is_told():
    assert promised(Asked(wrong_lines=0.9), archive(30, 1.0), 0.1).why.endswith("few enough lines are wrong")


def test_it_isnt_asked_for_where_nothing_is_to_be_promised():
    with pytest.raises(XemplarError, match="--wrong-stated with --no-promise"):
        calibrate(Path("nowhere"), wrong_stated=0.2, promise=False)
