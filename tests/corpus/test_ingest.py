"""What an ingest makes of arrivals: sentences, claims, keys, previews."""

import hashlib
import hmac
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from handmade import SIZE, Pattern, arrival, content, corpus_of, many, settings
from xemplar.corpus import Corpus, ingest
from xemplar.corpus.writer import said_by
from xemplar.folders import fingerprint
from xemplar.images import PreviewSpec, load_film, read_preview
from xemplar.records import Rejected

SPEC = PreviewSpec(size=SIZE)


def wrote(corpus, text):
    """Positions of the studies that wrote a sentence."""
    place = {study.study_id: n for n, study in enumerate(corpus.studies)}
    (sentence,) = (sentence for sentence in corpus.sentences if sentence.text == text)
    return [place[study_id] for study_id in sentence.study_ids]


def test_equal_text_is_one_sentence_with_every_study(tmp_path):
    texts = [
        "No pleural effusion.",
        "Clear lungs.",
        "no  pleural effusion",
        "Clear lungs. No Pleural Effusion!",
    ]
    arrivals = [arrival(n, patient=f"p{n}", findings=text) for n, text in enumerate(texts)]
    corpus = corpus_of(arrivals, tmp_path, segment_size=2)  # so that it spans segments
    assert len(corpus.sentences) == 2
    assert wrote(corpus, "No pleural effusion.") == [0, 2, 3]
    assert wrote(corpus, "Clear lungs.") == [1, 3]


def test_a_sentence_said_twice_in_a_study_names_it_once(tmp_path):
    corpus = corpus_of(
        [arrival(1, findings="Clear lungs. Clear lungs.", impression="Clear lungs.")], tmp_path
    )
    assert wrote(corpus, "Clear lungs.") == [0]


def test_claims_are_read_from_findings_and_impression(tmp_path):
    said = arrival(1, findings="No pleural effusion.", impression="Cardiomegaly.", indication="Pneumothorax?")
    (study,) = corpus_of([said], tmp_path).studies
    assert {(claim.finding, claim.presence) for claim in study.claims} == {
        ("Pleural Effusion", "absent"),
        ("Cardiomegaly", "present"),
    }


def test_a_claim_said_twice_is_held_once(tmp_path):
    said = arrival(1, findings="Cardiomegaly.", impression="There is cardiomegaly.")
    (study,) = corpus_of([said], tmp_path).studies
    assert [claim.finding for claim in study.claims] == ["Cardiomegaly"]


def test_the_language_is_filled_in(tmp_path):
    corpus = corpus_of([arrival(1, findings="The lungs are clear."), arrival(2)], tmp_path)
    assert [study.language for study in corpus.studies] == ["en", None]


GERMAN = "Die Lunge ist beidseits frei und der Erguss ist nicht mehr zu sehen."


@pytest.mark.parametrize(
    ("text", "stated", "held"),
    [(GERMAN, None, "de"), (GERMAN, "de", "de"), (GERMAN, "en", "other"), ("Lungs clear.", "fr", "fr")],
)
def test_another_language_gives_no_sentence_and_stays_whole(tmp_path, text, stated, held):
    corpus = corpus_of([arrival(1, findings=text, language=stated)], tmp_path)
    (study,) = corpus.studies
    assert (study.findings, study.language, study.claims) == (text, held, ())
    assert corpus.sentences == ()


def test_a_sentence_in_another_language_within_an_english_report_is_left_whole(tmp_path):
    text = "The lungs are clear. Derrame pleural derecho y cardiomegalia leve. The heart is normal."
    corpus = corpus_of([arrival(1, findings=text)], tmp_path)
    assert (corpus.studies[0].findings, corpus.studies[0].language) == (text, "en")
    assert [one.text for one in corpus.sentences] == ["The lungs are clear.", "The heart is normal."]


def test_a_caption_is_one_sentence_and_its_claims_are_not_read(tmp_path):
    caption = "Chest X-ray. Cardiomegaly;\n no effusion."
    corpus = corpus_of(
        [arrival(1, impression=caption, domain="figures")], tmp_path, texts="captions", domain="figures"
    )
    (sentence,) = corpus.sentences
    assert sentence.text == "Chest X-ray. Cardiomegaly; no effusion."
    assert sentence.claims == corpus.studies[0].claims == ()
    assert corpus.studies[0].language == "en"


def captions(folder, *texts, **fields):
    arrivals = [
        arrival(n, patient=f"p{n}", impression=text, domain="figures", **fields)
        for n, text in enumerate(texts)
    ]
    return corpus_of(arrivals, folder, texts="captions", domain="figures")


def test_a_caption_in_another_language_is_kept_and_counted_and_gives_no_sentence(tmp_path):
    french = "Radiographie du thorax de face montrant une masse."
    corpus = captions(tmp_path, "Chest X-ray of a mass.", french)
    assert [(study.impression, study.language) for study in corpus.studies] == [
        ("Chest X-ray of a mass.", "en"),
        (french, "fr"),
    ]
    assert [sentence.text for sentence in corpus.sentences] == ["Chest X-ray of a mass."]
    assert corpus.card()["languages"] == {"en": 1, "fr": 1}


