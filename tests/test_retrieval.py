"""Query to hits: against brute force, and by hand where stages are fused."""

import random
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from handmade import SIZE, HashEncoder, Pattern, TableEncoder, arrival, corpus_of, unit
from xemplar.errors import MismatchError, XemplarError
from xemplar.images import PreviewSpec, load_film
from xemplar.index import build_index
from xemplar.records import Film, PixelHistory
from xemplar.retrieval import Leave, Retriever

SPLITS = ("train", "val", "test")
KINDS = ("image", "sentence", "report")
POOL = (
    "No pleural effusion.",
    "The heart is enlarged.",
    "Clear lungs.",
    "Left lower lobe opacity.",
    "No pneumothorax.",
    "A nodule in the right apex.",
)


def retriever_of(arrivals, folder, encoder=None, **options):
    corpus = corpus_of(arrivals, folder / "corpus", segment_size=50)
    encoder = encoder or HashEncoder()
    return Retriever(corpus, build_index(corpus, encoder, folder / "index", parts=SPLITS, **options), encoder)


def archive(count=40):
    """Studies of 12 patients, one of whom has a third of all; one to three views, texts that repeat."""
    draw = random.Random(2)
    return [
        arrival(
            n,
            patient="many" if n % 3 == 0 else f"p{n % 11}",
            findings=" ".join(draw.sample(POOL, 2)),
            images=[Pattern(100 * n + k) for k in range(1 + n % 3)],
            facets={"sex": "FM"[n % 2]},
        )
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def retriever(tmp_path_factory):
    return retriever_of(archive(), tmp_path_factory.mktemp("archive"))


def film_of(retriever, number, view=0):
    study = retriever.corpus.studies[number]
    return retriever.corpus.film(study, study.views[view])


def stranger(retriever, seed=7):
    """A film of nobody in the corpus."""
    image = Pattern(seed).draw() / np.float32(255)
    return replace(
        film_of(retriever, 0), image=image, study_id=None, patient_id=None, cluster=None, sha256=None
    )


def brute_force(retriever, film, kind, k, dropped=lambda study: False):
    """(id, studies, cosine), best first: all that isn't left out, scored one by one."""
    encoder, corpus = retriever.encoder, retriever.corpus
    kept = {study.study_id: study for study in corpus.studies if not dropped(study)}
    query = encoder.encode_images([film.image])[0].astype(np.float64)

    def cosine(vector):
        return float(vector.astype(np.float64) @ query)

    found = []
    if kind == "image":
        for study in kept.values():
            scores = {
                v.view_id: cosine(encoder.encode_images([corpus.preview(v.view_id)])[0]) for v in study.views
            }
            best = max(scores, key=scores.__getitem__)
            found.append((best, (study.study_id,), scores[best]))
    elif kind == "report":
        found = [
            (s.study_id, (s.study_id,), cosine(encoder.text(" ".join(s.text.split())))) for s in kept.values()
        ]
    else:
        for sentence in corpus.sentences:
            wrote = tuple(study_id for study_id in sentence.study_ids if study_id in kept)
            if wrote:
                found.append((sentence.sentence_id, wrote, cosine(encoder.text(sentence.text))))
    return sorted(found, key=lambda hit: -hit[2])[:k]


def assert_same(hits, wanted):
    """The same scores in the same order, and the same items but for a tie that k may cut anywhere."""
    np.testing.assert_allclose([hit.score for hit in hits], [score for *_, score in wanted], atol=1e-6)
    last = wanted[-1][2] + 1e-5
    found = {
        hit.item_id: (hit.study_ids, pytest.approx(hit.score, abs=1e-6)) for hit in hits if hit.score > last
    }
    assert found == {item: (ids, score) for item, ids, score in wanted if score > last}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 5, 100])
def test_a_film_finds_what_brute_force_finds(retriever, kind, k):
    film = stranger(retriever)
    assert_same(retriever.search(film, kind, k), brute_force(retriever, film, kind, k))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [0, 1, 3, 14])
