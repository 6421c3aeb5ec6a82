"""An archive is calibrated on what it may be, and opens with no calibration but its own."""

from dataclasses import replace

import numpy as np
import pytest

from drawn_archive import Stub, ingested
from xemplar.archive import Archive, asked_for, calibrate, fit_gate, open_archive
from xemplar.archive import calibrating as module
from xemplar.archive.gating import Gatekeeper
from xemplar.archive.promised import under_of
from xemplar.contracts import Arrival, Drawable, Stages
from xemplar.corpus import Corpus, IngestSettings, describe_part, ingest
from xemplar.drafting import calibration as fits
from xemplar.drafting import fit, open_calibration, truth_of
from xemplar.drafting.beliefs import Limits
from xemplar.drafting.drift import FEWEST, seen_of
from xemplar.drafting.gate import Gate, save_gate
from xemplar.drafting.limits import patient_of
from xemplar.drafting.promise import Asked, Promise
from xemplar.errors import MismatchError, XemplarError
from xemplar.images import PreviewSpec
from xemplar.index import build_index, fitted_to
from xemplar.sources import phantom

# --- calibrate -----


def nothing(place):
    """No part beside the calibration."""


def test_calibrate_fits_this_index_and_is_found_again(bare, tmp_path, monkeypatch):
    monkeypatch.setattr(fits, "WANTED", 1)
    made = calibrate(bare, tmp_path / "c", promise=None)
    assert open_calibration(tmp_path / "c", index=fitted_to(bare.index)) == made
    again = Archive(bare.corpus, bare.encoder, bare.index, calibration=made)
    assert again.draft(again.films_of(bare.corpus.part("test")[0])).gate is None


def test_a_calibration_names_its_domain_and_patients(bare, tmp_path, monkeypatch):
    monkeypatch.setattr(fits, "WANTED", 1)
    studies = [study for study in bare.corpus.part("val") if study.views]
    title = calibrate(bare, tmp_path / "c", promise=None).title
    assert title == describe_part("synthetic", studies)
    assert title.startswith(f"synthetic, {len({s.patient_id for s in studies})} patients")


def test_calibrate_hears_what_a_loop_would_hear(bare, tmp_path, monkeypatch):
    """Features and truths of the validation part alone, each study by itself."""
    heard = {}

    def hear(features, truths, **rest):
        heard.update(features=features, truths=truths)
        return fit(features, truths, **rest)

    monkeypatch.setattr(fits, "WANTED", 1)
    monkeypatch.setattr(module.drafting, "fit", hear)
    calibrate(bare, tmp_path / "c", promise=None)
    wanted = [study for study in bare.corpus.part("val") if study.views]
    assert heard["truths"] == [truth_of(study) for study in wanted]
    for row, study in enumerate(wanted):
        films = bare.films_of(study)
        vector = bare.retriever.vectors_of([films])
        leave = bare.retriever.leave_of(films)
        assert np.array_equal(bare.evidence.features(vector, [leave])[0], heard["features"][row])


class Mirrored:
    """Another drawn film, the other way round."""

    def __init__(self, film):
        self.film = film

    def draw(self):
        return np.ascontiguousarray(self.film.draw()[:, ::-1])


def test_calibrate_leaves_out_a_planted_copy_and_counts_it(tmp_path, monkeypatch):
    """A film of the training part is there again, mirrored, as another patient's of the validation part."""
    shown = [arrival for arrival in phantom.studies(12) if isinstance(arrival.images[0], Drawable)][:8]
    arrivals = []
    for number, arrival in enumerate([*shown, shown[0]]):
        image = Mirrored(arrival.images[0]) if number == 8 else arrival.images[0]
        view = replace(arrival.study.views[0], view_id=f"v{number}")
        patient = {"study_id": f"s{number}", "patient_id": f"p{number}", "prior_id": None}
        split = "train" if number < 5 else "val"
        study = replace(arrival.study, **patient, split=split, views=(view,))
        arrivals.append(Arrival(study, (image,), split_key=study.patient_id))
    made = IngestSettings(domain="synthetic", texts="reports", source="t", preview=PreviewSpec(size=96))
    ingest(arrivals, tmp_path / "corpus", made, key_salt=b"t")
    corpus = Corpus.open(tmp_path / "corpus")
    monkeypatch.setattr(fits, "WANTED", 1)
    archive = Archive(corpus, Stub(), build_index(corpus, Stub(), tmp_path / "index"))
    calibration = calibrate(archive, tmp_path / "c", promise=None)
    assert (calibration.studies, calibration.near_duplicates) == (3, 1)
    assert calibration.title == describe_part("synthetic", corpus.part("val")[:3])


