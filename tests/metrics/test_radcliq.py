"""RadCliQ against its published unit cases and leaderboard rows."""

import json

import numpy as np
import pytest

from xemplar.errors import MismatchError, XemplarError
from xemplar.metrics.radcliq import COLUMNS, MAKERS, Column, leaderboard_inverse, radcliq


def _columns(rows, **makers):
    table = np.array(rows, np.float64).reshape(-1, 4)
    return {
        name: Column(table[:, place], makers.get(name, MAKERS[name])) for place, name in enumerate(COLUMNS)
    }


def test_a_perfect_report_scores_below_zero():
    found = radcliq(_columns([[1, 1, 1, 1], [0, 0, 0, 0]]))
    assert found.values == pytest.approx([-1.4406902828047017, 2.4501430833271307], abs=1e-9)
    assert (found.name, found.undefined) == ("radcliq_v1", 0)


def test_v0_calls_a_higher_bleu_worse():
    low, high = radcliq(_columns([[0.5, 0.5, 0.5, 0], [0.5, 0.5, 0.5, 1]]), version="v0").values
    assert high - low == pytest.approx(0.713942, abs=1e-6)


@pytest.mark.shared
def test_unit_cases_agree(golden):
    case = json.loads((golden / "radcliq" / "radcliq_golden.json").read_text())
    assert list(COLUMNS) == case["columns"]
    for version in ("v0", "v1"):
        found = radcliq(_columns([one["x"] for one in case["unit_tests"]]), version=version)
        assert found.values == pytest.approx([one[version] for one in case["unit_tests"]], abs=1e-9)


@pytest.mark.shared
def test_leaderboard_rows_are_reproduced(golden):
    """Both maps are linear, so a board's means are a test: within what three decimals leave open."""
    rows = json.loads((golden / "radcliq" / "radcliq_golden.json").read_text())["rexrank_rows"]
    raw = [row for row in rows if "v1" in row]
    inverse = [row for row in rows if "inv_v1" in row and row["ok"]]
    assert (len(raw), len(inverse)) == (50, 119)
    for version in ("v0", "v1"):
        found = radcliq(_columns([row["x"] for row in raw]), version=version).values
        assert found == pytest.approx([row[version] for row in raw], abs=0.003)
    found = [leaderboard_inverse(value) for value in radcliq(_columns([row["x"] for row in inverse])).values]
    assert found == pytest.approx([row["inv_v1"] for row in inverse], abs=0.006)


def test_a_substitute_is_refused():
    columns = _columns([[0.2, 0.5, 0.6, 0.2]], radgraph_combined="rules")
    with pytest.raises(MismatchError, match="radgraph_combined made by rules; wanted radgraph-v1"):
        radcliq(columns)


def test_a_substitute_makes_a_proxy_that_is_named_one():
    found = radcliq(_columns([[0.2, 0.5, 0.6, 0.2]], semb_score="other-bert"), proxy=True)
    assert found.name == "radcliq_v1_proxy"
    assert found.substitutes == {"semb_score": "other-bert"}


def test_without_substitutes_it_bears_its_name():
    assert radcliq(_columns([[0.2, 0.5, 0.6, 0.2]]), version="v0", proxy=True).name == "radcliq_v0"


def test_a_report_without_a_column_has_no_score_and_is_counted():
    found = radcliq(_columns([[0.2, np.nan, 0.6, 0.2], [0, 0, 0, 0]]))
    assert np.isnan(found.values).tolist() == [True, False]
    assert found.undefined == 1


def test_a_missing_column_is_refused():
    columns = _columns([[0, 0, 0, 0]])
    del columns["bertscore"]
    with pytest.raises(MismatchError, match="wanted radgraph_combined, bertscore, semb_score, bleu_score"):
        radcliq(columns)


@pytest.mark.parametrize(
    ("row", "said"), [([20, 0, 0, 0], "radgraph_combined"), ([0, 52, 0, 0], "bertscore")]
)
def test_per_cent_is_refused(row, said):
    with pytest.raises(XemplarError, match=f"{said}, report 1: "):
        radcliq(_columns([[0, 0, 0, 0], row]))


def test_columns_of_unequal_length_are_refused():
    columns = _columns([[0, 0, 0, 0]])
    columns["bertscore"] = Column(np.zeros(2), MAKERS["bertscore"])
    with pytest.raises(MismatchError, match="one number for each report"):
        radcliq(columns)


def test_the_inverse_has_no_value_beyond_its_pole():
    assert leaderboard_inverse(0.5) == 2.0
    assert np.isnan(leaderboard_inverse(0.0))
    assert np.isnan(leaderboard_inverse(-0.5))
