"""Numbers of patients that two houses gave, from a folder of DICOM files to a film that names one of them."""

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
    film = whose(houses, load_film(path, houses.settings.preview), path)
    assert film.sought == sought
    assert film.patient_id == (None if same_as is None else houses.studies[same_as].patient_id)
    clusters = {"7": 0, "8": 2, "9": 3}
    apart = None if sought == "unknown" else houses.studies[clusters[number]].facets["cluster"]
    assert film.cluster == apart
