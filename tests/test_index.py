"""The index folder: what is in it, what it refuses, and what a rebuild leaves."""

import json
from dataclasses import replace

import numpy as np
import pytest

from handmade import SIZE, HashEncoder, arrival, corpus_of, many
from xemplar.contracts import Arrival
from xemplar.corpus import Corpus
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import writing
from xemplar.images import PreviewSpec
from xemplar.index import build_index, open_index, origins_of, tokens_of
from xemplar.retrieval import Retriever

SPLITS = ("train", "val", "test")


def placed(arrivals):
    """Two studies in train, one in val, one in test, and so on."""
    order = ("train", "val", "train", "test")
    return [
        Arrival(replace(a.study, split=order[n % 4]), a.images, a.split_key) for n, a in enumerate(arrivals)
    ]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return corpus_of(placed(many(12)), tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def built(corpus, tmp_path):
    return build_index(corpus, HashEncoder(), tmp_path / "index")


def test_train_alone_is_indexed_by_default(corpus, built):
    held = {study_id for items in built.items.values() for ids in items.study_ids for study_id in ids}
    assert held == {study.study_id for study in corpus.part("train")}
    assert (built.manifest["parts"], built.manifest["service"]) == (["train"], False)


def test_an_index_of_all_parts_is_marked_for_service(corpus, tmp_path):
    index = build_index(corpus, HashEncoder(), tmp_path, parts=SPLITS)
    assert index.manifest["service"] is True
    assert {ids[0] for ids in index.items["report"].study_ids} == {s.study_id for s in corpus.studies}


def test_a_part_without_studies_is_refused(corpus, tmp_path):
    only = corpus_of([arrival(1, split="train")], tmp_path / "corpus")
    with pytest.raises(XemplarError, match="no study in val; choose other --parts"):
        build_index(only, HashEncoder(), tmp_path / "index", parts=("val",))


def test_every_image_has_its_own_vector(corpus, built):
    items = built.items["image"]
    wanted = [(view.view_id, (s.study_id,)) for s in corpus.part("train") for view in s.views]
    assert list(zip(items.ids, items.study_ids, strict=True)) == wanted
    vectors = np.concatenate(
        [HashEncoder().encode_images([corpus.preview(view_id)]) for view_id, _ in wanted]
    )
    assert np.asarray(items.vectors).tobytes() == vectors.tobytes()


def test_every_sentence_has_its_own_vector_and_the_studies_of_the_part(corpus, built):
    items = built.items["sentence"]
    train = {study.study_id for study in corpus.part("train")}
    wanted = {
        s.sentence_id: (HashEncoder().text(s.text).tobytes(), tuple(x for x in s.study_ids if x in train))
        for s in corpus.sentences
        if train & set(s.study_ids)
    }
    rows = zip(items.ids, items.vectors, items.study_ids, strict=True)
    assert {item: (np.asarray(vector).tobytes(), ids) for item, vector, ids in rows} == wanted


def test_every_report_has_its_own_vector(corpus, built):
    items = built.items["report"]
    wanted = {
        s.study_id: HashEncoder().text(" ".join(s.text.split())).tobytes() for s in corpus.part("train")
    }
    found = {i: np.asarray(v).tobytes() for i, v in zip(items.ids, items.vectors, strict=True)}
    assert found == wanted
    assert items.study_ids == tuple((study_id,) for study_id in items.ids)


def test_an_engine_s_rows_are_the_items(built):
    for items in built.items.values():
        ids, _ = items.engine.search(np.asarray(items.vectors), 1)
        assert len(items.engine) == len(items)
        found = np.asarray(items.vectors)[ids[:, 0]]  # equal texts may stand for each other
        assert found.tobytes() == np.asarray(items.vectors).tobytes()


def test_equal_texts_are_encoded_once_and_get_one_vector(tmp_path):
    class Wavering(HashEncoder):
        """Gives no text the same vector twice."""

        calls = 0

        def text(self, text):
            Wavering.calls += 1
            return super().text(f"{text} {self.calls}")

    texts = ["Clear lungs.", "Small effusion.", "Clear  lungs."]
    arrivals = [arrival(n, findings=text, split="train") for n, text in enumerate(texts)]
    index = build_index(corpus_of(arrivals, tmp_path / "corpus"), Wavering(), tmp_path / "index")
    first, _, third = np.asarray(index.items["report"].vectors)
    assert first.tobytes() == third.tobytes()
    assert Wavering.calls == 2  # the sentences are the reports


def test_progress_ends_at_what_was_to_be_done(corpus, tmp_path):
    steps = []
    build_index(corpus, HashEncoder(), tmp_path, on_progress=lambda done, total: steps.append((done, total)))
    assert steps[-1][0] == steps[-1][1]


# Rebuilding


def test_a_rebuild_raises_the_generation_and_clears_the_old_one(corpus, built, tmp_path):
    folder = tmp_path / "index"
    again = build_index(corpus, HashEncoder(), folder)
    assert (built.generation, again.generation) == (1, 2)
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "000002", "index.json"]


