"""The facade: what may be drafted for whom, the same draft every time, and what is refused."""

import inspect
import json
import subprocess
import sys
import textwrap
from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import Image

from xemplar import archive as module
from xemplar.archive import BLANK, SYNTHETIC_ONLY, Archive, calibrate, fitted_to, open_archive
from xemplar.contracts import Arrival, Drawable
from xemplar.corpus import Corpus, IngestSettings, describe_part, ingest
from xemplar.drafting import calibration as fits
from xemplar.drafting import captions, open_calibration
from xemplar.drafting.calibration import Calibration, FindingFit
from xemplar.errors import MismatchError, XemplarError
from xemplar.findings import FINDINGS
from xemplar.images import PreviewSpec, load_film, model_input
from xemplar.index import build_index, open_index
from xemplar.report import text_key
from xemplar.sources import phantom


class Stub:
    """Pixels and letters as vectors: no training, the same everywhere."""

    fingerprint, preview = "stub", None

    def __init__(self, domain="synthetic"):
        self.domain = domain

    def encode_images(self, images):
        return unit(np.stack([model_input(image, 8).ravel() - 0.4 for image in images]))

    def encode_texts(self, texts):
        counts = [np.bincount([ord(letter) % 64 for letter in text], minlength=64) for text in texts]
        return unit(np.stack(counts) - np.mean(counts))


def unit(rows):
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def by_hand(index):
    """The first feature, the neighbours' votes, with thresholds that leave some undecided."""
    fit = FindingFit(
        mean=[0.0] * 3, scale=[1.0] * 3, weights=[4.0, 0.0, 0.0], intercept=-2.0, state_at=0.3, deny_at=0.2,
        present=9,
    )  # fmt: skip
    drafted = ("Cardiomegaly", "Pleural Effusion", "Pneumothorax", "Consolidation", "Support Devices")
    return Calibration(
        index=fitted_to(index), studies=20, title="t",
        findings=dict.fromkeys(drafted, fit), too_few={name: 0 for name in FINDINGS if name not in drafted},
    )  # fmt: skip


