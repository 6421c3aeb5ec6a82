"""Films from files whose headers name a patient: whom the archive knows by them, whom it doesn't, and why."""

import hashlib
from dataclasses import replace

import pytest
from pydicom import dcmread

from xemplar.archive import facade
from xemplar.archive.draft_file import Asked, record_of
from xemplar.archive.outside import DOUBTFUL, NO_SALT, STRANGER, UNREADABLE_SALT, noted
from xemplar.check import Checked
from xemplar.contracts import Written
from xemplar.images import film_of
from xemplar.retrieval import NOBODY
from xemplar.sources import phantom

# --- end to end, in the drawn archive -----


@pytest.fixture(scope="module")
def held(drawn):
    """A study of the index, as its source numbers it and as the corpus knows it."""
    numbers = [one.study.patient_id for one in phantom.studies(60)]
    [found] = [
        (number, study)
        for number, study in zip(numbers, drawn.corpus.studies, strict=True)
        if study is next(one for one in drawn.corpus.part("train") if one.views)
    ]
    return found


@pytest.fixture
def new(drawn, tmp_path):
    """A film of another archive's study, with a patient's number of one's own, as a file."""
    written = next(one for one in phantom.studies(40, seed=7) if isinstance(one.images[0], Written))
    path = phantom.save_film(written, 0, tmp_path / "new.dcm")

    def film(number):
        header = dcmread(path)
        header.PatientID = number
        header.save_as(path)
        return path

    return film


def test_a_new_film_of_a_patient_of_the_archive_leaves_that_patient_out(drawn, held, new):
    number, study = held
    film = drawn.load_film(new(number))
    assert (film.sought, film.patient_id, film.cluster) == (
        "known",
        study.patient_id,
        study.facets["cluster"],
    )
    assert study.study_id in drawn.retriever.left_out(film)
    draft = drawn.draft(film)
    assert draft.gate is None and draft.notes == {}
    assert all(study.study_id not in line.source_study_ids for line in draft.lines)


def test_a_film_and_its_patient_are_of_the_same_bytes(drawn, held, new, monkeypatch):
    """Though the file is replaced while its pixels are read."""
    path = new(held[0])

    def slow(data, spec, *, where):
        new("MRN-2")
        return film_of(data, spec, where=where)

    monkeypatch.setattr(facade, "film_of", slow)
    film = drawn.load_film(path)
    assert film.patient_id == held[1].patient_id
    assert film.sha256 != hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("number", ["MRN-2", "", "ANONYMOUS"])
def test_of_any_other_a_draft_says_that_its_patient_isnt_known(drawn, new, number):
    film = drawn.load_film(new(number))
    assert film.sought == "unknown" and drawn.draft(film).notes == {"patient": STRANGER}


@pytest.mark.parametrize(
    ("sought", "note", "hide"),
    [
        ("salt missing", NO_SALT, lambda folder: (folder / "salt").rename(folder / "away")),
        ("salt unreadable", UNREADABLE_SALT, lambda folder: _in_its_place(folder)),
        ("salt missing", NO_SALT, lambda folder: (folder / "salt").write_bytes(b"another's")),
    ],
)
def test_why_nobody_is_known_without_the_corpus_salt_is_told(
    drawn, held, new, tmp_path, monkeypatch, sought, note, hide
):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "salt").write_bytes((drawn.corpus.folder / "salt").read_bytes())
    monkeypatch.setattr(drawn.corpus, "folder", tmp_path / "corpus")
    path = new(held[0])
    assert drawn.load_film(path).sought == "known"
    hide(tmp_path / "corpus")
    film = drawn.load_film(path)
    assert film.sought == sought and drawn.retriever.leave_of(film) == NOBODY
    monkeypatch.undo()
    assert drawn.draft(film).notes == {"patient": note}
    record = record_of(drawn, Asked((path,), (film,)))
    assert record["films"][0]["patient"] == sought and held[0] not in str(record["films"][0] | {"path": ""})


def _in_its_place(folder):
    """What can't be read, whoever asks."""
    (folder / "salt").unlink()
    (folder / "salt").mkdir()


def test_a_prior_that_names_its_patient_tells_whose_the_study_is(drawn, held, new, queries):
    prior = drawn.load_film(new(held[0]))
    unknown = {"study_id": None, "patient_id": None, "cluster": None, "sha256": None, "age_years": None}
    film = replace(queries[0][0], **unknown, position=None)
    alone, compared = drawn.draft(film), drawn.draft(film, prior=prior)
    assert compared.gate is None
    assert alone.notes == {"patient": STRANGER} and compared.notes == {}
    assert alone.draft_id != compared.draft_id


def test_what_is_to_be_known_of_films_is_told_beside_a_report(drawn, queries):
    """As of a draft; where the films can't be looked at nothing is told of them."""
    film = replace(queries[0][0], sought="doubtful", study_id=None, patient_id=None, sha256=None)
    leave = drawn.retriever.leave_of(film)
    told = noted(Checked((), notes=("a report without findings",)), [film], leave)
    assert told.notes == ("a report without findings", f"patient: {DOUBTFUL}")
    for checked, films in ((Checked((), unseen="stopped"), [film]), (Checked(()), [])):
        assert noted(checked, films, leave) == checked


def test_the_note_stays_where_a_patient_is_doubtful(drawn, queries):
    film = replace(queries[0][0], sought="doubtful", study_id=None, patient_id=None, sha256=None)
    assert drawn.draft(film).notes == {"patient": DOUBTFUL}