def test_an_identical_rebuild_has_the_same_fingerprint(corpus, built, tmp_path):
    assert build_index(corpus, HashEncoder(), tmp_path / "index").fingerprint == built.fingerprint


@pytest.mark.parametrize("change", ["model", "parts", "engine"])
def test_another_content_has_another_fingerprint(corpus, built, tmp_path, change):
    class Other(HashEncoder):
        def text(self, text):
            return super().text(text + "!")

    encoder = Other() if change == "model" else HashEncoder()
    more = {"parts": {"parts": SPLITS}, "engine": {"engine": "faiss"}}.get(change, {})
    assert build_index(corpus, encoder, tmp_path / "other", **more).fingerprint != built.fingerprint


def test_words_are_numbered_in_the_order_seen(built, tmp_path, corpus):
    # Not in a set's order, which changes from process to process and with it the fingerprint.
    vocabulary = json.loads((tmp_path / "index/000001/words/vocab.index.json").read_text())
    texts = [" ".join(study.text.split()) for study in corpus.part("train")]
    seen = list(dict.fromkeys(token for text in tokens_of(texts) for token in text))
    assert len(seen) > 10
    assert [token for token in sorted(vocabulary, key=vocabulary.__getitem__) if token] == seen


class Failing(HashEncoder):
    def encode_texts(self, texts):
        raise KeyboardInterrupt


def test_a_rebuild_that_breaks_off_leaves_the_old_generation(corpus, built, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        build_index(corpus, Failing(), tmp_path / "index")
    opened = open_index(tmp_path / "index", corpus, HashEncoder())
    assert (opened.generation, opened.fingerprint) == (1, built.fingerprint)


def test_the_next_rebuild_starts_afresh_and_clears_what_was_left(corpus, built, tmp_path):
    folder = tmp_path / "index"
    with pytest.raises(KeyboardInterrupt):
        build_index(corpus, Failing(), folder)
    (folder / "000002" / "stray").touch()
    (folder / ".index.json.77.tmp").touch()
    again = build_index(corpus, HashEncoder(), folder)
    assert (again.generation, again.fingerprint) == (2, built.fingerprint)
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "000002", "index.json"]


