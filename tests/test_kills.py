"""Kill -9 at random moments of ingest, index and train: nothing is lost, and little is done twice."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parent.parent / "benchmarks" / "kills.py"


@pytest.fixture(scope="module")
def kills():
    spec = importlib.util.spec_from_file_location("kills", BENCHMARK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(BENCHMARK.parent))  # it is of several files
    sys.modules["kills"] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    module.STUDIES = {"ingest": 24, "index": 20, "train": 20}  # half of what is published
    yield module
    sys.path.remove(str(BENCHMARK.parent))
    del sys.modules["kills"]


@pytest.mark.parametrize(("verb", "times", "most"), [("ingest", 3, 1), ("index", 2, 1), ("train", 2, 30)])
def test_killed_at_random_moments_nothing_is_lost(kills, tmp_path, verb, times, most):
    """`most` segments, chunks or steps are repeated; each folder that ends is as an undisturbed one."""
    tally = kills.rehearse(verb, times, 3, tmp_path)
    assert tally.wrong == []
    assert tally.kills == times and tally.worst <= most


def test_what_is_lost_would_be_seen(kills, tmp_path):
    """A manifest that goes back, or a listed file that is another, is no clean kill."""
    run = kills.Run(pid=2**22 - 1, events=-1, code=0)
    seen = kills.Seen(3, {"a": "1"}, "", 0)
    for worse in (
        kills.Seen(2, {"a": "1"}, "", 0),
        kills.Seen(3, {"a": "2"}, "", 0),
        kills.Seen(3, {}, "", 0),
    ):
        with pytest.raises(kills.Wrong):
            kills._compare(seen, worse, run, ended=False)
