"""What was measured of searches and checks: by today's findings engine, and as good as it is to be."""

import json
from pathlib import Path

import pytest

from xemplar.findings import lexicon_version
from xemplar.retrieval.worth import shipped

RESULTS = Path(__file__).parents[1] / "docs" / "results"
SEARCHES = json.loads((RESULTS / "clinical_search.json").read_text("utf-8"))
CHECKS = json.loads((RESULTS / "check.json").read_text("utf-8"))
OTHERS = ("BM25", "vectors alone (LSA)")


def test_figures_and_weights_are_of_this_findings_engine():
    assert SEARCHES["lexicon"] == lexicon_version() and shipped().stale is None
    assert lexicon_version().startswith(CHECKS["words"]["lexicon"])


@pytest.mark.parametrize("place", [("third", "kinds"), ("tables", "kinds"), ("tables", "held_back")])
@pytest.mark.parametrize("kind", ["plain", "negated", "compound"])
@pytest.mark.parametrize("measure", ["precision@20", "recall@R", "recall@100"])
def test_searches_that_are_read_beat_words_and_vectors(place, kind, measure):
    systems = SEARCHES[place[0]][place[1]][kind]["systems"]
    assert all(systems[other][f"ours above, {measure}"]["low"] > 0 for other in OTHERS)


@pytest.mark.parametrize("place", ["third", "tables"])
def test_the_cut_off_keeps_its_promise_on_searches_held_back(place):
    found = SEARCHES[place]["cut_off"]
    assert found["cut_off"] == shipped().cut_off
    precision = found["held back"]["precision"]
    assert precision["value"] >= found["promised"] == shipped().precision


def test_a_search_of_many_reports_is_fast_enough():
    assert SEARCHES["latency"]["reports"] == 100_000
    assert SEARCHES["latency"]["wall_ms"]["p95"] < SEARCHES["latency"]["bar_ms"] == 100


@pytest.mark.parametrize("site", ["A", "B"])
@pytest.mark.parametrize("limits", ["shipped limits", "one in ten"])
def test_no_more_clean_reports_alarm_than_are_allowed(site, limits):
    assert CHECKS["films"][site][limits]["clean reports alarmed"]["mean"] <= 0.1


@pytest.mark.parametrize("site", ["A", "B"])
@pytest.mark.parametrize(
    "kind", ["wrong side", "finding left out", "negation flipped", "degree off", "another patient's report"]
)
def test_planted_errors_are_found_more_often_than_at_random(site, kind):
    assert CHECKS["films"][site]["one in ten"][kind]["above random"]["low"] > 0


def test_words_alone_find_planted_sides_and_are_fast_enough():
    frozen = CHECKS["words"]["frozen"]
    assert frozen["clean reports alarmed"]["mean"] < 0.02 and frozen["wrong side"]["found"]["low"] > 0.85
    assert CHECKS["speed"]["no sentence twice"]["wall_seconds"] < CHECKS["speed"]["bar_seconds"] == 30
