"""A corpus opened: what it refuses, what it says of itself, and what texts or films alone permit."""

import json
import shutil
from datetime import UTC, datetime, timedelta, timezone

import pytest

from handmade import Pattern, arrival, corpus_of, many
from xemplar.corpus import Corpus
from xemplar.corpus.picture import write_card
from xemplar.errors import MismatchError, XemplarError
from xemplar.records import PixelHistory

FILES = [
    f"{kind}/{segment:06d}.{'npy' if kind in ('previews', 'landmarks') else 'parquet'}"
    for kind in ("studies", "views", "sentences", "previews", "landmarks")
    for segment in range(2)
]


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    """A corpus made once; only to be read and copied."""
    return corpus_of(many(6), tmp_path_factory.mktemp("six")).folder


@pytest.fixture
def corpus(six, tmp_path):
    shutil.copytree(six, tmp_path, dirs_exist_ok=True)
    return Corpus.open(tmp_path)


def test_every_file_of_the_tables_is_listed(corpus):
    held = {str(p.relative_to(corpus.folder)) for p in corpus.folder.rglob("*") if p.is_file()}
    assert held - {"corpus.json", "salt", ".lock"} == set(FILES)


def test_another_version_is_refused_naming_both(corpus):
    path = corpus.folder / "corpus.json"
    path.write_text(json.dumps({**corpus.manifest, "version": 12}))
    with pytest.raises(MismatchError, match="corpus of version 12; wanted version 2"):
        Corpus.open(corpus.folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_on_open(corpus, name):
    (corpus.folder / name).unlink()
    with pytest.raises(MismatchError, match=f"{name} is missing; wanted [0-9]+ bytes"):
        Corpus.open(corpus.folder)


@pytest.mark.parametrize("name", FILES)
def test_a_short_file_is_named_on_open(corpus, name):
    path = corpus.folder / name
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(MismatchError, match=f"{name} has {len(data) - 1} bytes; wanted {len(data)} bytes"):
        Corpus.open(corpus.folder)


def test_check_finds_nothing_wrong_with_a_whole_corpus(corpus):
    assert corpus.check() == []


@pytest.mark.parametrize("name", FILES)
def test_check_names_a_file_with_a_flipped_bit(corpus, name):
    path = corpus.folder / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert Corpus.open(corpus.folder).check() == [f"{name}: SHA-256 differs from the manifest's"]


def everything(corpus):
    views = [view.view_id for study in corpus.studies for view in study.views]
    pixels = [pixels.copy() for pixels in corpus.preview_pixels(views)]
    return corpus.studies, corpus.sentences, pixels, corpus.landmarks()


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named_with_the_remedy(corpus, name):
    path = corpus.folder / name
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(XemplarError, match=f"{name} can't be read; run `xemplar corpus check`"):
        everything(Corpus.open(corpus.folder))


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith("000000.parquet")])
def test_a_flipped_bit_of_a_table_is_told_or_harms_nothing(corpus, name):
    path = corpus.folder / name
    data, whole, told = path.read_bytes(), everything(corpus)[:2], 0
    for place in range(0, len(data), len(data) // 30):
        path.write_bytes(data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :])
        try:
            assert everything(Corpus.open(corpus.folder))[:2] == whole
        except XemplarError as error:
            assert name in str(error)
            told += 1
    assert told > 10


def test_a_damaged_table_is_named_when_the_corpus_grows(corpus):
    path = corpus.folder / "studies/000000.parquet"
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(
        XemplarError, match=r"studies/000000\.parquet can't be read; run `xemplar corpus check`"
    ):
        corpus_of(many(7), corpus.folder)


def rewritten(corpus, **changes):
    manifest = json.loads((corpus.folder / "corpus.json").read_text())
    manifest = {name: value for name, value in {**manifest, **changes}.items() if value is not None}
    (corpus.folder / "corpus.json").write_text(json.dumps(manifest))
    return corpus.folder


NEEDED = ["generation", "complete", "settings", "preview_fingerprint", "lexicon", "segments", "rejected"]


@pytest.mark.parametrize("opened", [Corpus.open, lambda folder: corpus_of(many(7), folder)])
@pytest.mark.parametrize("key", NEEDED)
def test_a_manifest_without_a_key_is_refused(corpus, key, opened):
    with pytest.raises(
        MismatchError, match=rf"corpus\.json does not fit this program \({key}: Field required"
    ):
        opened(rewritten(corpus, **{key: None}))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"colour": 1}, "settings.colour: Extra inputs"),
        ({"domain": "zoo"}, "settings.domain: Input should be"),
        ({"fractions": [0, 0, 0]}, "settings.fractions: .*not all 0"),
    ],
)
def test_a_manifest_with_unknown_settings_is_refused(corpus, changed, said):
    folder = rewritten(corpus, settings={**corpus.manifest["settings"], **changed})
    with pytest.raises(MismatchError, match=said):
        Corpus.open(folder)


def test_a_manifest_whose_segment_lacks_its_files_is_refused(corpus):
    with pytest.raises(MismatchError, match=r"segments\.000000\.files: Field required"):
        Corpus.open(rewritten(corpus, segments={"000000": {"studies": 1, "views": 1}}))


def test_the_fingerprint_changes_when_the_corpus_grows(corpus):
    assert corpus_of(many(7), corpus.folder).fingerprint != corpus.fingerprint


def test_the_fingerprint_is_of_the_content_not_of_the_place(corpus, tmp_path_factory):
    elsewhere = corpus_of(many(6), tmp_path_factory.mktemp("elsewhere"))
    assert elsewhere.fingerprint == corpus.fingerprint


