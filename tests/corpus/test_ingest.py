"""What an ingest makes of arrivals: sentences, claims, splits, keys, previews."""

import hashlib
import hmac
import random
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pydantic import ValidationError

from handmade import NOWHERE, SIZE, Pattern, arrival, content, corpus_of, many, settings
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


# Splits


def crowd(count, *, start=0, patients=60):
    draw = random.Random(5)
    owners = [f"patient {draw.randrange(patients)}" for _ in range(start + count)]
    return [arrival(n, patient=owners[n], images=()) for n in range(start, start + count)]


def splits_of(corpus, arrivals):
    """Split of each source study; a corpus keeps the order of arrival."""
    pairs = zip(arrivals, corpus.studies, strict=True)
    return {arrival.study.study_id: study.split for arrival, study in pairs}


def test_no_patient_is_in_two_splits(tmp_path):
    corpus = corpus_of(crowd(300), tmp_path, segment_size=50)
    of_patient = {}
    for study in corpus.studies:
        of_patient.setdefault(study.patient_id, set()).add(study.split)
    assert {len(splits) for splits in of_patient.values()} == {1}
    assert set().union(*of_patient.values()) == {"train", "val", "test"}


def test_patients_without_a_split_key_stay_together_all_the_same(tmp_path):
    arrivals = [arrival(n, patient=f"p{n % 5}", split_key=None, images=()) for n in range(60)]
    corpus = corpus_of(arrivals, tmp_path, segment_size=50)
    assert len({(study.patient_id, study.split) for study in corpus.studies}) == 5
    assert {study.split_unit for study in corpus.studies} == {"patient"}


def test_splits_come_near_the_fractions(tmp_path):
    arrivals = [arrival(n, patient=f"p{n}", images=()) for n in range(1000)]
    corpus = corpus_of(arrivals, tmp_path, fractions=(0.5, 0.25, 0.25), segment_size=1000)
    counts = [len(corpus.part(split)) for split in ("train", "val", "test")]
    assert counts == pytest.approx([500, 250, 250], abs=50)  # over three standard deviations


def test_growing_the_archive_moves_nobody(tmp_path):
    arrivals = crowd(300)
    before = splits_of(corpus_of(arrivals[:100], tmp_path, segment_size=50), arrivals[:100])
    after = splits_of(corpus_of(arrivals, tmp_path, segment_size=50), arrivals)
    assert before.items() <= after.items()
    assert len(after) == 300


def test_the_same_split_salt_gives_the_same_splits_with_another_key_salt(tmp_path):
    arrivals = crowd(80)
    found = []
    for salt in (b"one", b"another"):
        ingest(arrivals, tmp_path / salt.decode(), settings(segment_size=80), key_salt=salt)
        found.append(splits_of(Corpus.open(tmp_path / salt.decode()), arrivals))
    assert found[0] == found[1]


def test_another_split_salt_gives_other_splits(tmp_path):
    arrivals = crowd(80)
    found = [
        splits_of(corpus_of(arrivals, tmp_path / salt, split_salt=salt, segment_size=80), arrivals)
        for salt in ("one", "another")
    ]
    assert found[0] != found[1]


def test_an_official_split_is_taken_as_given(tmp_path):
    official = ["test", "train", "val"] * 4
    arrivals = [arrival(n, patient=f"p{n}", split=split, images=()) for n, split in enumerate(official)]
    corpus = corpus_of(arrivals, tmp_path)
    assert [study.split for study in corpus.studies] == official
    assert {study.split_unit for study in corpus.studies} == {"official"}


def official(number, split, **owner):
    return arrival(number, split=split, split_unit="official", images=(), **owner)


PATIENT, GROUP = {"patient": "p"}, {"split_key": "article"}


@pytest.mark.parametrize(("owner", "who"), [(PATIENT, "patient"), (GROUP, "group")])
@pytest.mark.parametrize("size", [1, 4])  # across segments, and within one
def test_a_study_whose_patient_is_in_another_split_stays_out(tmp_path, owner, who, size):
    arrivals = [official(n, split, **owner) for n, split in enumerate(("test", "train", "test"))]
    arrivals.append(official(3, "train", patient="q"))
    summary = ingest(arrivals, tmp_path, settings(segment_size=size))
    assert [study.split for study in Corpus.open(tmp_path).studies] == ["test", "test", "train"]
    assert summary.rejected == {f"its {who} is in another split": 1}
    assert summary.first_rejected.reason == f"its {who} is in another split: test, not train"


