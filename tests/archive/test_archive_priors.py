"""Which earlier studies drafts are compared with: of the same patient, proper films, quoted by no line."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread

from xemplar.archive import Archive
from xemplar.archive.draft_file import Asked as Files
from xemplar.archive.priors import earlier_of, with_earlier
from xemplar.archive.promised import under_of
from xemplar.contracts import Written
from xemplar.drafting.promise import Asked, Promise
from xemplar.errors import XemplarError
from xemplar.sources import phantom


def earlier(films, **other):
    """Films of the same patient, as another examination's."""
    return [replace(f, **{"image": f.image * np.float32(0.9), "sha256": None, **other}) for f in films]


def test_a_film_is_no_prior_of_itself(drawn, queries):
    films = [replace(film, sha256="same") for film in queries[0]]
    with pytest.raises(XemplarError, match="both as the study's and as the prior's"):
        drawn.draft(films, prior=films)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"domain": None}, "drawn, not clinical"),
        ({"position": "LL"}, "lateral"),
        ({"age_years": 9.0}, "child"),
    ],
)
def test_what_is_not_drafted_for_is_not_compared_with(drawn, queries, other, why):
    draft = drawn.draft(queries[0], prior=earlier(queries[0], **other))
    assert draft.lines == () and draft.gate.startswith("no draft: prior:") and why in draft.gate


def test_a_prior_that_looks_wrong_stops_the_draft(drawn, queries, monkeypatch):
    monkeypatch.setattr(drawn.gatekeeper, "_seen", lambda films: "no draft: the film looks upside down")
    assert drawn.gatekeeper.why_not_compared(earlier(queries[0])).endswith("upside down")


def test_neither_the_study_nor_its_prior_is_quoted(drawn, queries):
    """Where nobody knows the patient, both studies are left out by themselves."""
    alone = {"patient_id": None, "cluster": None, "sha256": None}
    study, prior = (
        [replace(film, **alone, study_id=name) for film in queries[0]] for name in ("now", "then")
    )
    keeper = drawn.gatekeeper
    cases = drawn.cases([study], drawn.retriever.vectors_of([study]))
    [case] = with_earlier(keeper.retriever, cases, earlier_of(keeper, [study], [prior]))
    assert {case.leave.study_id, *case.leave.others} == {"now", "then"}
    assert case.prior.leave == case.leave


def test_a_promise_is_not_of_drafts_with_a_prior(drawn, queries):
    promise = Promise(asked=Asked(), patients=90, studies=90, state_at=0.3, deny_at=0.2)
    calibration = drawn.calibration.model_copy(update={"promise": promise, "under": under_of(drawn, None)})
    kept = Archive(drawn.corpus, drawn.encoder, drawn.index, calibration=calibration)
    said = [kept.draft(queries[0], prior=one).promise for one in (None, earlier(queries[0]))]
    assert said[0].startswith("Promised:") and said[1].startswith("Not promised with a prior")


def test_headers_that_name_two_patients_are_refused(drawn, tmp_path):
    paths = [tmp_path / name for name in ("now.dcm", "then.dcm")]
    written = next(one for one in phantom.studies(40) if isinstance(one.images[0], Written))
    for path, patient in zip(paths, ("p1", "p2"), strict=True):
        phantom.save_film(written, 0, path)
        header = dcmread(path)
        header.PatientID = patient
        header.save_as(path)
    with pytest.raises(XemplarError, match="another patient's than the films before it") as error:
        Files.load(drawn, paths[:1], paths[1:])
    assert "p2" not in str(error.value).replace(str(tmp_path), "")
