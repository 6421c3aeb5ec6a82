"""An archive whose calibration heard a classifier, opened without the classifier that it heard."""

import pytest

from drawn_archive import Stub, by_hand
from xemplar.archive import Archive, open_archive
from xemplar.contracts import Stages
from xemplar.drafting import FEATURES
from xemplar.drafting import calibration as fits
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import publish

HEARD = (*FEATURES, "linear probe 01", "learnt votes 01")


def nothing(place):
    """No part beside the calibration."""


@pytest.fixture
def opened(monkeypatch, phantom_corpus, index_folder, tmp_path):
    monkeypatch.setattr("xemplar.models.system.open_system", lambda folder: (Stub(), Stages()))

    def make(calibration, *, classifier=None):
        def parts(place):
            if classifier is not None:
                publish(place, "classifier.json", {"kind": "classifier", "generation": 1, **classifier})

        fits.save_calibration(tmp_path / "c", calibration, parts=parts)
        return open_archive(
            index_folder, corpus=phantom_corpus.folder, model="anywhere", calibration=tmp_path / "c"
        )

    return make


@pytest.fixture
def heard(bare):
    return by_hand(bare.index).model_copy(update={"features": HEARD})


def test_one_that_is_missing_is_what_is_told(opened, heard):
    with pytest.raises(XemplarError, match=r"no classifier\.json in it; .*run `xemplar calibrate` again"):
        opened(heard)


@pytest.mark.parametrize(
    ("classifier", "said"),
    [({"version": 9}, "classifier of version 9"), ({"version": 1}, "classifier.json has a bad index")],
)
def test_one_that_cant_be_read_is_what_is_told(opened, heard, classifier, said):
    with pytest.raises(MismatchError, match=rf"{said}.*xemplar calibrate"):
        opened(heard, classifier=classifier)


def test_beside_the_index_it_stops_drafts_and_not_searches(opened, heard, index_folder, bare, monkeypatch):
    beside = index_folder.parent / "calibration"
    fits.save_calibration(beside, heard, parts=nothing)
    monkeypatch.setattr("xemplar.models.system.open_system", lambda folder: (Stub(), Stages()))
    try:
        archive = open_archive(index_folder, corpus=bare.corpus.folder, model="anywhere")
    finally:
        for path in beside.iterdir():
            path.unlink()
        beside.rmdir()
    assert archive.search("effusion", 3)
    films = archive.films_of(archive.corpus.part("test")[0])
    for verb in (archive.draft, archive.classify):
        with pytest.raises(XemplarError, match=r"no classifier\.json in it"):
            verb(films)


def test_one_fitted_without_a_classifier_goes_on_without_it(opened, bare):
    made = by_hand(bare.index)
    archive = opened(made)
    assert archive.calibration == made and archive.classifier is None
    assert archive.draft(archive.films_of(archive.corpus.part("test")[0])).lines is not None


def test_another_index_is_told_before_the_classifier(opened, heard, bare):
    other = heard.index.model_copy(update={"fingerprint": "other", "model": "other"})
    with pytest.raises(MismatchError, match="fitted with corpus"):
        opened(heard.model_copy(update={"index": other}))


def test_features_that_no_classifier_has_are_told_as_they_are(opened, heard):
    with pytest.raises(MismatchError, match="calibrated on one, two, three, four; wanted on image neigh"):
        opened(heard.model_copy(update={"features": ("one", "two", "three", "four")}))


# --- the judge ---


class Judge:
    def __init__(self, name):
        self.name = name

    def __call__(self, premise, hypothesis):
        return "neutral"


def test_another_judge_is_another_fingerprint(bare):
    made = {
        name: Archive(bare.corpus, Stub(), bare.index, stages=Stages(judge=Judge(name) if name else None))
        for name in ("", "one 01", "one 02")
    }
    assert len({archive.fingerprint for archive in made.values()}) == 3
    assert made[""].fingerprint == bare.fingerprint
