"""The sixty frozen queries: unchanged since they were written."""

import hashlib
import tomllib
from pathlib import Path

QUERIES = Path(__file__).with_name("search_queries.toml")
FROZEN = "b8da331a2b15e0fa3e05218f7aa3f617176b62b8a919934218842a44dca33265"


def test_the_list_is_the_one_that_was_frozen():
    assert hashlib.sha256(QUERIES.read_bytes()).hexdigest() == FROZEN


def test_twenty_of_each_kind_and_none_twice():
    queries = tomllib.loads(QUERIES.read_text("utf-8"))["query"]
    kinds = [query["kind"] for query in queries]
    assert {kind: kinds.count(kind) for kind in kinds} == {"plain": 20, "negated": 20, "compound": 20}
    assert len({query["text"] for query in queries}) == 60