def test_a_study_comes_back_as_it_went_in(tmp_path):
    said = arrival(
        1,
        patient="p",
        findings="Käse.\nTwo lines.",
        indication="Cough.",
        comparison="None.",
        acquired_at=datetime(2021, 3, 4, 5, 6, 7, 8),
        modality="CR",
        study_uid="1.2.3",
        accession="A1",
        report_status="final",
        report_version=3,
        labels={"Cardiomegaly": "absent", "Fracture": "uncertain"},
        facets={"sex": "F"},
        licence="CC0-1.0",
        source="a hospital",
    )
    (held,) = corpus_of([said], tmp_path).studies
    for name in (
        *("domain", "findings", "impression", "indication", "comparison", "acquired_at", "modality"),
        *("study_uid", "accession", "report_status", "report_version", "labels", "licence", "source"),
    ):
        assert getattr(held, name) == getattr(said.study, name), name
    assert held.facets["sex"] == "F"


@pytest.mark.parametrize(
    ("said", "held"),
    [
        (datetime(2021, 3, 4, 0, 30, tzinfo=timezone(timedelta(hours=2))), datetime(2021, 3, 3, 22, 30)),
        (datetime(2021, 3, 4, 0, 30, tzinfo=UTC), datetime(2021, 3, 4, 0, 30)),
        (datetime(2021, 3, 4, 0, 30), datetime(2021, 3, 4, 0, 30)),
    ],
)
def test_a_time_with_a_zone_is_brought_to_utc_and_another_kept(tmp_path, said, held):
    (study,) = corpus_of([arrival(1, acquired_at=said)], tmp_path).studies
    assert study.acquired_at == held  # a time with a zone never equals one without


def test_a_view_comes_back_with_what_was_done_to_its_pixels(tmp_path):
    (study,) = corpus_of([arrival(1, images=[Pattern(3)])], tmp_path).studies
    (view,) = study.views
    assert view.pixels == PixelHistory("drawn", 64, 64, 8, "MONOCHROME2")
    assert (view.path, view.sha256) == ("films/1-0.png", None)


def test_a_part_holds_the_studies_of_one_split(corpus):
    parts = [study for split in ("train", "val", "test") for study in corpus.part(split)]
    assert sorted(s.study_id for s in parts) == sorted(s.study_id for s in corpus.part(None))
    assert {study.split for study in corpus.part("train")} == {"train"}


def test_an_unknown_view_is_named(corpus):
    with pytest.raises(XemplarError, match="no view f00"):
        corpus.preview("f00")


def test_the_card_counts(tmp_path):
    arrivals = [
        arrival(1, patient="a", findings="Cardiomegaly.", images=[Pattern(1), Pattern(2)]),
        arrival(2, patient="a", findings="Cardiomegaly. No pleural effusion."),
        arrival(3, patient="b", findings="Die Lunge ist frei und der Erguss ist nicht zu sehen.", images=()),
        arrival(4, patient="b"),
    ]
    card = corpus_of(arrivals, tmp_path).card()
    wanted = {
        "title": "synthetic, 2 patients, 4 studies",
        "studies": 4,
        "patients": 2,
        "views": 4,
        "sentences": 2,
        "rejected": 0,
        "languages": {"en": 2, "de": 1, "unknown": 1},
        "present": {"Cardiomegaly": 2},
        "without_text": 1,
        "without_views": 1,
        "split_units": {"patient": 4},
        "complete": True,
    }
    assert {name: card[name] for name in wanted} == wanted
    assert sum(card["splits"].values()) == 4


def test_texts_alone_make_a_corpus(tmp_path):
    arrivals = [arrival(n, patient=f"p{n}", findings="Clear lungs.", images=()) for n in range(5)]
    corpus = corpus_of(arrivals, tmp_path)
    card = corpus.card()
    assert (card["studies"], card["views"], card["without_views"], card["sentences"]) == (5, 0, 5, 1)
    assert corpus.check() == []


def test_films_alone_make_a_corpus(tmp_path):
    corpus = corpus_of([arrival(n, patient=f"p{n}") for n in range(5)], tmp_path)
    card = corpus.card()
    assert (card["studies"], card["views"], card["without_text"], card["sentences"]) == (5, 5, 5, 0)
    assert corpus.preview(corpus.studies[0].views[0].view_id).shape == (64, 64)


def test_the_title_says_what_drew_the_films(tmp_path):
    corpus = corpus_of([arrival(1, patient="a")], tmp_path, source="phantom-v1 3f9a12bc site A seed 0")
    assert corpus.title == "synthetic (phantom-v1 3f9a12bc), 1 patients, 1 studies"


def test_the_card_tells_ages_by_decade_whatever_their_unit(tmp_path):
    ages = ("63", "067Y", "18M", "unknown")
    arrivals = [arrival(n, patient=f"p{n}", facets={"age": age}) for n, age in enumerate(ages)]
    assert corpus_of(arrivals, tmp_path).card()["ages"] == {"0-9": 1, "60-69": 2}


@pytest.mark.parametrize(("ending", "starts"), [("png", b"\x89PNG"), ("html", b"<!doctype html>")])
def test_the_card_is_drawn(corpus, tmp_path, ending, starts):
    path = tmp_path / f"card.{ending}"
    write_card(corpus, corpus.card(near_duplicates=True), path)
    assert path.read_bytes().startswith(starts)


def test_a_card_of_another_ending_is_refused(corpus, tmp_path):
    with pytest.raises(XemplarError, match=r"a card as \.pdf; wanted \.png or \.html"):
        write_card(corpus, corpus.card(), tmp_path / "card.pdf")