@pytest.fixture(scope="module")
def index_folder(phantom_corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("index") / "index"
    build_index(phantom_corpus, Stub(), folder)
    return folder


@pytest.fixture(scope="module")
def bare(phantom_corpus, index_folder):
    """The drawn archive without a calibration."""
    return Archive(phantom_corpus, Stub(), open_index(index_folder, phantom_corpus, Stub()))


@pytest.fixture(scope="module")
def drawn(bare):
    return Archive(bare.corpus, bare.encoder, bare.index, calibration=by_hand(bare.index))


@pytest.fixture(scope="module")
def queries(drawn):
    return [drawn.films_of(study) for study in drawn.corpus.part("test") if study.views]


def ingested(folder, count=14, **settings):
    """A few drawn studies under another domain or as captions."""
    given = {
        "domain": "clinical",
        "texts": "reports",
        "fractions": (1.0, 0.0, 0.0),
        **settings,
    }
    arrivals = []
    for arrival in phantom.studies(count):
        study = replace(arrival.study, domain=given["domain"], prior_id=None)
        if given["texts"] == "captions":
            caption = f"Figure {study.study_id[-2:]}. {study.impression}"
            study = replace(study, impression=caption, findings=None, labels={})
        arrivals.append(replace(arrival, study=study))
    made = IngestSettings(**given, source="t", preview=PreviewSpec(size=64))
    ingest(arrivals, folder / "corpus", made, key_salt=b"t")
    return Corpus.open(folder / "corpus")


@pytest.fixture(scope="module")
def captioned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captions")
    corpus = ingested(folder, domain="figures", texts="captions")
    return Archive(corpus, Stub("figures"), build_index(corpus, Stub("figures"), folder / "index"))


@pytest.fixture
def figure(tmp_path):
    """A picture that says nothing of where it comes from."""
    pixels = np.add.outer(np.arange(120), np.arange(100)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "figure.png")
    return tmp_path / "figure.png"


# --- the gate -----


def test_a_drawn_archive_drafts_for_a_film_that_says_it_is_drawn(drawn, tmp_path):
    phantom.save_film(next(phantom.studies(1, seed=7)), 0, tmp_path / "film.png")
    draft = drawn.draft(drawn.load_film(tmp_path / "film.png"))
    assert draft.gate is None and draft.lines


def test_a_drawn_archive_drafts_for_no_film_that_doesnt_say_so(drawn, figure):
    draft = drawn.draft(drawn.load_film(figure))
    assert draft.lines == () and draft.gate == SYNTHETIC_ONLY


@pytest.mark.parametrize("domain", ["clinical", "figures", None])
def test_nor_for_one_of_another_domain(drawn, queries, domain):
    draft = drawn.draft(replace(queries[0][0], domain=domain))
    assert draft.lines == () and draft.gate == SYNTHETIC_ONLY


def test_one_foreign_view_stops_the_study(drawn, queries):
    views = [queries[0][0], replace(queries[0][0], domain=None)]
    assert drawn.draft(views).gate == SYNTHETIC_ONLY


def test_search_answers_all_the_same(drawn, figure):
    for kind in ("image", "sentence", "report"):
        assert len(drawn.search(drawn.load_film(figure), 3, kind=kind)) == 3


def test_a_drawn_model_over_a_clinical_corpus_drafts_for_nobody_else(tmp_path):
    corpus = ingested(tmp_path)
    index = build_index(corpus, Stub(), tmp_path / "index")
    archive = Archive(corpus, Stub(), index, calibration=by_hand(index))
    draft = archive.draft(archive.films_of(corpus.studies[0]))
    assert draft.gate == SYNTHETIC_ONLY and draft.lines == ()


def test_a_clinical_archive_drafts_for_a_film_of_unknown_origin(tmp_path, figure):
    corpus, encoder = ingested(tmp_path), Stub("clinical")
    index, film = build_index(corpus, encoder, tmp_path / "index"), load_film(figure, PreviewSpec(size=64))
    assert Archive(corpus, encoder, index, calibration=by_hand(index)).draft(film).gate is None


@pytest.mark.parametrize("callable_", [Archive.draft, Archive.draft_many, Archive.__init__, open_archive])
def test_no_flag_turns_the_gate_off(callable_):
    known = {
        "self", "views", "studies", "corpus", "encoder", "index", "calibration", "model", "calibrated",
        "vectors",
    }  # fmt: skip
    assert set(inspect.signature(callable_).parameters) <= known


def test_a_blank_image_is_stopped(drawn, queries):
    film = replace(queries[0][0], pixels=replace(queries[0][0].pixels, steps=("blank",)))
    assert drawn.draft(film).gate == BLANK


def test_a_blank_file_is_stopped(captioned, tmp_path):
    Image.fromarray(np.full((90, 90), 77, np.uint8)).save(tmp_path / "blank.png")
    draft = captioned.draft(captioned.load_film(tmp_path / "blank.png"))
    assert draft.gate == BLANK and draft.lines == ()
    assert draft.policy == captions.POLICY


def test_one_view_that_isnt_blank_is_enough(drawn, queries):
    blank = replace(queries[0][0], pixels=replace(queries[0][0].pixels, steps=("blank",)))
    assert drawn.draft([blank, queries[0][0]]).gate is None


def test_a_study_without_an_image_is_refused(drawn):
    with pytest.raises(XemplarError, match="a study without an image"):
        drawn.draft([])


# --- drafts -----


def rows(drafts):
    return [json.dumps(asdict(draft), sort_keys=False) for draft in drafts]


def test_a_draft_is_the_same_alone_or_among_others(drawn, queries):
    assert rows(drawn.draft_many(queries)) == rows(drawn.draft(query) for query in queries)


def test_a_draft_is_the_same_whatever_is_stopped_beside_it(drawn, queries):
    stopped = replace(queries[0][0], domain=None)
    made = drawn.draft_many([stopped, queries[0], stopped, queries[1]])
    assert rows(made[1::2]) == rows(drawn.draft_many(queries[:2]))


OTHER = """
    import json, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from test_archive import Archive, Corpus, Stub, by_hand, rows
    from xemplar.index import open_index
    corpus = Corpus.open(sys.argv[2])
    index = open_index(sys.argv[3], corpus, Stub())
    archive = Archive(corpus, Stub(), index, calibration=by_hand(index))
    films = [archive.films_of(study) for study in corpus.part("test") if study.views]
    print(json.dumps(rows(archive.draft_many(films))))
"""


def test_a_draft_is_the_same_in_another_process(drawn, queries, index_folder, request):
    folders = [str(request.path.parent), str(drawn.corpus.folder), str(index_folder)]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(OTHER), *folders], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == rows(drawn.draft_many(queries))


