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


@pytest.mark.parametrize("unit", ["image", "report"])
def test_marginal_relevance_is_of_sentences(unit):
    with pytest.raises(ValidationError, match='policy "mmr" retrieves sentences'):
        Assembly(policy="mmr", unit=unit)
    assert Assembly(policy="mmr").unit == "sentence"


@pytest.mark.parametrize("policy", ["top", "mmr"])
def test_what_quotes_as_it_finds_has_no_style(policy):
    with pytest.raises(ValidationError, match=f'policy "{policy}" quotes what it finds and has no style'):
        Assembly(policy=policy, style="impression")


def test_the_usual_style_is_not_written_down():
    assert "style" not in Assembly().model_dump()
    other = Assembly(style="findings+impression")
    assert Assembly.model_validate_json(other.model_dump_json()) == other
