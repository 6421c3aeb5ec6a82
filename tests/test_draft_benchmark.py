"""The benchmark of drafts: kept drafts read again as they were, a balanced choice, aims that can fail."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest

from xemplar.records import Claim, Draft, Line

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def drafts():
    spec = importlib.util.spec_from_file_location("drafts", BENCHMARKS / "drafts.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(BENCHMARKS))  # it is of several files
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(BENCHMARKS))


def test_a_draft_is_read_again_as_it_was(drafts):
    claim = Claim("Edema", "present", degree="small", span=(0, 5))
    line = Line("Edema", "e", "Edema.", (0, 5), ("s", "t"), (claim,), {"cosine": 0.5}, 0.9)
    draft = Draft("d", "q", (line,), {"Fracture": "why"}, None, "p", None, "f", "synthetic")
    assert drafts.read(json.loads(json.dumps(asdict(draft)))) == draft


def test_the_page_is_what_is_made_of_the_committed_figures(drafts):
    docs = BENCHMARKS.parent / "docs"
    result = json.loads((docs / "results" / "drafts.json").read_text(encoding="utf-8"))
    assert drafts.page(result) == (docs / "drafts.md").read_text(encoding="utf-8")


def test_the_page_says_why_wrong_lines_are_told_twice_and_in_what_aims_are_measured(drafts):
    found = json.loads((BENCHMARKS.parent / "docs" / "results" / "drafts.json").read_text(encoding="utf-8"))
    page = " ".join(drafts.page(found).split())
    promised, aimed = page.partition("## Promised")[2].split("## What was aimed at")
    assert "every patient weighs alike" in promised
    assert "ours over theirs" in aimed and "ours less theirs" in aimed


def study(number, *findings):
    claims = tuple(Claim(name, "present") for name in findings)
    return SimpleNamespace(study_id=f"{number:04d}", claims=claims, labels={})


def test_a_balanced_choice_has_as_many_of_each_finding_as_of_the_rarest(drafts):
    named = ["Edema"] * 30 + ["Fracture"] * 90 + ["Cardiomegaly"] * 60
    train = [study(n, name) for n, name in enumerate(named)]
    train += [study(1000 + n) for n in range(500)]
    stays = sys.modules["balanced_pool"].chosen(train)
    kept = Counter(c.finding for one in train if one.study_id in stays for c in one.claims)
    assert kept == {"Edema": 30, "Fracture": 30, "Cardiomegaly": 30}
    assert len(stays) == 4 * 30


def test_aims_hold_only_where_they_are_reached(drafts):
    def rows(count):
        return {"scores": [{"measure": name, "count": count} for name in NONE]}

    NONE = ("lines without a source", "drafts that contradict themselves")
    ratios = {name: {"value": 0.4, "low": 0.2, "high": 0.6} for name, _ in drafts.RATIOS}
    gain = {"micro": {"value": 0.1, "low": -0.01, "high": 0.2}}
    compared = [{"ours": "ours", "theirs": "top 2", "gain": gain, "ratios": ratios}]
    found = drafts.aims({"ours": rows(0), "top 2": rows(5)}, compared)
    assert [one["reached"] for one in found] == [True, True, False, False, False, False, True, True, True]
