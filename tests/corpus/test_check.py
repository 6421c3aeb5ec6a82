"""`corpus check`: every flipped byte is named, and so is whatever doesn't fit together."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from handmade import NOWHERE, Pattern, arrival, corpus_of, many
from xemplar.corpus import Corpus, check_corpus, schema
from xemplar.corpus.settings import publish_corpus
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import describe_file

KINDS = ("studies", "sentences", "views", "previews", "landmarks")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A corpus with every kind of file: two segments, rejected lines, near-duplicates kept."""
    folder = tmp_path_factory.mktemp("whole") / "c"
    corpus = corpus_of([*many(6), arrival(99, images=[NOWHERE])], folder)
    assert corpus.near_duplicates == ()
    return folder


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("untouched") / "c"
    corpus_of(many(6), folder)
    return folder


@pytest.fixture
def corpus(untouched, tmp_path):
    """A corpus to be spoilt."""
    return Corpus.open(shutil.copytree(untouched, tmp_path / "c"))


def test_a_whole_corpus_has_nothing_wrong(whole):
    found = check_corpus(whole)
    assert (found.wrong, found.notes) == ([], [])
    assert found.summary == "11 files, 6 studies, 9 views looked at; all as it should be"


def every_file(folder):
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock"]


def test_a_flipped_byte_of_any_file_is_named(whole):
    files = every_file(whole)
    assert {"corpus.json", "salt", "rejected.jsonl", "near_duplicates.json"} <= {path.name for path in files}
    for path in files:
        name, data = path.relative_to(whole).as_posix(), path.read_bytes()
        for place, flip in ((0, 1), (len(data) // 3, 0xFF), (len(data) // 2, 1), (len(data) - 1, 0xFF)):
            path.write_bytes(data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :])
            try:
                told = check_corpus(whole).wrong
            finally:
                path.write_bytes(data)
            assert [line for line in told if line.startswith(f"{name}: ")], (name, place, told)


def test_every_byte_of_the_manifest_counts(whole):
    path = whole / "corpus.json"
    data = path.read_bytes()
    for place in range(0, len(data), 37):
        path.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        try:
            told = check_corpus(whole).wrong
        finally:
            path.write_bytes(data)
        assert told[:1] and told[0].startswith("corpus.json: its bytes are not those"), (place, told)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_and_a_short_file_are_named(corpus, kind):
    path = next((corpus.folder / kind).iterdir())
    name, data = path.relative_to(corpus.folder).as_posix(), path.read_bytes()
    path.write_bytes(data[:-1])
    assert f"{name}: has {len(data) - 1} bytes; wanted {len(data)}" in corpus.check()
    path.unlink()
    assert f"{name}: is missing" in corpus.check()


def test_a_file_that_nobody_lists_is_named(corpus):
    (corpus.folder / "notes.txt").write_text("x")
    assert corpus.check() == ["notes.txt: the manifest doesn't list it"]


def test_what_a_killed_ingest_leaves_is_told_and_not_wrong(corpus):
    (corpus.folder / "studies/000002.parquet").write_bytes(b"half")
    (corpus.folder / ".corpus.json.123.tmp").write_bytes(b"half")
    found = check_corpus(corpus.folder)
    assert found.wrong == []
    assert found.notes == ["2 files left by an ingest that was stopped; the next one clears them"]


def test_a_torn_tail_of_the_rejected_does_not_count(whole):
    path = whole / "rejected.jsonl"
    data = path.read_bytes()
    path.write_bytes(data + b'{"key": "to')
    try:
        assert check_corpus(whole).wrong == []
    finally:
        path.write_bytes(data)


def test_a_copy_without_its_salt_is_told(corpus):
    (corpus.folder / "salt").unlink()
    found = check_corpus(corpus.folder)
    assert found.wrong == []
    assert found.notes == ["salt: not here, so this copy can be read and not added to"]


def test_another_salt_is_refused_by_the_next_ingest(corpus):
    (corpus.folder / "salt").write_bytes(b"handmadf")
    with pytest.raises(MismatchError, match="its salt has changed"):
        corpus_of(many(7), corpus.folder)


def test_another_version_is_refused_and_not_called_damaged(corpus):
    manifest = {name: value for name, value in corpus.manifest.items() if name != "checksum"}
    (corpus.folder / "corpus.json").write_text(json.dumps({**manifest, "version": 1}))
    with pytest.raises(XemplarError, match="corpus of version 1; wanted version 2"):
        check_corpus(corpus.folder)


def rewritten(corpus, kind, change, table=None):
    """A segment's table rewritten, with the manifest that a writer with this fault would have made."""
    name = f"{kind}/000000.parquet"
    rows = pq.read_table(corpus.folder / name).to_pylist()
    change(rows)
    table = table or {"studies": schema.STUDIES, "views": schema.VIEWS, "sentences": schema.SENTENCES}[kind]
    pq.write_table(pa.Table.from_pylist(rows, schema=table), corpus.folder / name)
    manifest = json.loads((corpus.folder / "corpus.json").read_text())
    manifest["segments"]["000000"]["files"][name] = describe_file(corpus.folder / name)
    publish_corpus(corpus.folder, manifest)
    return "\n".join(check_corpus(corpus.folder).wrong)


@pytest.mark.parametrize(
    ("kind", "column", "value", "said"),
    [
        ("studies", "study_id", "MRN 4711", r"a key that isn't a salted one"),
        ("studies", "patient_id", "source-patient-1", r"a key that isn't a salted one"),
        ("studies", "split", "training", r"split 'training'; wanted one of train, val, test"),
        ("studies", "domain", "clinical", r"domain 'clinical'; wanted one of synthetic"),
        ("studies", "facets", [("cluster", "P1")], r"a key that isn't a salted one"),
        ("views", "study_id", "0" * 16, r"is of no study of its segment"),
        ("views", "row", 7, r"don't name the previews one by one"),
        ("sentences", "study_ids", ["0" * 16], r"was written by no study of its segment"),
        ("sentences", "study_ids", [], r"was written by no study of its segment"),
    ],
)
def test_what_does_not_fit_is_said(corpus, kind, column, value, said):
    told = rewritten(corpus, kind, lambda rows: rows[0].update({column: value}))
    assert said in told


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("finding", "Gout", "a claim of 'Gout'"),
        ("presence", "maybe", "none of present"),
        ("end", -1, "no range"),
    ],
)
def test_a_claim_that_cannot_be_is_said(corpus, field, value, said):
    def change(rows):
        claims = next(row["claims"] for row in rows if row["claims"])
        claims[0][field] = value

    assert said in rewritten(corpus, "studies", change)