def test_every_finding_is_said_or_told_why_not(drawn, queries):
    for draft in drawn.draft_many(queries):
        said = {claim.finding for line in draft.lines for claim in line.claims}
        assert said | set(draft.abstained) == set(FINDINGS)
        assert not said & set(draft.abstained)


def test_a_finding_never_calibrated_says_so(drawn, queries):
    assert drawn.draft(queries[0]).abstained["Fracture"] == "no calibration study has it, 8 wanted"


def test_no_line_comes_from_the_patient_asked_about(tmp_path):
    corpus = ingested(tmp_path, domain="synthetic")
    index = build_index(corpus, Stub(), tmp_path / "index")
    archive = Archive(corpus, Stub(), index, calibration=by_hand(index))
    lines = 0
    for study in corpus.studies:
        for line in archive.draft(archive.films_of(study)).lines:
            assert study.patient_id not in {corpus.by_id[i].patient_id for i in line.source_study_ids}
            lines += 1
    assert lines > 5


def test_another_calibration_is_another_draft(drawn, queries, bare):
    other = by_hand(bare.index).model_copy(update={"title": "other"})
    again = Archive(bare.corpus, bare.encoder, bare.index, calibration=other)
    assert again.draft(queries[0]).draft_id != drawn.draft(queries[0]).draft_id


def test_other_pixels_are_another_draft(drawn, queries):
    film = queries[0][0]
    assert drawn.draft(film).draft_id != drawn.draft(replace(film, image=film.image * 0.9)).draft_id


def test_without_a_calibration_there_is_no_draft(bare, queries):
    with pytest.raises(XemplarError, match=r"no calibration is open.*run `xemplar calibrate`"):
        bare.draft(queries[0])


def test_a_draft_carries_the_archives_name(drawn, queries):
    draft = drawn.draft(queries[0])
    assert (draft.domain, draft.fingerprint) == ("synthetic", drawn.fingerprint)
    assert draft.study_id == queries[0][0].study_id


# --- captions -----


def test_captions_are_drafted_whole_with_their_sources(captioned, figure):
    draft = captioned.draft(captioned.load_film(figure))
    written = {text_key(s.text): s for s in captioned.corpus.studies}
    assert len(draft.lines) == captions.LINES and draft.policy == captions.POLICY
    for line in draft.lines:
        assert line.text == line.sentence_text == " ".join(written[line.sentence_id].text.split())
        assert line.source_study_ids == (written[line.sentence_id].study_id,)


def test_a_captions_confidence_is_unknown(captioned, figure):
    draft = captioned.draft(captioned.load_film(figure))
    assert all(line.confidence is None and line.claims == () for line in draft.lines)
    assert draft.abstained == {}


def test_captions_are_the_nearest_ones(captioned, figure):
    film = captioned.load_film(figure)
    items = captioned.index.items["sentence"]
    cosines = np.asarray(items.vectors) @ captioned.encoder.encode_images([film.image])[0]
    nearest = [items.ids[row] for row in np.argsort(-cosines, kind="stable")[: captions.LINES]]
    assert [line.sentence_id for line in captioned.draft(film).lines] == nearest


def test_a_figure_of_the_corpus_is_not_its_own_source(captioned):
    for study in captioned.corpus.studies[:5]:
        for line in captioned.draft(captioned.films_of(study)).lines:
            assert study.study_id not in line.source_study_ids


# --- calibrate -----


def test_calibrate_fits_this_index_and_is_found_again(bare, tmp_path, monkeypatch):
    monkeypatch.setattr(fits, "WANTED", 1)
    made = calibrate(bare, tmp_path / "c")
    assert open_calibration(tmp_path / "c", index=fitted_to(bare.index)) == made
    again = Archive(bare.corpus, bare.encoder, bare.index, calibration=made)
    assert again.draft(again.films_of(bare.corpus.part("test")[0])).gate is None


def test_a_calibration_names_its_domain_and_patients(bare, tmp_path, monkeypatch):
    monkeypatch.setattr(fits, "WANTED", 1)
    studies = [study for study in bare.corpus.part("val") if study.views]
    title = calibrate(bare, tmp_path / "c").title
    assert title == describe_part("synthetic", studies)
    assert title.startswith(f"synthetic, {len({s.patient_id for s in studies})} patients")


