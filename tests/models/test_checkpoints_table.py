"""Vectors that somebody else made: tables, keys, and the whole way from index to scores."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as Picture

from drawn_archive import Stub, by_hand, ingested
from xemplar.archive import Archive, open_archive
from xemplar.contracts import Arrival, Encoder
from xemplar.corpus import Corpus, IngestSettings, ingest
from xemplar.errors import MismatchError, XemplarError
from xemplar.evaluation.run import evaluate
from xemplar.images import PreviewSpec, load_film
from xemplar.index import build_index, open_index, origins_of
from xemplar.models.checkpoint import open_model
from xemplar.models.checkpoints.describe import describe
from xemplar.models.checkpoints.table import import_vectors, read_table
from xemplar.records import Study, View

MAKER = "somebody's encoder 1.0"


class Alone(Stub):
    """The stub with a text's vector the same whatever it is encoded with."""

    def encode_texts(self, texts):
        return np.concatenate([super(Alone, self).encode_texts([text]) for text in texts])


def vectors_of(corpus, encoder=None):
    """What another model says of a corpus: view id, sentence text or study id -> row."""
    encoder = encoder or Alone()
    rows = {}
    for study in corpus.studies:
        for view in study.views:
            rows[view.view_id] = encoder.encode_images([corpus.preview(view.view_id)])[0]
        if study.text:
            rows[study.study_id] = encoder.encode_texts([" ".join(study.text.split())])[0]
    for sentence in corpus.sentences:
        rows[sentence.text] = encoder.encode_texts([sentence.text])[0]
    return rows


def write(path, rows, key="id"):
    kind = pa.list_(pa.float32())
    values = pa.array([(3 * row).tolist() for row in rows.values()], kind)  # of no particular length
    pq.write_table(pa.table({key: list(rows), "vector": values}), path)
    return path


@pytest.fixture(scope="module")
def rows(phantom_corpus):
    return vectors_of(phantom_corpus)