def test_a_first_build_that_breaks_off_can_be_done_again(corpus, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        build_index(corpus, Failing(), tmp_path)
    with pytest.raises(XemplarError, match=r"no index\.json in it; .*`xemplar index` makes one"):
        open_index(tmp_path, corpus, HashEncoder())
    assert build_index(corpus, HashEncoder(), tmp_path).generation == 1


def test_a_build_that_breaks_off_goes_on_where_it_stopped(corpus, tmp_path):
    class Counting(HashEncoder):
        images = 0

        def encode_images(self, images):
            Counting.images += len(images)
            return super().encode_images(images)

    class Breaking(Counting):
        def encode_texts(self, texts):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(corpus, Breaking(), tmp_path)
    encoded = Counting.images
    again = build_index(corpus, Counting(), tmp_path)
    assert encoded > 0 and Counting.images == encoded  # no image was encoded twice
    other = build_index(corpus, HashEncoder(), tmp_path.parent / f"{tmp_path.name}-undisturbed")
    assert again.fingerprint == other.fingerprint


def test_a_folder_with_other_files_is_refused_and_left_alone(corpus, tmp_path):
    (tmp_path / "corpus" / "studies").mkdir(parents=True)
    with pytest.raises(XemplarError, match="holds other files; wanted a new or empty folder"):
        build_index(corpus, HashEncoder(), tmp_path)
    assert (tmp_path / "corpus" / "studies").is_dir()


def test_a_rebuild_touches_no_folder_of_others(corpus, built, tmp_path):
    (tmp_path / "index" / "calibration").mkdir()
    build_index(corpus, HashEncoder(), tmp_path / "index")
    assert (tmp_path / "index" / "calibration").is_dir()


def test_two_builders_at_once_the_second_is_told(corpus, tmp_path):
    with writing(tmp_path), pytest.raises(XemplarError, match="another process is writing here"):
        build_index(corpus, HashEncoder(), tmp_path)


def test_an_open_index_outlives_a_rebuild(corpus, built, tmp_path):
    before = Retriever(corpus, built, HashEncoder()).search("effusion", "report", 3)
    build_index(corpus, HashEncoder(), tmp_path / "index", parts=SPLITS)
    assert Retriever(corpus, built, HashEncoder()).search("effusion", "report", 3) == before


# What doesn't fit


def test_another_model_is_refused_naming_both(corpus, built, tmp_path):
    with pytest.raises(MismatchError, match="made with model hash; wanted model other, the one given"):
        open_index(tmp_path / "index", corpus, HashEncoder("other"))


def test_another_corpus_is_refused_naming_both(corpus, built, tmp_path):
    other = corpus_of(many(3), tmp_path / "other")
    said = f"made with corpus {corpus.fingerprint}; wanted corpus {other.fingerprint}, the one given"
    with pytest.raises(MismatchError, match=said):
        open_index(tmp_path / "index", other, HashEncoder())


def test_a_corpus_that_grew_is_another(tmp_path):
    small = corpus_of(placed(many(4)), tmp_path / "corpus")
    build_index(small, HashEncoder(), tmp_path / "index")
    grown = corpus_of(placed(many(6)), tmp_path / "corpus")
    with pytest.raises(MismatchError, match="build it again with `xemplar index`"):
        open_index(tmp_path / "index", grown, HashEncoder())


def test_a_model_of_other_previews_is_refused_naming_both(corpus, built, tmp_path):
    encoder = HashEncoder(preview=PreviewSpec(size=128).fingerprint)
    held = PreviewSpec(size=SIZE).fingerprint
    said = rf"previews of 128 pixels a side \({encoder.preview}\); wanted {SIZE} pixels a side \({held}\)"
    with pytest.raises(MismatchError, match=said):
        build_index(corpus, encoder, tmp_path / "new")
    with pytest.raises(MismatchError, match=said):
        open_index(tmp_path / "index", corpus, encoder)


def test_a_model_of_the_same_previews_is_taken(corpus, tmp_path):
    build_index(corpus, HashEncoder(preview=PreviewSpec(size=SIZE).fingerprint), tmp_path)


def test_another_version_is_refused_naming_both(corpus, built, tmp_path):
    path = tmp_path / "index/index.json"
    path.write_text(json.dumps({**built.manifest, "version": 9}))
    with pytest.raises(MismatchError, match="index of version 9; wanted version 1"):
        open_index(tmp_path / "index", corpus, HashEncoder())


@pytest.mark.parametrize("engine", ["exact", "faiss"])
def test_a_flipped_bit_is_named_whichever_file_it_is_in(corpus, tmp_path, engine):
    index = build_index(corpus, HashEncoder(), tmp_path, engine=engine)
    assert len(index.manifest["files"]) == (14 if engine == "exact" else 17)
    for name in index.manifest["files"]:
        whole = (tmp_path / name).read_bytes()
        spoilt = bytearray(whole)
        spoilt[len(spoilt) // 2] ^= 1
        (tmp_path / name).write_bytes(spoilt)
        with pytest.raises(MismatchError, match=f"{name} is missing or changed"):
            open_index(tmp_path, corpus, HashEncoder())
        (tmp_path / name).write_bytes(whole)
    open_index(tmp_path, corpus, HashEncoder())


def test_a_missing_file_is_named(corpus, built, tmp_path):
    (tmp_path / "index/000001/items/image.parquet").unlink()
    with pytest.raises(MismatchError, match=r"000001/items/image\.parquet is missing or changed"):
        open_index(tmp_path / "index", corpus, HashEncoder())


def test_an_unknown_engine_is_named(corpus, tmp_path):
    with pytest.raises(XemplarError, match="engine 'annoy'; wanted exact or faiss"):
        build_index(corpus, HashEncoder(), tmp_path, engine="annoy")


def test_exact_and_faiss_give_the_same_hits(corpus, tmp_path):
    found = []
    for engine in ("exact", "faiss"):
        index = build_index(corpus, HashEncoder(), tmp_path / engine, engine=engine, parts=SPLITS)
        retriever = Retriever(corpus, index, HashEncoder())
        films = [corpus.film(study, view) for study in corpus.studies[:4] for view in study.views]
        queries = [*films, "no effusion", "cardiomegaly"]
        found.append(
            [retriever.search(q, kind, 4) for q in queries for kind in ("image", "sentence", "report")]
        )
    assert found[0] == found[1]
    assert all(found[0])


# Texts or films alone


def test_texts_alone_are_indexed_and_searched(tmp_path):
    arrivals = [arrival(n, findings=f"Nodule number{n}.", images=(), split="train") for n in range(5)]
    corpus = corpus_of(arrivals, tmp_path / "corpus")
    index = build_index(corpus, HashEncoder(), tmp_path / "index")
    assert index.manifest["counts"] == {"image": 0, "sentence": 5, "report": 5}
    retriever = Retriever(corpus, index, HashEncoder())
    assert retriever.search("number3", "report", 5)[0].text == "Nodule number3."
    with pytest.raises(
        XemplarError, match="no image in the index; wanted one of what it holds: sentence, report"
    ):
        retriever.search("number3", "image", 5)


def test_films_alone_are_indexed_and_searched(tmp_path):
    corpus = corpus_of([arrival(n, split="train") for n in range(5)], tmp_path / "corpus")
    index = build_index(corpus, HashEncoder(), tmp_path / "index")
    assert index.manifest["counts"] == {"image": 5, "sentence": 0, "report": 0}
    retriever = Retriever(corpus, index, HashEncoder())
    assert len(retriever.search("effusion", "image", 3)) == 3  # by vectors alone
    for kind in ("sentence", "report"):
        with pytest.raises(XemplarError, match=f"no {kind} in the index; wanted one of what it holds: image"):
            retriever.search("effusion", kind, 3)


def test_texts_without_a_single_word_are_indexed(tmp_path):
    corpus = corpus_of([arrival(n, findings="?", split="train") for n in range(2)], tmp_path / "corpus")
    index = build_index(corpus, HashEncoder(), tmp_path / "index")
    assert len(Retriever(corpus, index, HashEncoder()).search("effusion", "report", 2)) == 2


def test_a_part_without_texts_is_indexed(tmp_path):
    arrivals = [arrival(1, split="train"), arrival(2, findings="Clear lungs.", split="test")]
    corpus = corpus_of(arrivals, tmp_path / "corpus")
    assert build_index(corpus, HashEncoder(), tmp_path / "index").manifest["counts"]["sentence"] == 0


# Small promises


def test_no_is_a_word():
    assert tokens_of(["No effusion, and not THE heart"]) == [["no", "effusion", "and", "not", "the", "heart"]]


def test_origins_are_relative_so_that_all_three_can_move(tmp_path):
    found = origins_of(tmp_path / "index", tmp_path / "corpus", tmp_path / "models" / "m")
    assert found == {"corpus": "../corpus", "model": "../models/m"}


def test_an_index_opens_where_it_was_moved_to(corpus, built, tmp_path):
    (tmp_path / "index").rename(tmp_path / "moved")
    opened = open_index(tmp_path / "moved", Corpus.open(corpus.folder), HashEncoder())
    assert opened.fingerprint == built.fingerprint