def test_calibrate_hears_what_a_loop_would_hear(bare, tmp_path, monkeypatch):
    """Features and truths of the validation part alone, each study by itself."""
    heard = {}
    monkeypatch.setattr(module.drafting, "fit", lambda f, s, **_: heard.update(features=f, studies=s))
    monkeypatch.setattr(module.drafting, "save_calibration", lambda *_: {})
    calibrate(bare, tmp_path / "c")
    wanted = [study for study in bare.corpus.part("val") if study.views]
    assert heard["studies"] == wanted
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
    calibration = calibrate(archive, tmp_path / "c")
    assert (calibration.studies, calibration.near_duplicates) == (3, 1)
    assert calibration.title == describe_part("synthetic", corpus.part("val")[:3])


def test_calibrate_refuses_an_index_that_holds_its_patients(phantom_corpus, tmp_path):
    index = build_index(phantom_corpus, Stub(), tmp_path / "i", parts=("train", "val"))
    with pytest.raises(XemplarError, match="the index holds the validation part; wanted an index of train"):
        calibrate(Archive(phantom_corpus, Stub(), index), tmp_path / "c")


def test_calibrate_refuses_captions(captioned, tmp_path):
    with pytest.raises(XemplarError, match=r"a corpus of captions has no findings.*caption drafts need none"):
        calibrate(captioned, tmp_path / "c")


def test_calibrate_refuses_a_corpus_without_validation_studies(tmp_path):
    corpus = ingested(tmp_path, domain="synthetic")
    archive = Archive(corpus, Stub(), build_index(corpus, Stub(), tmp_path / "index"))
    with pytest.raises(XemplarError, match="no validation study"):
        calibrate(archive, tmp_path / "c")


@pytest.fixture
def opened(monkeypatch, phantom_corpus, index_folder):
    """`open_archive` with a stub for the model."""
    monkeypatch.setattr("xemplar.models.checkpoint.open_model", lambda folder: Stub())

    def make(**rest):
        return open_archive(index_folder, corpus=phantom_corpus.folder, model="anywhere", **rest)

    return make


def test_an_archive_opens_without_a_calibration(opened):
    assert opened().describe()["calibrated"] is False


def test_an_archive_opens_with_the_calibration_that_fits(opened, drawn, tmp_path):
    fits.save_calibration(tmp_path / "c", drawn.calibration)
    assert opened(calibration=tmp_path / "c").fingerprint == drawn.fingerprint


def of_another_model(archive):
    return fitted_to(archive.index).model_copy(update={"fingerprint": "other", "model": "other"})


def test_one_beside_the_index_that_does_not_fit_stops_drafting_alone(opened, drawn, index_folder):
    other = drawn.calibration.model_copy(update={"index": of_another_model(drawn)})
    beside = index_folder.parent / "calibration"
    fits.save_calibration(beside, other)
    archive = opened()
    assert archive.search("effusion", 3)
    with pytest.raises(MismatchError, match=r"fitted with corpus .* and model other"):
        archive.draft(archive.films_of(archive.corpus.part("test")[0]))


def test_an_index_for_service_drafts_with_the_calibration_of_the_train_index(drawn, tmp_path):
    everything = build_index(drawn.corpus, drawn.encoder, tmp_path / "all", parts=("train", "val", "test"))
    assert drawn.calibration.index.refuses(fitted_to(everything)) == ""


def test_one_of_another_index_is_refused(opened, drawn, tmp_path):
    other = drawn.calibration.model_copy(update={"index": of_another_model(drawn)})
    fits.save_calibration(tmp_path / "c", other)
    with pytest.raises(MismatchError, match=r"fitted with corpus .* and model other"):
        opened(calibration=tmp_path / "c")


def test_unless_none_is_wanted(opened, drawn, tmp_path):
    other = drawn.calibration.model_copy(update={"index": of_another_model(drawn)})
    fits.save_calibration(tmp_path / "c", other)
    assert opened(calibration=tmp_path / "c", calibrated=False).calibration is None


def test_an_index_that_doesnt_name_its_corpus_asks_for_it(index_folder):
    with pytest.raises(XemplarError, match="does not say where its corpus lies; name it: --corpus"):
        open_archive(index_folder, model="anywhere")