def test_calibrate_refuses_an_index_that_holds_its_patients(phantom_corpus, tmp_path):
    index = build_index(phantom_corpus, Stub(), tmp_path / "i", parts=("train", "val"))
    with pytest.raises(XemplarError, match="the index holds the validation part; wanted an index of train"):
        calibrate(Archive(phantom_corpus, Stub(), index), tmp_path / "c")


def test_calibrate_refuses_a_folder_of_something_else_before_it_fits_anything(bare, tmp_path, monkeypatch):
    monkeypatch.delattr(module, "_held_back")
    (tmp_path / "index.json").write_text("{}")
    with pytest.raises(XemplarError, match="holds other files; wanted a new or empty folder"):
        calibrate(bare, tmp_path)


def test_calibrate_refuses_captions(captioned, tmp_path):
    with pytest.raises(XemplarError, match=r"a corpus of captions has no findings.*caption drafts need none"):
        calibrate(captioned, tmp_path / "c")


def test_calibrate_refuses_a_corpus_without_validation_studies(tmp_path):
    corpus = ingested(tmp_path, domain="synthetic")
    archive = Archive(corpus, Stub(), build_index(corpus, Stub(), tmp_path / "index"))
    with pytest.raises(XemplarError, match="no validation study"):
        calibrate(archive, tmp_path / "c", promise=None)


# --- opened with one -----


@pytest.fixture
def opened(monkeypatch, phantom_corpus, index_folder):
    """`open_archive` with a stub for the model."""
    monkeypatch.setattr("xemplar.models.system.open_system", lambda folder: (Stub(), Stages()))

    def make(**rest):
        return open_archive(index_folder, corpus=phantom_corpus.folder, model="anywhere", **rest)

    return make


def test_an_archive_opens_without_a_calibration(opened):
    assert opened().describe()["calibrated"] is False


def test_an_archive_opens_with_the_calibration_that_fits(opened, drawn, tmp_path):
    fits.save_calibration(tmp_path / "c", drawn.calibration, parts=nothing)
    assert opened(calibration=tmp_path / "c").fingerprint == drawn.fingerprint


def of_another_model(archive):
    return fitted_to(archive.index).model_copy(update={"fingerprint": "other", "model": "other"})


def test_one_beside_the_index_that_does_not_fit_stops_drafting_alone(opened, drawn, index_folder):
    other = drawn.calibration.model_copy(update={"index": of_another_model(drawn)})
    beside = index_folder.parent / "calibration"
    fits.save_calibration(beside, other, parts=nothing)
    archive = opened()
    assert archive.search("effusion", 3)
    with pytest.raises(MismatchError, match=r"fitted with corpus .* and model other"):
        archive.draft(archive.films_of(archive.corpus.part("test")[0]))


def test_an_index_for_service_drafts_with_the_calibration_of_the_train_index(drawn, tmp_path):
    everything = build_index(drawn.corpus, drawn.encoder, tmp_path / "all", parts=("train", "val", "test"))
    assert drawn.calibration.index.refuses(fitted_to(everything)) == ""


def test_one_of_another_index_is_refused(opened, drawn, tmp_path):
    other = drawn.calibration.model_copy(update={"index": of_another_model(drawn)})
    fits.save_calibration(tmp_path / "c", other, parts=nothing)
    with pytest.raises(MismatchError, match=r"fitted with corpus .* and model other"):
        opened(calibration=tmp_path / "c")


