"""The second reader as typed, beside film files: one that is judged, one that the gate stops, and none."""

import json

import pytest
from PIL import Image, PngImagePlugin

from xemplar.check import KINDS, NOTICE, CheckLimits
from xemplar.cli.check import _one
from xemplar.errors import ImageError
from xemplar.findings import FINDINGS
from xemplar.images import DOMAIN_KEY
from xemplar.index import fitted_to

REPORT = "FINDINGS: Left pleural effusion. No pneumothorax.\nIMPRESSION: Left pneumothorax."


@pytest.fixture
def archive(drawn, monkeypatch):
    """Limits that tell everything, in the place of fitted ones."""
    limits = CheckLimits.model_construct(
        above=dict.fromkeys(KINDS[1], 0.0),
        why=None,
        swaps={},
        usual=dict.fromkeys(FINDINGS, 0.3),
        index=fitted_to(drawn.index),
    )
    monkeypatch.setattr(drawn, "check_limits", limits)
    monkeypatch.setattr(CheckLimits, "another", lambda self, fit: 0.0)
    monkeypatch.setattr(CheckLimits, "tells", lambda self, kind, chance: kind != "another film")
    return drawn


@pytest.fixture
def report(tmp_path):
    (tmp_path / "report.txt").write_text(REPORT)
    return tmp_path / "report.txt"


def film_file(archive, path, *, mark):
    """A test study's preview as a PNG, which says that it is drawn, or nothing of itself."""
    study = next(one for one in archive.corpus.part("test") if one.views)
    told = PngImagePlugin.PngInfo()
    if mark:
        told.add_text(DOMAIN_KEY, "synthetic")
    pixels = archive.corpus.preview_pixels([study.views[0].view_id])[0]
    Image.fromarray(pixels).save(path, pnginfo=told)
    return path


def test_a_film_file_is_judged_with_who_speaks_for_it(archive, report, tmp_path, capsys):
    _one(report, [film_file(archive, tmp_path / "film.png", mark=True)], archive, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["unseen"] is None and told["status"] == NOTICE
    by_film = [one for one in told["alerts"] if one["probability"] is not None]
    assert by_film and {one["kind"] for one in by_film} <= set(KINDS[1])


def test_a_film_that_the_gate_stops_is_not_used_and_the_words_are_checked(archive, report, tmp_path, capsys):
    _one(report, [film_file(archive, tmp_path / "film.png", mark=False)], archive, as_json=False)
    said = capsys.readouterr().out
    assert said.startswith(NOTICE)
    assert "presence conflict" in said and not any(f". {kind} (" in said for kind in KINDS[1])
    why = "the film is not used, and the words alone were checked: this archive is drawn, not clinical"
    assert said.splitlines()[-1] == why


def test_beside_a_report_that_is_not_read_a_film_is_not_told_as_missing(archive, tmp_path):
    film = archive.load_film(film_file(archive, tmp_path / "film.png", mark=True))
    found = archive.check(film, "Kein Pleuraerguss. Kein Pneumothorax. Herz normal gross.")
    assert (
        found.unread is not None and found.unseen == "the report is not read, so nothing is held to the film"
    )


def test_a_file_that_is_no_film_is_one_line(archive, report, capsys):
    with pytest.raises(ImageError, match=r"report\.txt: looks like text"):
        _one(report, [report], archive, as_json=False)
    assert capsys.readouterr().out == ""
