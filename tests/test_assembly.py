"""What an assembly may ask for."""

import pytest
from pydantic import ValidationError

from xemplar.assembly import Assembly


@pytest.mark.parametrize("unit", ["image", "sentence"])
@pytest.mark.parametrize("policy", ["consistent", "augmented"])
def test_what_quotes_whole_reports_retrieves_nothing_else(policy, unit):
    with pytest.raises(ValidationError, match=rf'policy "{policy}" retrieves whole reports'):
        Assembly(policy=policy, unit=unit)
    assert Assembly(policy=policy, unit="report").unit == "report"


@pytest.mark.parametrize("unit", ["image", "sentence", "report"])
def test_the_nearest_may_be_of_any_kind(unit):
    assert Assembly(policy="top", unit=unit).unit == unit