def test_unless_none_is_wanted(opened, drawn, tmp_path):
    other = drawn.calibration.model_copy(update={"index": of_another_model(drawn)})
    fits.save_calibration(tmp_path / "c", other, parts=nothing)
    assert opened(calibration=tmp_path / "c", calibrated=False).calibration is None


def test_a_promise_whose_gate_is_gone_is_refused(opened, drawn, tmp_path):
    promise = Promise(asked=Asked(), patients=90, studies=90, state_at=0.3, deny_at=0.2)
    made = drawn.calibration.model_copy(update={"promise": promise})
    fits.save_calibration(tmp_path / "c", made, parts=nothing)
    with pytest.raises(MismatchError, match=r"a promise without gate\.json.*`xemplar calibrate`"):
        opened(calibration=tmp_path / "c")
    gate = Gate(index=fitted_to(drawn.index), why="too few films")
    fits.save_calibration(tmp_path / "c", made, parts=lambda place: save_gate(place, gate))
    assert opened(calibration=tmp_path / "c").calibration.promise == promise


def test_an_index_that_doesnt_name_its_corpus_asks_for_it(index_folder):
    with pytest.raises(XemplarError, match="does not say where its corpus lies; name it: --corpus"):
        open_archive(index_folder, model="anywhere")


# --- promised -----


def test_where_half_of_the_patients_are_too_few_nothing_is_promised_and_nothing_drafted(
    bare, tmp_path, monkeypatch
):
    monkeypatch.setattr(fits, "WANTED", 1)
    monkeypatch.setattr(module, "half_of", lambda key: "promise")
    made = calibrate(bare, tmp_path / "c")
    assert "too few to fit on" in made.promise.why
    again = Archive(
        bare.corpus,
        bare.encoder,
        bare.index,
        calibration=open_calibration(tmp_path / "c", index=fitted_to(bare.index), names=made.features),
    )
    again.evidence.further = bare.evidence.further
    draft = again.draft(again.films_of(bare.corpus.part("test")[0]))
    assert draft.lines == () and draft.promise.startswith("Not promised: at most 10% of lines wrong")
    assert {why for name, why in draft.abstained.items() if name in made.findings} == {
        f"not promised: {made.promise.why}"
    }


def test_limits_are_found_on_what_the_gate_lets_through_and_it_has_seen_none_of_it(
    bare, tmp_path, monkeypatch
):
    """One half of the patients is for the gate and the fits alone; the other is tested behind the gate."""
    heard = {}

    def found(asked, tested, guessed):
        heard["lines"] = [tested.draft(place, Limits(0.0, 1.0)) for place in range(len(tested.truths))]
        return Promise(asked=asked, patients=len(tested.groups), studies=len(tested.truths), why="a test")

    def fitted(retriever, held_back):
        heard["held_back"] = held_back
        return fit_gate(retriever, held_back)

    def stops(keeper, films, vector):
        return None if films[0].study_id in heard["let"] else "no draft: a test"

    studies = [study for study in bare.corpus.part("val") if study.views]
    keys = sorted({patient_of(study) for study in studies})
    monkeypatch.setattr(fits, "WANTED", 1)
    monkeypatch.setattr(module, "half_of", lambda key: "promise" if key in keys[::2] else "fit")
    tested = [study.study_id for study in studies if patient_of(study) in keys[::2]]
    heard["let"] = set(tested[::2])
    for name, one in (("promised", found), ("fit_gate", fitted)):
        monkeypatch.setattr(module, name, one)
    monkeypatch.setattr(Gatekeeper, "why", stops)
    made = calibrate(bare, tmp_path / "c")
    assert made.promise.why == "a test"
    assert {patient_of(study) for study in heard["held_back"]} == set(keys[1::2])
    drafted = {one for one, lines in zip(tested, heard["lines"], strict=True) if lines}
    assert drafted and drafted <= heard["let"] < set(tested)


@pytest.mark.parametrize("given", [(0.0, 0.05, 0.9), (0.1, 1.0, 0.9), (0.1, 0.05, 2.0)])
def test_a_risk_that_is_none_is_refused(given):
    with pytest.raises(XemplarError, match="wanted a share between 0 and 1"):
        asked_for(*given)


