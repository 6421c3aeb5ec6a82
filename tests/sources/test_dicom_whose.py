"""Numbers of patients that two houses gave, from a folder of DICOM files to a film that names one of them."""

from dataclasses import replace

import pytest
from drawn_files import write_dicom

from xemplar.archive.outside import whose
from xemplar.corpus import Corpus, IngestSettings, ingest
from xemplar.images import PreviewSpec, load_film
from xemplar.sources.dicom import DicomSettings, studies


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    """A corpus of DICOM files: number 7 of two houses, 8 of one, 9 of nobody says which, and one unnamed."""
    folder = tmp_path_factory.mktemp("houses")
    tags = [("7", "North"), ("7", "South"), ("8", "North"), ("9", None), ("ANONYMOUS", None)]
    for place, (number, issuer) in enumerate(tags):
        write_dicom(folder / "films" / f"{place}", place, PatientID=number, IssuerOfPatientID=issuer)
    settings = IngestSettings(
        domain="clinical", texts="reports", source="dicom", preview=PreviewSpec(size=64)
    )
    films = studies(folder / "films", DicomSettings(patients_unknown=True))
    ingest(films, folder / "corpus", settings, key_salt=b"houses")
    return Corpus.open(folder / "corpus")


@pytest.mark.parametrize(
    ("number", "issuer", "sought", "same_as"),
    [
        ("7", "North", "known", 0),
        ("7", "South", "known", 1),
        ("7", "East", "unknown", None),
        ("7", None, "doubtful", None),
        ("8", "North", "known", 2),
        ("8", "South", "unknown", None),
        ("8", None, "doubtful", None),
        ("9", None, "known", 3),
        ("9", "North", "doubtful", None),
        ("1.2.3.4", None, "unknown", None),  # the UID of the study that names nobody
    ],
)
def test_a_number_is_a_patients_together_with_who_gave_it(houses, tmp_path, number, issuer, sought, same_as):
    path = write_dicom(tmp_path / "new", 99, PatientID=number, IssuerOfPatientID=issuer)
    film = whose(houses, load_film(path, houses.settings.preview), path.read_bytes())
    assert film.sought == sought
    assert film.patient_id == (None if same_as is None else houses.studies[same_as].patient_id)
    clusters = {"7": 0, "8": 2, "9": 3}
    apart = None if sought == "unknown" else houses.studies[clusters[number]].facets["cluster"]
    assert film.cluster == apart


def test_of_each_number_the_corpus_knows_whom_it_may_mean(houses):
    keys = [study.patient_id for study in houses.studies]
    clusters = [study.facets["cluster"] for study in houses.studies]
    assert clusters[0] == clusters[1] and houses.of_number[clusters[0]] == {keys[0], keys[1]}
    assert houses.of_number[clusters[2]] == {keys[2]} and houses.of_number[clusters[3]] == {keys[3]}


def test_films_are_sought_in_what_was_looked_through_once(houses, tmp_path, monkeypatch):
    """An archive of any size: a film costs no pass over its studies."""
    path = write_dicom(tmp_path / "new", 99, PatientID="7", IssuerOfPatientID=None)
    film = load_film(path, houses.settings.preview)
    assert whose(houses, film, path.read_bytes()).sought == "doubtful"
    monkeypatch.setitem(vars(houses), "studies", None)
    assert whose(houses, film, path.read_bytes()).sought == "doubtful"


def test_a_group_that_a_source_names_is_no_patients_number(phantom_corpus):
    corpus, group = Corpus(phantom_corpus.folder, phantom_corpus.manifest), phantom_corpus.studies[0]
    vars(corpus)["studies"] = (replace(group, split_unit="group"), phantom_corpus.studies[-1])
    assert list(corpus.of_number) == [phantom_corpus.studies[-1].facets["cluster"]]
