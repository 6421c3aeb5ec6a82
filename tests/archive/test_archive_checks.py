"""A report beside its film, by an archive: who speaks for an alert, and what is checked without a film."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from xemplar.archive import Archive, calibrate, checking
from xemplar.archive.checking import NOT_FITTED, _opposes, limits_of
from xemplar.archive.opening import _calibrate_from
from xemplar.check import KINDS, Checked, Clean, Kind, Suspicion, limits, open_limits, read_report
from xemplar.drafting import calibration as fits
from xemplar.drafting import open_parts, save_calibration
from xemplar.drafting.limits import patient_of
from xemplar.errors import XemplarError
from xemplar.index import fitted_to

REPORT = "FINDINGS: Left pleural effusion. No pneumothorax.\nIMPRESSION: Left pneumothorax."


def test_without_a_calibration_words_alone_are_checked(bare: Archive) -> None:
    films = bare.films_of(bare.corpus.part("test")[0])
    checked = bare.check(films, REPORT)
    assert [one.kind for one in checked.alerts] == ["presence conflict"]
    assert str(checked.unseen).startswith("no calibration is open")


def test_without_a_film_words_alone_are_checked(bare: Archive) -> None:
    assert bare.check(None, REPORT).unseen == "no film was given"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checks") / "calibration"


@pytest.fixture
def checked(bare: Archive, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Archive, Checked, str]:
    """A report of a test study, checked by limits that tell everything."""
    monkeypatch.setattr(fits, "WANTED", 1)
    monkeypatch.setattr(limits, "FEWEST", 1)
    made = calibrate(bare, folder, promise=None)
    archive = Archive(bare.corpus, bare.encoder, bare.index, calibration=made)
    fitted = open_limits(open_parts(folder), index=fitted_to(bare.index))
    assert fitted is not None
    told = fitted.model_copy(update={"above": dict.fromkeys(KINDS[1], 0.0), "why": None})
    archive.check_limits = told
    study = archive.corpus.part("test")[0]
    return archive, archive.check(archive.films_of(study), REPORT), study.patient_id or ""


def test_sources_are_studies_of_others_that_say_what_they_are_quoted_for(
    checked: tuple[Archive, Checked, str],
) -> None:
    archive, found, patient = checked
    by_film = [one for one in found.alerts if one.probability is not None]
    assert {one.kind for one in by_film} <= set(KINDS[1])
    assert {one.kind for one in by_film} >= {"stated, not seen", "another film"}
    sources = [source for one in by_film for source in one.sources]
    assert sources
    for source in sources:
        study = archive.corpus.by_id[source.study_id]
        assert study.patient_id != patient
        assert source.sentence in " ".join(study.text.split())


def test_without_limits_words_alone_are_checked_and_why_is_said(drawn: Archive) -> None:
    films = drawn.films_of(drawn.corpus.part("test")[0])
    assert drawn.check(films, REPORT).unseen == "nothing is fitted for checks; run `xemplar calibrate` again"
    with pytest.raises(XemplarError, match="nothing is fitted for checks"):
        limits_of(drawn)


def test_drafts_go_on_beside_limits_that_were_fitted_too_loosely(drawn: Archive, tmp_path: Path) -> None:
    assert drawn.calibration is not None
    place, old = tmp_path / "calibration", json.dumps({"kind": "check", "version": 1, "above": {}})

    def parts(folder: Path) -> None:
        (folder / "check.json").write_text(old)

    save_calibration(place, drawn.calibration, parts=parts)
    opened = Archive(drawn.corpus, drawn.encoder, drawn.index)
    _calibrate_from(opened, place, place)
    assert opened.calibration == drawn.calibration
    films = opened.films_of(opened.corpus.part("test")[0])
    assert opened.check(films, REPORT).unseen == NOT_FITTED


def test_a_report_that_says_nothing_is_no_other_films(checked: tuple[Archive, Checked, str]) -> None:
    archive, _, _ = checked
    films = archive.films_of(archive.corpus.part("test")[0])
    found = archive.check(films, "FINDINGS: See separate report.")
    assert found.unseen is None and "no finding is read in it" in found.notes
    assert "another film" not in {one.kind for one in found.alerts}


def test_limits_are_fitted_on_reports_that_say_something_by_patient(
    drawn: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Clean] = []

    def spied(clean: Sequence[Clean], *_: object) -> None:
        seen.extend(clean)

    monkeypatch.setattr(checking, "fit_limits", spied)
    studies = [one for one in drawn.corpus.part("val") if one.views and read_report(one).said]
    films = [drawn.films_of(one) for one in studies]
    cases = drawn.cases(films, drawn.retriever.vectors_of(films))
    silent = replace(studies[0], findings="See separate report.", impression=None)
    assert drawn.calibration is not None
    checking.fit_checks(drawn, drawn.calibration, cases=cases, studies=[silent, *studies[1:]])
    assert [one.patient for one in seen] == [patient_of(one) for one in studies[1:]]


def test_limits_are_those_of_the_opening_whatever_is_fitted_since(
    checked: tuple[Archive, Checked, str], folder: Path
) -> None:
    """The folder is another set by now, or none at all: what was opened goes on as it was."""
    archive, found, _ = checked
    archive.folders = {"index": None, "calibration": str(folder)}
    (folder / "calibration.json").unlink()
    films = archive.films_of(archive.corpus.part("test")[0])
    assert archive.check(films, REPORT) == found


def test_another_film_is_told_with_what_does_not_fit_and_who_says_so(
    checked: tuple[Archive, Checked, str],
) -> None:
    _, found, _ = checked
    (another,) = [one for one in found.alerts if one.kind == "another film"]
    least = [one for one in found.alerts if one.probability is not None and one.kind != "another film"]
    worst = max(least, key=lambda one: one.probability or 0.0)
    assert (worst.probability or 0.0) > 0.5 and worst.message in another.message
    assert set(worst.quotes) <= set(another.quotes)
    assert set(worst.sources[:1]) <= set(another.sources)


@pytest.mark.parametrize(
    ("kind", "report", "other", "speaks"),
    [
        ("other degree seen", "Small pleural effusion.", "Large pleural effusion.", True),
        ("other degree seen", "Small pleural effusion.", "Moderate pleural effusion.", False),
        ("other side seen", "Left pleural effusion.", "Right pleural effusion.", True),
        ("other side seen", "Left pleural effusion.", "Bilateral pleural effusions.", False),
        ("stated, not seen", "Left pleural effusion.", "No pleural effusion.", True),
    ],
)
def test_who_speaks_for_an_alert_says_the_very_opposite(
    kind: Kind, report: str, other: str, speaks: bool
) -> None:
    (said,), (theirs,) = (read_report(f"FINDINGS: {text}").said for text in (report, other))
    assert _opposes(theirs.claim, Suspicion(kind, "Pleural Effusion", 0.9, said)) is speaks
