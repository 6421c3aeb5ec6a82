"""Where an archive's folders lie, as errors name it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xemplar.archive.opening import _tidy


def test_a_path_is_named_without_its_way_up(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert _tidy(Path("a/index/../corpus")) == Path("a/corpus")


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_where_a_link_leads_elsewhere_the_way_up_is_kept(tmp_path):
    (tmp_path / "far/index").mkdir(parents=True)
    (tmp_path / "index").symlink_to(tmp_path / "far/index")
    path = tmp_path / "index" / ".." / "corpus"
    assert _tidy(path) == path
