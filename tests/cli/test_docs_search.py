"""docs/clinical_search.md's Python runs, and a search takes its corpus and model from elsewhere."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from commands import draw, refused, xemplar

PAGE = Path(__file__).parents[2] / "docs" / "clinical_search.md"


def test_the_pages_python_runs(walk, tmp_path, monkeypatch, capsys):
    (tmp_path / "archive").symlink_to(walk)
    draw(tmp_path / "case.png")
    monkeypatch.chdir(tmp_path)
    found = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    for block in found:
        exec(compile(block, PAGE.name, "exec"), {})
    said = capsys.readouterr().out
    assert "without Fracture [rib]" in said and "sex f" in said.lower()
    assert Path("cohort.csv").read_text().startswith("# {")


def test_a_search_takes_a_corpus_and_a_model_from_elsewhere(walk, tmp_path):
    index = shutil.copytree(walk / "index", tmp_path / "away" / "index")
    assert "--corpus" in refused("search", index, "effusion")
    named = ("--corpus", walk / "corpus", "--model", walk / "model", "--json")
    mine = json.loads(xemplar("search", index, "effusion", *named).stdout)
    assert mine["hits"] == json.loads(xemplar("search", walk / "index", "effusion", "--json").stdout)["hits"]


@pytest.mark.parametrize("how", [["--kind", "sentence"], ["--plain"], []])
def test_every_search_says_of_how_many_studies(walk, how):
    last = xemplar("search", walk / "index", "effusion", *how).stdout.splitlines()[-1]
    assert re.fullmatch(r"searched: [\d,]+ of [\d,]+ studies: train", last)