def test_the_first_split_of_a_patient_stands_when_the_corpus_grows(tmp_path):
    first = [official(0, "val", patient="p"), official(1, "train", split_key="article")]
    ingest(first, tmp_path, settings())
    later = [official(2, "test", patient="p"), official(3, "test", split_key="article")]
    summary = ingest([*first, *later, official(4, "val", patient="p")], tmp_path, settings())
    assert [study.split for study in Corpus.open(tmp_path).studies] == ["val", "train", "val"]
    assert (summary.already_there, sum(summary.rejected.values())) == (2, 2)


def test_a_drawn_split_stands_against_an_official_one(tmp_path):
    ingest([arrival(0, patient="p", images=())], tmp_path, settings())
    (held,) = {study.split for study in Corpus.open(tmp_path).studies}
    others = [split for split in ("train", "val", "test") if split != held]
    summary = ingest([official(1, others[0], patient="p")], tmp_path, settings())
    assert summary.rejected == {"its patient is in another split": 1}


def test_a_patient_in_two_groups_is_in_one_split(tmp_path):
    arrivals = [arrival(n, patient="p", split_key=f"article {n}", images=()) for n in range(30)]
    corpus = corpus_of(arrivals, tmp_path)
    assert len({study.split for study in corpus.studies}) == 1
    assert 1 < len(corpus.studies) < 30


def test_a_study_that_never_entered_places_nobody(tmp_path):
    unreadable = arrival(0, patient="p", split="train", images=[NOWHERE])
    corpus = corpus_of([unreadable, official(1, "test", patient="p")], tmp_path)
    assert [study.split for study in corpus.studies] == ["test"]


def test_a_group_stays_in_one_split(tmp_path):
    arrivals = [arrival(n, split_key=f"article {n % 12}", split_unit="group", images=()) for n in range(120)]
    corpus = corpus_of(arrivals, tmp_path, segment_size=120)
    groups = {(study.facets["cluster"], study.split) for study in corpus.studies}
    assert len(groups) == 12 == len({cluster for cluster, _ in groups})
    assert {study.split_unit for study in corpus.studies} == {"group"}
    assert corpus.title == "synthetic, 12 groups, patients unknown, 120 studies"


def test_a_group_wins_over_the_patients_in_it(tmp_path):
    arrivals = [arrival(n, patient=f"p{n}", split_key="site", images=()) for n in range(40)]
    corpus = corpus_of(arrivals, tmp_path, segment_size=40)
    assert len({(study.facets["cluster"], study.split) for study in corpus.studies}) == 1


def test_a_study_alone_is_split_by_itself_and_says_so(tmp_path):
    corpus = corpus_of([arrival(n, images=()) for n in range(60)], tmp_path, segment_size=60)
    assert len({study.split for study in corpus.studies}) > 1
    assert {study.split_unit for study in corpus.studies} == {"study"}
    assert corpus.patients is None
    assert corpus.title == "synthetic, patients unknown, 60 studies"


def test_a_source_s_facet_is_never_written_over(tmp_path):
    with pytest.raises(ValueError, match="facet named cluster"):
        corpus_of([arrival(1, facets={"cluster": "own"})], tmp_path)


@pytest.mark.parametrize(
    "wrong", [(0, 0, 0), (0.8, -0.1, 0.3), (float("nan"), 0.5, 0.5), (float("inf"), 1, 1)]
)
def test_fractions_that_are_none_are_refused(wrong):
    with pytest.raises(
        ValidationError, match="fractions of train, val and test are 0 or more, and not all 0"
    ):
        settings(fractions=wrong)


@pytest.mark.parametrize("split", [0, 1, 2])
def test_a_part_may_be_the_whole(tmp_path, split):
    fractions = tuple(float(place == split) for place in range(3))
    corpus = corpus_of([arrival(n, images=()) for n in range(20)], tmp_path, fractions=fractions)
    assert {study.split for study in corpus.studies} == {("train", "val", "test")[split]}


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