def test_its_own_study_and_patient_are_left_out(retriever, kind, number):
    # Study 0 is of the patient who has a third of the archive: the search must look deeper.
    film = film_of(retriever, number)
    wanted = brute_force(retriever, film, kind, 6, lambda study: study.patient_id == film.patient_id)
    assert_same(retriever.search(film, kind, 6), wanted)


def test_who_is_left_out_can_be_asked(retriever):
    film, own = film_of(retriever, 3), retriever.corpus.studies[3]
    of_the_patient = {s.study_id for s in retriever.corpus.studies if s.patient_id == own.patient_id}
    left_out = retriever.left_out(film)
    assert left_out[0] == own.study_id and len(left_out) > 2
    assert set(left_out) == of_the_patient and len(left_out) == len(of_the_patient)
    assert retriever.left_out(stranger(retriever)) == retriever.left_out("effusion") == ()


def test_only_what_is_in_the_index_is_left_out_of_it(tmp_path):
    corpus = corpus_of(archive(), tmp_path / "corpus")
    index = build_index(corpus, HashEncoder(), tmp_path / "index", parts=("train",))
    trained = Retriever(corpus, index, HashEncoder())
    for study in (corpus.part("train")[0], corpus.part("test")[0]):
        film = corpus.film(study, study.views[0])
        assert (study.study_id in trained.left_out(film)) == (study.split == "train")


def test_a_patient_with_nearly_everything_still_leaves_k_answers(tmp_path):
    arrivals = [arrival(n, patient="many" if n < 150 else f"p{n}", findings="Same.") for n in range(153)]
    found = retriever_of(arrivals, tmp_path)
    film = film_of(found, 0)
    for kind in ("image", "report"):
        hits = found.search(film, kind, 3)
        assert {hit.study_ids[0] for hit in hits} == {s.study_id for s in found.corpus.studies[150:]}


def test_without_a_known_patient_only_the_study_is_left_out(tmp_path):
    found = retriever_of([arrival(n, findings="Clear lungs.") for n in range(4)], tmp_path)
    hits = found.search(film_of(found, 1), "image", 10)
    assert {hit.study_ids[0] for hit in hits} == {found.corpus.studies[n].study_id for n in (0, 2, 3)}


def test_views_are_folded_into_studies_best_view_first(retriever):
    hits = retriever.search(stranger(retriever), "image", 25)
    assert len({hit.study_ids for hit in hits}) == 25
    for hit in hits:
        (study_id,) = hit.study_ids
        views = [view.view_id for view in retriever.corpus.by_id[study_id].views]
        vectors = retriever.encoder.encode_images(retriever.corpus.previews(views))
        cosines = vectors @ retriever.vectors_of([stranger(retriever)])[0]
        assert hit.item_id == hit.view_id == views[int(np.argmax(cosines))]


def test_k_studies_are_found_though_one_has_many_views(tmp_path):
    first = Pattern(1).draw()

    class Near(Pattern):
        """Hardly another image than Pattern(1)."""

        def draw(self):
            pixels = first.copy()
            pixels[: self.seed, 0] ^= 1
            return pixels

    arrivals = [arrival(0, findings="Clear lungs.", images=[Near(n) for n in range(64)] * 2)]
    arrivals += [arrival(n, findings="Clear lungs.") for n in range(50, 55)]
    found = retriever_of(arrivals, tmp_path)
    hits = found.search(stranger(found, seed=1), "image", 3)
    assert len({hit.study_ids for hit in hits}) == 3
    assert hits[0].study_ids == (found.corpus.studies[0].study_id,)


def test_a_sentence_that_only_the_left_out_wrote_vanishes(tmp_path):
    texts = {"a": "Clear lungs. Rare finding.", "b": "Clear lungs."}
    arrivals = [arrival(n, patient=p, findings=text) for n, (p, text) in enumerate(texts.items())]
    found = retriever_of(arrivals, tmp_path)
    (hit,) = found.search(film_of(found, 0), "sentence", 5)
    assert hit.text == "Clear lungs."


