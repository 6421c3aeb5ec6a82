"""The three lists of sixty frozen queries: unchanged since they were written."""

import hashlib
import tomllib
from pathlib import Path

QUERIES = Path(__file__).with_name("search_queries.toml")
SECOND = Path(__file__).with_name("search_queries_second.toml")
THIRD = Path(__file__).with_name("search_queries_third.toml")
FROZEN = "b8da331a2b15e0fa3e05218f7aa3f617176b62b8a919934218842a44dca33265"
FROZEN_SECOND = "004738a98eab37d84136ada462378f13b778c0603fab7c22022411c78a78fa97"
FROZEN_THIRD = "62b607ffc6f506f47968b594d302f0920a9a1133139abfd1d22c1c8645676a8e"


def test_the_list_is_the_one_that_was_frozen():
    assert hashlib.sha256(QUERIES.read_bytes()).hexdigest() == FROZEN


def test_twenty_of_each_kind_and_none_twice():
    queries = tomllib.loads(QUERIES.read_text("utf-8"))["query"]
    kinds = [query["kind"] for query in queries]
    assert {kind: kinds.count(kind) for kind in kinds} == {"plain": 20, "negated": 20, "compound": 20}
    assert len({query["text"] for query in queries}) == 60


def test_the_second_list_is_the_one_that_was_frozen():
    assert hashlib.sha256(SECOND.read_bytes()).hexdigest() == FROZEN_SECOND


def test_the_second_list_has_twenty_of_each_kind_none_twice_and_none_of_the_first():
    queries = tomllib.loads(SECOND.read_text("utf-8"))["query"]
    kinds = [query["kind"] for query in queries]
    assert {kind: kinds.count(kind) for kind in kinds} == {"plain": 20, "negated": 20, "compound": 20}
    texts = {query["text"].casefold() for query in queries}
    first = {query["text"].casefold() for query in tomllib.loads(QUERIES.read_text("utf-8"))["query"]}
    assert len(texts) == 60
    assert not texts & first


def test_the_third_list_is_the_one_that_was_frozen():
    assert hashlib.sha256(THIRD.read_bytes()).hexdigest() == FROZEN_THIRD


def test_the_third_list_has_twenty_of_each_kind_none_twice_and_none_of_the_others():
    queries = tomllib.loads(THIRD.read_text("utf-8"))["query"]
    kinds = [query["kind"] for query in queries]
    assert {kind: kinds.count(kind) for kind in kinds} == {"plain": 20, "negated": 20, "compound": 20}
    texts = {query["text"].casefold() for query in queries}
    others = {
        query["text"].casefold()
        for place in (QUERIES, SECOND)
        for query in tomllib.loads(place.read_text("utf-8"))["query"]
    }
    assert len(texts) == 60
    assert not texts & others