@pytest.fixture(scope="module")
def model(phantom_corpus, rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    write(folder / "table.parquet", rows)
    out = folder / "model"
    import_vectors(folder / "table.parquet", phantom_corpus.folder, out, maker=MAKER, domain="synthetic")
    return out


def test_it_keeps_the_contract(model):
    assert isinstance(open_model(model), Encoder)


def test_films_and_texts_get_the_rows_that_were_brought(phantom_corpus, model, rows):
    encoder = open_model(model)
    views = [view.view_id for study in phantom_corpus.studies for view in study.views][:9]
    found = encoder.encode_images(phantom_corpus.previews(views))
    np.testing.assert_allclose(found, np.stack([rows[view] for view in views]), atol=1e-6)
    texts = [sentence.text for sentence in phantom_corpus.sentences[:9]]
    np.testing.assert_allclose(encoder.encode_texts(texts), np.stack([rows[t] for t in texts]), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    assert found.dtype == np.float32


def test_nothing_asked_gives_no_row(model):
    encoder = open_model(model)
    assert encoder.encode_images([]).shape == encoder.encode_texts([]).shape == (0, encoder.dim)


def test_everything_of_the_corpus_was_found(phantom_corpus, model):
    counts = open_model(model).manifest["coverage"]
    assert set(counts) == {"views", "sentences", "reports"}
    assert all(count["found"] == count["of"] > 0 for count in counts.values())
    assert counts["sentences"]["of"] == len(phantom_corpus.sentences)


def test_what_it_lacks_is_counted(model):
    encoder = open_model(model)
    with pytest.raises(MismatchError, match=rf"2 of 2 texts have no vector of {MAKER}"):
        encoder.encode_texts(["never said", "nor this"])
    blank = np.zeros((96, 96), np.float32)
    with pytest.raises(MismatchError, match=r"1 of 1 images have no vector .* --films"):
        encoder.encode_images([blank])


def test_an_error_holds_no_text(model):
    with pytest.raises(MismatchError) as caught:
        open_model(model).encode_texts(["John Doe was here"])
    assert "John" not in str(caught.value)


def test_blanks_between_words_make_no_difference(phantom_corpus, model):
    text = phantom_corpus.sentences[0].text
    encoder = open_model(model)
    assert np.array_equal(*encoder.encode_texts([text, f"  {text.replace(' ', '  ')}\n"]))


def test_another_maker_is_another_fingerprint(phantom_corpus, model, rows, tmp_path):
    write(tmp_path / "t.parquet", rows)
    import_vectors(
        tmp_path / "t.parquet", phantom_corpus.folder, tmp_path / "m", maker="other", domain="synthetic"
    )
    assert open_model(tmp_path / "m").fingerprint != open_model(model).fingerprint


def test_the_same_table_has_the_same_fingerprint(phantom_corpus, model, rows, tmp_path):
    write(tmp_path / "t.parquet", rows)
    import_vectors(
        tmp_path / "t.parquet", phantom_corpus.folder, tmp_path / "m", maker=MAKER, domain="synthetic"
    )
    assert open_model(tmp_path / "m").fingerprint == open_model(model).fingerprint


def test_from_index_to_scores(phantom_corpus, model, tmp_path):
    """A table does all that the encoder itself does, and says the same."""
    encoder, folder = open_model(model), tmp_path / "index"
    build_index(phantom_corpus, encoder, folder, origins=origins_of(folder, phantom_corpus.folder, model))
    archive = open_archive(folder)
    own = build_index(phantom_corpus, Alone(), tmp_path / "own")
    wanted = Archive(phantom_corpus, Alone(), own)
    study = phantom_corpus.part("test")[0]
    films = archive.films_of(study)
    for kind in ("image", "sentence", "report"):
        found, other = (one.search(films, 5, kind=kind) for one in (archive, wanted))
        assert [hit.item_id for hit in found] == [hit.item_id for hit in other]
    text = phantom_corpus.sentences[0].text
    found, other = (one.search(text, 5) for one in (archive, wanted))
    assert [hit.item_id for hit in found] == [hit.item_id for hit in other]
    archive.calibration = by_hand(archive.index)
    assert archive.draft(films).gate is None
    result = evaluate(archive, split="test", replicates=100, seed=0)
    assert result.summary["model"]["fingerprint"] == encoder.fingerprint


def test_an_index_of_other_vectors_is_refused(phantom_corpus, model, rows, tmp_path):
    build_index(phantom_corpus, open_model(model), tmp_path / "index")
    write(tmp_path / "t.parquet", rows)
    import_vectors(tmp_path / "t.parquet", phantom_corpus.folder, tmp_path / "m", maker="other")
    with pytest.raises(MismatchError, match="the index was made with model"):
        open_index(tmp_path / "index", phantom_corpus, open_model(tmp_path / "m"))


def test_words_that_no_table_has_are_refused_in_a_search(phantom_corpus, model, tmp_path):
    index = build_index(phantom_corpus, open_model(model), tmp_path / "index")
    archive = Archive(phantom_corpus, open_model(model), index)
    with pytest.raises(MismatchError, match="1 of 1 texts have no vector"):
        archive.search("left pleural effusion", 3)


def test_previews_of_another_size_are_refused(model, tmp_path):
    corpus = ingested(tmp_path)
    with pytest.raises(MismatchError, match=r"previews of \d+ pixels a side .*--preview-size \d+"):
        build_index(corpus, open_model(model), tmp_path / "index")


@pytest.mark.parametrize("missing", ["images", "texts"])
def test_half_a_table_serves_that_half(phantom_corpus, rows, tmp_path, missing):
    views = {view.view_id for study in phantom_corpus.studies for view in study.views}
    half = {key: row for key, row in rows.items() if (key in views) != (missing == "images")}
    write(tmp_path / "t.parquet", half)
    import_vectors(tmp_path / "t.parquet", phantom_corpus.folder, tmp_path / "m", maker=MAKER)
    encoder = open_model(tmp_path / "m")
    with pytest.raises(MismatchError, match=rf"of \d+ {missing} have no vector"):
        build_index(phantom_corpus, encoder, tmp_path / "index")


@pytest.mark.parametrize("form", ["digest", "bytes"])
def test_texts_are_known_by_their_digest_too(phantom_corpus, rows, tmp_path, form):
    text = phantom_corpus.sentences[3].text
    key = hashlib.sha256(text.encode()).hexdigest() if form == "digest" else text
    write(tmp_path / "t.parquet", {key: rows[text]}, key="text_id" if form == "digest" else "text")
    import_vectors(tmp_path / "t.parquet", phantom_corpus.folder, tmp_path / "m", maker=MAKER)
    np.testing.assert_allclose(open_model(tmp_path / "m").encode_texts([text])[0], rows[text], atol=1e-6)


def test_a_film_of_no_corpus_is_known_by_its_file(phantom_corpus, rows, tmp_path):
    path = tmp_path / "film.png"
    Picture.fromarray(np.add.outer(np.arange(90), np.arange(80)).astype(np.uint8)).save(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    row = np.ones(64, np.float32) / 8
    write(tmp_path / "t.parquet", {**rows, digest: row})
    more = {"films": [path]}
    import_vectors(tmp_path / "t.parquet", phantom_corpus.folder, tmp_path / "m", maker=MAKER, more=more)
    encoder = open_model(tmp_path / "m")
    film = load_film(path, phantom_corpus.settings.preview)
    np.testing.assert_allclose(encoder.encode_images([film.image])[0], row, atol=1e-6)
    assert encoder.manifest["coverage"]["films"] == {"found": 1, "of": 1}


@pytest.mark.parametrize("suffix", [".txt", ".json"])
def test_numpy_tables_and_their_keys(phantom_corpus, rows, tmp_path, suffix):
    np.save(tmp_path / "t.npy", np.stack(list(rows.values())).astype(np.float64))
    keys = json.dumps(list(rows)) if suffix == ".json" else "\n".join(rows)
    (tmp_path / f"ids{suffix}").write_text(keys)
    brought = read_table(tmp_path / "t.npy", ids=tmp_path / f"ids{suffix}")
    assert brought.keys == {key: place for place, key in enumerate(rows)}
    np.testing.assert_allclose(brought.vectors, np.stack(list(rows.values())), atol=1e-6)


def _table(place, **columns):
    pq.write_table(pa.table(columns), place)


BAD = [
    ({"id": ["a", "b"], "vector": [[1.0], [1.0, 2.0]]}, "rows of 1, 2 numbers; wanted rows of one length"),
    ({"id": ["a", "b"], "vector": [[0.0, 0.0], [1.0, 2.0]]}, "1 of 2 rows are zero or not finite"),
    ({"id": ["a", "b"], "vector": [[float("nan"), 0.0], [1.0, 2.0]]}, "1 of 2 rows are zero or not finite"),
    ({"id": ["a", "a"], "vector": [[1.0, 0.0], [0.0, 1.0]]}, "1 keys have rows that differ"),
    ({"name": ["a"], "vector": [[1.0]]}, "columns name, vector; wanted one of vector"),
    ({"id": ["a"], "vector": [1.0]}, "vector is double; wanted lists of numbers"),
    ({"id": [None], "vector": [[1.0]]}, "no row has a key"),
    ({"id": ["a"], "vector": [[1.0]], "embedding": [[1.0]]}, "wanted one of vector"),
    ({"id": ["a", "b"], "vector": [[1.0], None]}, "rows of 0, 1 numbers"),
]


@pytest.mark.parametrize(("columns", "said"), BAD)
def test_a_table_that_makes_no_sense_is_refused(tmp_path, columns, said):
    _table(tmp_path / "t.parquet", **columns)
    with pytest.raises(XemplarError, match=said):
        read_table(tmp_path / "t.parquet")


def test_equal_rows_of_one_key_are_one(tmp_path):
    _table(tmp_path / "t.parquet", id=["a", "a", "b"], vector=[[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    assert read_table(tmp_path / "t.parquet").keys == {"a": 0, "b": 2}


def test_a_row_may_be_known_by_several_keys(tmp_path):
    _table(tmp_path / "t.parquet", sha256=["s", None], path=["p", "q"], embedding=[[1.0], [2.0]])
    assert read_table(tmp_path / "t.parquet").keys == {"s": 0, "p": 0, "q": 1}


def test_equal_films_share_the_first_ones_row_and_are_counted(tmp_path):
    draw = np.zeros((70, 70), np.uint8)
    draw[20:40] = 200
    arrivals = []
    for name in ("one", "two"):
        Picture.fromarray(draw).save(tmp_path / f"{name}.png", compress_level=1 + 8 * (name == "two"))
        view = View(view_id=name, path=f"{name}.png")
        study = Study(name, name, "clinical", views=(view,), impression=f"Film {name}.")
        arrivals.append(Arrival(study, (tmp_path / f"{name}.png",)))
    settings = IngestSettings(domain="clinical", texts="reports", source="t", preview=PreviewSpec(size=64))
    ingest(arrivals, tmp_path / "corpus", settings, key_salt=b"t")
    write(tmp_path / "t.parquet", {"one.png": np.array([1.0, 0]), "two.png": np.array([0, 1.0])})
    import_vectors(tmp_path / "t.parquet", tmp_path / "corpus", tmp_path / "m", maker=MAKER)
    encoder = open_model(tmp_path / "m")
    assert encoder.manifest["coverage"]["views"] == {"found": 2, "of": 2, "alike": 1}
    assert describe(encoder)["coverage"]["views"] == "2 of 2 (1 by an equal one's)"


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float64()), pa.list_(pa.float16(), 2), pa.large_list(pa.int32())]
)
def test_lists_of_any_kind_of_number(tmp_path, kind):
    values = [[3, 4], [0, 2]] if "int" in str(kind) else np.array([[3, 4], [0, 2]], np.float16).tolist()
    chunks = [pa.array(np.float16(values[n : n + 1]).tolist() if "half" not in str(kind) else
                       [np.float16(values[n])], kind) for n in range(2)] if "int" not in str(kind) else [
        pa.array(values[n : n + 1], kind) for n in range(2)]  # fmt: skip
    table = pa.table({"id": pa.chunked_array([["a"], ["b"]]), "vector": pa.chunked_array(chunks)})
    pq.write_table(table, tmp_path / "t.parquet")
    np.testing.assert_allclose(read_table(tmp_path / "t.parquet").vectors, [[0.6, 0.8], [0, 1]])


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + b"x" * 99])
def test_a_truncated_table_is_one_line(tmp_path, data):
    for name in ("t.parquet", "t.npy"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(XemplarError, match="can't be read"):
            read_table(tmp_path / name)


def test_an_array_of_objects_is_refused(tmp_path):
    np.save(tmp_path / "t.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(XemplarError, match="can't be read"):
        read_table(tmp_path / "t.npy")


def test_keys_and_rows_must_be_as_many(tmp_path):
    np.save(tmp_path / "t.npy", np.ones((3, 2), np.float32))
    (tmp_path / "ids.txt").write_text("a\nb\n")
    with pytest.raises(MismatchError, match="2 keys for 3 rows"):
        read_table(tmp_path / "t.npy", ids=tmp_path / "ids.txt")
    with pytest.raises(XemplarError, match="name their list: --ids"):
        read_table(tmp_path / "t.npy")


def test_a_table_of_another_corpus_is_refused(phantom_corpus, tmp_path):
    write(tmp_path / "t.parquet", {"a": np.ones(2), "b": np.ones(2)})
    with pytest.raises(MismatchError, match="none of 2 keys is one of the corpus's"):
        import_vectors(tmp_path / "t.parquet", phantom_corpus.folder, tmp_path / "m", maker=MAKER)
    assert not (tmp_path / "m").exists()


def test_a_table_without_its_makers_name_is_refused(phantom_corpus, tmp_path):
    with pytest.raises(XemplarError, match="name the model: --maker"):
        import_vectors(tmp_path / "t.parquet", phantom_corpus.folder, tmp_path / "m", maker=" ")


def test_paths_and_bytes_of_originals_are_keys(tmp_path):
    """Films that came as files are known by what a maker of vectors has: the file."""
    draw = np.random.default_rng(0)
    arrivals = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.png"
        Picture.fromarray(draw.integers(0, 255, (80, 70), dtype=np.uint8)).save(path)
        view = View(view_id=name, path=f"{name}.png")
        study = Study(name, name, "clinical", views=(view,), impression=f"Film {name}.")
        arrivals.append(Arrival(study, (path,)))
    settings = IngestSettings(domain="clinical", texts="reports", source="t", preview=PreviewSpec(size=64))
    ingest(arrivals, tmp_path / "corpus", settings, key_salt=b"t")
    corpus = Corpus.open(tmp_path / "corpus")
    digest = hashlib.sha256((tmp_path / "two.png").read_bytes()).hexdigest()
    write(tmp_path / "t.parquet", {"one.png": np.array([1.0, 0]), digest: np.array([0, 1.0])})
    import_vectors(tmp_path / "t.parquet", corpus.folder, tmp_path / "m", maker=MAKER)
    by_path = {view.path: view.view_id for study in corpus.studies for view in study.views}
    films = corpus.previews([by_path["one.png"], by_path["two.png"]])
    assert open_model(tmp_path / "m").encode_images(films).tolist() == [[1, 0], [0, 1]]