def test_a_sentence_keeps_only_its_other_sources(tmp_path):
    arrivals = [arrival(n, patient=p, findings="Clear lungs.") for n, p in enumerate("abac")]
    found = retriever_of(arrivals, tmp_path)
    (hit,) = found.search(film_of(found, 0), "sentence", 5)
    assert hit.study_ids == tuple(found.corpus.studies[n].study_id for n in (1, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_facets_keep_only_their_studies(retriever, kind):
    film = stranger(retriever)
    hits = retriever.search(film, kind, 9, leave=Leave(facets={"sex": "F"}))
    assert_same(hits, brute_force(retriever, film, kind, 9, lambda study: study.facets["sex"] != "F"))


def test_facets_are_added_to_who_is_left_out(retriever):
    film = film_of(retriever, 0)
    hits = retriever.search(film, "report", 100, leave=replace(retriever.leave_of(film), facets={"sex": "F"}))
    studies = [retriever.corpus.by_id[hit.study_ids[0]] for hit in hits]
    assert {study.facets["sex"] for study in studies} == {"F"}
    assert film.patient_id not in {study.patient_id for study in studies}


def test_a_file_that_the_archive_holds_does_not_find_itself(tmp_path):
    files = [tmp_path / f"{n}.png" for n in range(6)]
    rng = np.random.default_rng(0)
    for file in files:
        Image.fromarray(rng.integers(0, 255, (40, 40), np.uint8)).save(file)
    arrivals = [arrival(n, findings=f"Report {n}.", images=[file]) for n, file in enumerate(files)]
    retriever = retriever_of(arrivals, tmp_path / "archive")
    film = load_film(files[2], retriever.corpus.settings.preview)
    found = {hit.text for hit in retriever.search(film, "report", 10)}
    assert found == {f"Report {n}." for n in range(6) if n != 2}


def test_the_study_that_holds_a_file_goes_before_what_else_is_known_of_its_patient(retriever, monkeypatch):
    held = retriever.corpus.studies[3]
    monkeypatch.setitem(retriever._by_file, "held", (held,))
    film = replace(stranger(retriever), cluster=held.facets["cluster"], sha256="held")
    leave = retriever.leave_of(film)
    assert leave == Leave(held.study_id, held.patient_id, held.facets["cluster"])
    assert retriever.left_out(film)[0] == held.study_id


def test_of_a_new_film_of_a_known_patient_no_study_is_its_own(retriever):
    film = replace(stranger(retriever), cluster=film_of(retriever, 3).cluster)
    assert retriever.leave_of(film).study_id is None and len(retriever.left_out(film)) > 2


def test_equal_answers_about_who_is_left_out_are_one(retriever):
    film = film_of(retriever, 0)
    assert len({retriever.leave_of(film), retriever.leave_of(film), Leave(facets={"sex": "F"})}) == 2


def test_a_groups_others_are_left_out(retriever):
    film = replace(film_of(retriever, 0), patient_id=None)
    hits = retriever.search(film, "report", 100)
    clusters = {retriever.corpus.by_id[hit.study_ids[0]].facets["cluster"] for hit in hits}
    assert film.cluster is not None and film.cluster not in clusters


def test_a_text_leaves_nobody_out(retriever):
    assert retriever.leave_of("effusion") == Leave()
    assert len(retriever.search("effusion", "report", 100)) == 40


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("leave", [Leave(facets={"sex": "other"}), Leave(facets={"unheard of": "x"})])
def test_nothing_allowed_gives_no_hits(retriever, kind, leave):
    assert retriever.search("pleural effusion", kind, 5, leave=leave) == ()
    assert retriever.search(stranger(retriever), kind, 5, leave=leave) == ()


@pytest.mark.parametrize("kind", ["image", "report"])
def test_a_text_finds_only_what_is_allowed(retriever, kind):
    hits = retriever.search("pleural effusion", kind, 50, leave=Leave(facets={"sex": "M"}))
    assert len(hits) == 20
    assert {retriever.corpus.by_id[hit.study_ids[0]].facets["sex"] for hit in hits} == {"M"}


# Words and vectors


def scores_of(hits):
    return {hit.text: hit.score for hit in hits}


def test_two_stages_are_fused_by_reciprocal_rank(tmp_path):
    # Words: "alpha" weighs more in the shorter text. Vectors: the other way round, and gamma before all.
    table = {"q alpha": [1, 0], "alpha": [0.5, 1], "alpha beta beta beta": [1, 1], "gamma": [1, 0.5]}
    arrivals = [arrival(n, findings=text) for n, text in enumerate(list(table)[1:])]
    hits = retriever_of(arrivals, tmp_path, TableEncoder(table)).search("q alpha", "report", 3)
    wanted = {"alpha": 1 / 61 + 1 / 63, "alpha beta beta beta": 1 / 62 + 1 / 62, "gamma": 1 / 61}
    assert list(scores_of(hits)) == list(wanted)
    assert scores_of(hits) == pytest.approx(wanted)
    assert [sorted(hit.scores) for hit in hits] == [["vectors", "words"], ["vectors", "words"], ["vectors"]]


def tied(order):
    table = {"alpha": [1, 0], "alpha one": [1, 1], "alpha two": [1, 1], "beta": [1, 0.5]}
    texts = ["alpha one", "alpha two", "beta", "alpha one"]
    return table, [arrival(n, findings=texts[n]) for n in order]


def test_ties_share_their_worst_rank(tmp_path):
    table, arrivals = tied(range(4))
    hits = retriever_of(arrivals, tmp_path, TableEncoder(table)).search("alpha", "report", 4)
    # By words three texts of two words share rank 3; by vectors beta is first and those three fourth.
    wanted = {"alpha one": 1 / 63 + 1 / 64, "alpha two": 1 / 63 + 1 / 64, "beta": 1 / 61}
    assert scores_of(hits) == pytest.approx(wanted)


@pytest.mark.parametrize("order", [(3, 2, 1, 0), (2, 0, 3, 1)])
def test_fused_scores_do_not_depend_on_the_order_of_rows(tmp_path, order):
    found = []
    for name, numbers in (("as is", range(4)), ("mixed", order)):
        table, arrivals = tied(numbers)
        hits = retriever_of(arrivals, tmp_path / name, TableEncoder(table)).search("alpha", "report", 4)
        found.append(sorted((hit.text, hit.score) for hit in hits))
    assert found[0] == found[1]


@pytest.mark.parametrize("k", [1, 2, 140])
def test_a_tie_wider_than_the_search_is_deep_earns_nothing_either(tmp_path, k):
    # 130 equal reports share rank 130 in both stages, however few of them are asked for.
    table = {"alpha": [1, 0], "alpha lung": [1, 1], "alpha heart heart": [0, 1]}
    arrivals = [arrival(n, findings="alpha lung") for n in range(130)]
    arrivals += [arrival(n, findings="alpha heart heart") for n in range(130, 132)]
    hits = retriever_of(arrivals, tmp_path, TableEncoder(table)).search("alpha", "report", k)
    assert len(hits) == min(k, 132)
    assert scores_of(hits)["alpha lung"] == pytest.approx(2 / 190)


def test_a_match_by_words_alone_is_found(tmp_path):
    table = {"zebra": [1, 0], "A zebra.": [-1, 0], **{f"Text {n}.": [1, 0.01 * n] for n in range(140)}}
    arrivals = [arrival(n, findings=text) for n, text in enumerate(list(table)[1:])]
    hits = retriever_of(arrivals, tmp_path, TableEncoder(table)).search("zebra", "report", 3)
    (hit,) = (hit for hit in hits if hit.text == "A zebra.")
    assert set(hit.scores) == {"words"}
    assert hit.score == pytest.approx(1 / 61)


def test_images_are_found_by_the_words_of_their_report(tmp_path):
    texts = ["A zebra.", *(f"Text {n}." for n in range(30))]
    arrivals = [
        arrival(n, findings=text, images=[Pattern(n), Pattern(n + 50)]) for n, text in enumerate(texts)
    ]
    found = retriever_of(arrivals, tmp_path)
    hits = found.search("zebra", "image", 5)
    assert found.corpus.studies[0].study_id in {hit.study_ids[0] for hit in hits if "words" in hit.scores}
    assert len({hit.study_ids for hit in hits}) == 5


def test_no_is_not_a_stop_word(tmp_path):
    arrivals = [arrival(n, findings=text) for n, text in enumerate(["Large effusion.", "No effusion."])]
    hits = retriever_of(arrivals, tmp_path).search("no effusion", "report", 2)
    words = {hit.text: hit.scores["words"] for hit in hits}
    assert words["No effusion."] > words["Large effusion."] > 0


def test_sentences_are_found_by_vectors_alone(retriever):
    for hit in retriever.search("pleural effusion", "sentence", 3):
        assert dict(hit.scores) == {"vectors": hit.score}


def test_a_single_stage_keeps_its_own_scores(retriever):
    hits = retriever.search("xylophone", "report", 3)  # a word of no report
    vectors = retriever.index.items["report"].vectors @ retriever.encoder.text("xylophone")
    np.testing.assert_allclose([hit.score for hit in hits], np.sort(vectors)[::-1][:3], atol=1e-6)


@pytest.mark.parametrize("query", ["?", "a", "- 7 -"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_query_without_a_word_is_answered_by_vectors(retriever, query, kind):
    assert len(retriever.search(query, kind, 2)) == 2


# Queries


def test_several_views_are_asked_as_their_mean(retriever):
    films = [film_of(retriever, 2, view) for view in range(3)]
    mean = unit(np.mean(retriever.encoder.encode_images([film.image for film in films]), axis=0))
    np.testing.assert_allclose(retriever.vectors_of([films])[0], mean, atol=1e-6)
    assert retriever.search(films, "report", 1)[0].study_ids[0] != films[0].study_id


def test_queries_of_every_sort_keep_their_places(retriever):
    one, two = stranger(retriever, 1), stranger(retriever, 2)
    queries = ["effusion", one, [one, two], "nodule", two]
    together = retriever.vectors_of(queries)
    alone = [retriever.vectors_of([query])[0] for query in queries]
    np.testing.assert_array_equal(together, np.stack(alone))


@pytest.mark.parametrize("query", ["", " \n"])
def test_an_empty_query_is_refused(retriever, query):
    with pytest.raises(XemplarError, match="an empty query; wanted words or an image"):
        retriever.search(query, "report", 3)


def test_a_query_without_a_view_is_refused(retriever):
    with pytest.raises(XemplarError, match="a query without an image; wanted at least one view"):
        retriever.search([], "report", 3)


@pytest.mark.parametrize("k", [0, -1])
def test_fewer_than_one_answer_is_refused(retriever, k):
    with pytest.raises(XemplarError, match=f"k = {k}; wanted at least 1"):
        retriever.search("effusion", "report", k)


def test_a_film_of_another_preview_is_refused_before_it_is_encoded(retriever):
    # Of a size that the encoder could not take.
    other = PreviewSpec(size=99)
    film = Film(np.zeros((99, 99), np.float32), PixelHistory("PNG", 99, 99), preview=other.fingerprint)
    held = PreviewSpec(size=SIZE).fingerprint
    said = rf"loaded as preview {other.fingerprint}; wanted preview {held} \(size 64\), as the archive's"
    with pytest.raises(MismatchError, match=said):
        retriever.search(film, "image", 3)


def test_a_hit_carries_its_text(retriever):
    corpus = retriever.corpus
    for kind in ("image", "report"):
        for hit in retriever.search(stranger(retriever), kind, 3):
            assert hit.text == corpus.by_id[hit.study_ids[0]].text
    texts = {sentence.sentence_id: sentence.text for sentence in corpus.sentences}
    for hit in retriever.search(stranger(retriever), "sentence", 3):
        assert hit.text == texts[hit.item_id]