def test_a_promise_that_is_kept_stands_in_every_draft(drawn, queries):
    promise = Promise(asked=Asked(), patients=90, studies=90, state_at=0.3, deny_at=0.2)
    kept = Archive(
        drawn.corpus,
        drawn.encoder,
        drawn.index,
        calibration=drawn.calibration.model_copy(update={"promise": promise, "under": under_of(drawn, None)}),
    )
    drafts = kept.draft_many(queries)
    assert {draft.promise for draft in drafts} == {promise.sentence}
    assert any(draft.lines for draft in drafts)


def test_a_film_far_from_all_is_told_so(drawn, queries):
    far = drawn.calibration.model_copy(update={"nearest": 1.01})
    draft = Archive(drawn.corpus, drawn.encoder, drawn.index, calibration=far).draft(queries[0])
    assert draft.lines == () and "no near neighbours: cosine 0." in draft.abstained["Cardiomegaly"]


# --- a prior -----


def earlier(films):
    """Films of the same patient, as another examination's."""
    return [replace(film, image=film.image * np.float32(0.9), sha256=None) for film in films]


def test_a_prior_of_the_same_patient_is_another_draft(drawn, queries):
    one = drawn.draft(queries[0], prior=earlier(queries[0]))
    assert one.draft_id != drawn.draft(queries[0]).draft_id


def test_a_prior_of_another_patient_is_refused(drawn, queries):
    other = next(q for q in queries if q[0].patient_id != queries[0][0].patient_id)
    with pytest.raises(XemplarError, match="the prior is another patient's"):
        drawn.draft(queries[0], prior=other)


def test_priors_are_one_for_each_study(drawn, queries):
    with pytest.raises(XemplarError, match="1 priors for 2 studies"):
        drawn.draft_many(queries[:2], priors=[None])


# --- drift -----


def test_without_a_promise_there_is_nothing_to_move_away_from(drawn, queries):
    with pytest.raises(XemplarError, match="nothing is promised"):
        drawn.drift_of(queries)


def test_films_that_have_moved_are_told(drawn, queries):
    seen = seen_of({"nearest cosine": np.linspace(-1, -0.5, 50)})
    moved = Archive(
        drawn.corpus,
        drawn.encoder,
        drawn.index,
        calibration=drawn.calibration.model_copy(update={"seen": seen}),
    )
    found = moved.drift_of(queries)
    assert found.films <= len(queries)
    assert found.warns == (found.films >= FEWEST)


def test_a_promise_that_is_found_saved_and_opened_again_is_of_the_drafts(opened, bare, tmp_path, monkeypatch):
    """With the very index, style, lexicon and gate of then: one that reads otherwise makes it void."""
    monkeypatch.setattr(fits, "WANTED", 1)
    # So few patients show nothing: each study is one here, and which limits keep what is asked is given.
    patients = sorted(study.study_id for study in bare.corpus.part("val") if study.views)
    found = Promise(asked=Asked(), patients=4, studies=4, state_at=0.3, deny_at=0.2)
    monkeypatch.setattr(module, "patient_of", lambda study: study.study_id)
    monkeypatch.setattr(module, "half_of", lambda key: "fit" if key in patients[::2] else "promise")
    monkeypatch.setattr(module, "promised", lambda asked, tested, guessed: found)
    made = calibrate(bare, tmp_path / "c")
    assert made.promise.kept and made.under.gate is not None
    again = opened(calibration=tmp_path / "c")
    assert again.calibration == made
    assert again.promise == made.promise
    drafts = again.draft_many([again.films_of(study) for study in bare.corpus.part("test") if study.views])
    said = {draft.promise for draft in drafts if draft.gate is None}
    assert said == {made.promise.sentence} and made.promise.sentence.startswith("Promised: ")
    again.gatekeeper.gate = Gate(index=fitted_to(again.index), why="another")
    assert "found out with gate" in again.promise.sentence