def test_the_language_of_a_caption_is_the_source_s_word(tmp_path):
    corpus = captions(tmp_path, "Thorax.", language="de")
    assert (corpus.studies[0].language, corpus.sentences) == ("de", ())


@pytest.mark.parametrize("said", ["en", "en-GB", "EN_us", "English"])
def test_every_word_for_english_is_one(tmp_path, said):
    corpus = corpus_of([arrival(1, findings="The lungs are clear.", language=said)], tmp_path)
    assert (corpus.studies[0].language, len(corpus.sentences)) == ("en", 1)


# Keys


def test_keys_are_hashes_that_change_with_the_salt(tmp_path):
    held = []
    for salt in (b"one", b"another"):
        ingest(many(3), tmp_path / salt.decode(), settings(), key_salt=salt)
        studies = Corpus.open(tmp_path / salt.decode()).studies
        held.append({k for s in studies for k in (s.study_id, s.patient_id, *(v.view_id for v in s.views))})
    assert all(re.fullmatch("[0-9a-f]{16}", key) for key in held[0])
    assert not held[0] & held[1]


def test_a_salt_is_drawn_where_none_is_given(tmp_path):
    for name in ("one", "another"):
        ingest(many(1), tmp_path / name, settings())
    salts = [(tmp_path / name / "salt").read_bytes() for name in ("one", "another")]
    assert len(set(salts)) == 2
    assert {len(salt) for salt in salts} == {16}


def test_a_prior_is_named_by_its_key(tmp_path):
    arrivals = [arrival(1, patient="p"), arrival(2, patient="p", prior_id="source-study-1")]
    first, second = corpus_of(arrivals, tmp_path).studies
    assert second.prior_id == first.study_id


def test_the_salt_is_its_owners_alone(tmp_path):
    corpus_of(many(1), tmp_path)
    assert (tmp_path / "salt").stat().st_mode & 0o777 == 0o600


def values_of(folder):
    """Every file's bytes, and every value of every table but the links to the originals."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.name, path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            names = [
                name for name in table.column_names if not (path.parent.name == "views" and name == "path")
            ]
            yield path.name, repr(table.select(names).to_pylist())


def test_no_id_of_the_source_is_in_any_file(tmp_path):
    unreadable = arrival(90, patient="source-patient-90", images=[Pattern(1), tmp_path / "gone.png"])
    twice = arrival(0, patient="source-patient-0")
    odd = Rejected("source-row-77", "no image column", "row 77")
    corpus_of([*many(8), unreadable, twice, odd], tmp_path / "corpus", split_salt="public")
    found = [(name, text) for name, text in values_of(tmp_path / "corpus") if "source-" in text]
    assert found == []


def test_the_names_looked_for_would_be_found_where_they_may_stand(tmp_path):
    corpus = corpus_of([arrival(1, findings="source-study-1")], tmp_path)
    assert any("source-study-1" in text for _, text in values_of(tmp_path))
    assert corpus.studies[0].views[0].path == "films/1-0.png"


def test_what_tells_a_changed_study_gives_no_patient_away(tmp_path):
    # Texts and paths stand in the corpus: an unsalted hash of them and the patient's id could be tried out.
    keys = []
    for salt in (b"one", b"another"):
        ingest(many(1), tmp_path / salt.decode(), settings(), key_salt=salt)
        table = pq.read_table(tmp_path / salt.decode() / "studies/000000.parquet")
        keys += table.column("content_key").to_pylist()
    bare = fingerprint(said_by(many(1)[0]))
    assert keys[0] != keys[1]
    assert bare not in keys
    assert keys[0] == hmac.new(b"one", f"content\x1f{bare}".encode(), hashlib.sha256).hexdigest()[:16]


# Previews


def test_previews_are_stored_bit_for_bit(tmp_path):
    arrivals = many(9)
    corpus = corpus_of(arrivals, tmp_path)
    for said, study in zip(arrivals, corpus.studies, strict=True):
        stored = corpus.preview_pixels([view.view_id for view in study.views])
        for image, pixels in zip(said.images, stored, strict=True):
            assert pixels.tobytes() == read_preview(image, SPEC).pixels.tobytes()


def test_a_film_of_the_corpus_is_the_film_loaded_from_its_file(tmp_path):
    pixels = np.random.default_rng(3).integers(0, 256, (90, 70), dtype=np.uint8)
    path = tmp_path / "film.png"
    Image.fromarray(pixels).save(path)
    corpus = corpus_of([arrival(1, patient="p", images=[path])], tmp_path / "corpus")
    (study,) = corpus.studies
    film, loaded = corpus.film(study, study.views[0]), load_film(path, SPEC)
    assert film.image.tobytes() == loaded.image.tobytes()
    assert (film.pixels, film.sha256, film.preview) == (loaded.pixels, loaded.sha256, loaded.preview)
    assert (film.study_id, film.patient_id) == (study.study_id, study.patient_id)


def test_two_processes_make_the_same_files_as_one(tmp_path):
    for workers in (1, 2):
        ingest(many(6), tmp_path / str(workers), settings(), workers=workers, key_salt=b"same")
    one, two = (Corpus.open(tmp_path / str(workers)) for workers in (1, 2))
    assert content(one) == content(two)
    assert one.fingerprint == two.fingerprint
