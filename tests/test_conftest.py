"""The shared fixtures, and that a provided-for test can't be skipped unseen."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from xemplar.corpus import Corpus

SKIPPED = """
import pytest

@pytest.mark.shared
def test_of_shared_data():
    pytest.skip("REASON")
"""
MARKERS = "[pytest]\nmarkers = shared: needs shared data\n"


def run_skipping_test(folder: Path, reason: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(Path(__file__).with_name("conftest.py").read_text())
    (folder / "test_it.py").write_text(SKIPPED.replace("REASON", reason))
    (folder / "pytest.ini").write_text(MARKERS)
    kept = {name: value for name, value in os.environ.items() if not re.match("XEMPLAR_|PYTEST_", name)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder],
        env=kept | variables, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "variables", [{"XEMPLAR_DATA": "here", "XEMPLAR_GOLDEN": "there"}, {"XEMPLAR_DATA": "here"}]
)
def test_a_skip_where_data_is_provided_is_a_failure(tmp_path, variables):
    result = run_skipping_test(tmp_path, "its file is gone", **variables)
    assert result.returncode == 1
    assert "yet this test did not run (Skipped: its file is gone)" in result.stdout


def test_a_skip_where_no_data_is_provided_is_counted(tmp_path):
    result = run_skipping_test(tmp_path, "XEMPLAR_DATA is not set")
    assert result.returncode == 0
    assert "tests of the shared data: 0 ran, 1 skipped" in result.stdout


def test_phantom_corpus_has_60_studies_in_all_splits(phantom_corpus: Corpus):
    assert len(phantom_corpus.studies) == 60
    assert {study.split for study in phantom_corpus.studies} == {"train", "val", "test"}


def test_phantom_corpus_has_previews_of_96_pixels(phantom_corpus: Corpus):
    assert phantom_corpus.preview(phantom_corpus.studies[0].views[0].view_id).shape == (96, 96)


@pytest.mark.parametrize(
    ("fixture", "variable"), [("shared_data", "XEMPLAR_DATA"), ("golden", "XEMPLAR_GOLDEN")]
)
def test_folder_fixtures_name_the_folder_that_is_set(fixture, variable, request, monkeypatch, tmp_path):
    monkeypatch.setenv(variable, str(tmp_path))
    assert request.getfixturevalue(fixture) == tmp_path