def test_a_lost_row_is_counted(corpus):
    assert "studies/000000.parquet: 3 rows; wanted 4" in rewritten(corpus, "studies", lambda rows: rows.pop())


def test_a_study_twice_is_said(corpus):
    told = rewritten(corpus, "studies", lambda rows: rows.append(rows[0]))
    assert "is there 2 times" in told


def test_other_columns_are_said(corpus):
    table = schema.SENTENCES.remove(schema.SENTENCES.get_field_index("text"))
    told = rewritten(corpus, "sentences", lambda rows: [row.pop("text") for row in rows], table)
    assert "sentences/000000.parquet: not the columns and types of this version" in told


def test_a_missing_required_value_is_said(corpus):
    table = pa.schema([field.with_nullable(True) for field in schema.VIEWS])
    told = rewritten(corpus, "views", lambda rows: rows[0].update(view_id=None), table)
    assert "views/000000.parquet: " in told


@pytest.mark.parametrize("what", ["patient", "group"])
def test_a_patient_or_group_in_two_splits_is_a_leak(corpus, what):
    def change(rows):
        first = rows[0]
        for row in rows[1:]:
            row["split"] = "val" if first["split"] != "val" else "test"
            if what == "patient":
                row["patient_id"] = first["patient_id"]
            else:
                row["facets"] = first["facets"]

    assert f"leak: {what} " in rewritten(corpus, "studies", change)


def two_splits(tmp_path, *images):
    arrivals = [
        arrival(n, patient=f"p{n}", images=[image], split=split)
        for n, (image, split) in enumerate(zip(images, ("train", "test", "val"), strict=False))
    ]
    return corpus_of(arrivals, tmp_path)


def test_a_film_in_two_splits_is_told_and_not_wrong(tmp_path):
    corpus = two_splits(tmp_path, Pattern(1), Pattern(1), Pattern(2))
    test = next(study for study in corpus.studies if study.split == "test")
    found = check_corpus(corpus.folder)
    assert found.wrong == []
    assert found.notes == [
        f"study {test.study_id} in test shows a film, or nearly, of 1 in train; "
        "it is left out of scoring and calibration"
    ]


def test_other_films_are_none(tmp_path):
    found = check_corpus(two_splits(tmp_path, Pattern(1), Pattern(3), Pattern(2)).folder)
    assert (found.wrong, found.notes) == ([], [])


def test_a_prior_that_is_elsewhere_is_told_and_not_wrong(tmp_path):
    one = arrival(1, patient="p")
    corpus_of([replace(one, study=replace(one.study, prior_id="long ago"))], tmp_path)
    found = check_corpus(tmp_path)
    assert found.wrong == []
    assert found.notes == ["1 studies name a prior that is not in this corpus"]


def test_landmarks_of_another_shape_are_said(corpus):
    path = corpus.folder / "landmarks/000000.npy"
    np.save(path, np.zeros((1, 2, 3), np.uint8))
    manifest = json.loads((corpus.folder / "corpus.json").read_text())
    manifest["segments"]["000000"]["files"]["landmarks/000000.npy"] = describe_file(path)
    publish_corpus(corpus.folder, manifest)
    assert "landmarks/000000.npy: not 6 x 40 x 37 bytes" in Corpus.open(corpus.folder).check()
