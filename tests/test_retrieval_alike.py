"""Images rank by images, facets keep alike in every search, and a precision is told where it was measured."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handmade import HashEncoder, Pattern, arrival, corpus_of
from xemplar.archive import Archive
from xemplar.errors import XemplarError
from xemplar.images import PreviewSpec, preview_from_array
from xemplar.index import Items, build_index, tokens_of
from xemplar.records import Film, View
from xemplar.retrieval import Finder, filtered
from xemplar.retrieval.by_words import word_scores
from xemplar.retrieval.measured import measured
from xemplar.retrieval.worth import shipped

MEASURED = Path(__file__).parents[1] / "docs" / "results" / "clinical_search.json"
POSITIONS = ("PA", "AP", "LL", None)


def of_number(n):
    facets = {"sex": "FM"[n % 2], "age": f"{55 + n:03d}Y", "site": "ab"[n % 2]}
    found = arrival(
        n,
        findings=f"Left pleural effusion, case {n}.",
        facets=facets,
        images=[] if n == 7 else [Pattern(10 * n), Pattern(10 * n + 1)],
        modality="CR" if n % 3 else "DX",
        language="en" if n % 5 else "de",
    )
    views = tuple(View(f"v{n}-{k}", position=POSITIONS[n % 4]) for k in range(len(found.study.views)))
    return replace(found, study=replace(found.study, views=views))


def archive_of(arrivals, folder, parts=("train", "val", "test"), **changes):
    corpus = corpus_of(arrivals, folder / "corpus", **changes)
    return Archive(corpus, HashEncoder(), build_index(corpus, HashEncoder(), folder / "index", parts=parts))


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return archive_of([of_number(n) for n in range(20)], tmp_path_factory.mktemp("alike"))


def stranger():
    made = preview_from_array(
        np.random.default_rng(3).integers(0, 256, (64, 64), np.uint8), PreviewSpec(size=64)
    )
    return Film(made.image, made.history)


def nearest(archive, film):
    """study_id -> the cosine of its nearest view, by brute force."""
    items, best = archive.index.items["image"], {}
    vector = HashEncoder().encode_images([film.image])[0]
    for row, (study_id,) in enumerate(items.study_ids):
        best[study_id] = max(
            best.get(study_id, (-2.0, "")), (float(items.vectors[row] @ vector), items.ids[row])
        )
    return best


@pytest.mark.parametrize("kind", ["report", "image"])
def test_what_is_asked_for_like_an_image_is_ranked_by_images(archive, kind):
    film = stranger()
    best = nearest(archive, film)
    answer = archive.ask("effusion", 30, kind=kind, like=film)
    found = [one.hit.study_ids[0] for one in answer.found]
    assert found and found == sorted(found, key=lambda study_id: -best[study_id][0])
    assert [one.hit.score for one in answer.found] == pytest.approx([best[name][0] for name in found])
    if kind == "image":
        assert [one.hit.item_id for one in answer.found] == [best[name][1] for name in found]


def test_who_is_left_out_of_likeness_is_counted(archive):
    out = archive.ask("right effusion", 30, like=stranger()).excluded
    assert out["has no image"] == 1
    assert sum(out.values()) == 20


def test_an_archive_of_texts_says_that_no_image_is_compared(tmp_path):
    texts = [arrival(n, findings=f"Small left effusion {n}.", images=[]) for n in range(4)]
    answer = archive_of(texts, tmp_path).ask("effusion", like=stranger())
    assert len(answer.found) == 4 and "no image in this archive" in str(answer.reading)


KEPT = {
    "language=en": lambda n: n % 5 > 0,
    "modality=cr": lambda n: n % 3 > 0,
    "view=frontal": lambda n: n % 4 < 2,
    "view=lateral": lambda n: n % 4 == 2,
    "sex=f": lambda n: n % 2 == 0,
    "sex=female": lambda n: n % 2 == 0,
    "age=60-70": lambda n: 5 <= n <= 15,
    "age=61": lambda n: n == 6,
}


@pytest.mark.parametrize("kind", ["report", "image", "sentence"])
@pytest.mark.parametrize("facet", KEPT)
def test_a_facet_keeps_alike_in_every_search(archive, facet, kind):
    filmed = kind == "image" or facet.startswith("view")
    kept = [n for n in range(20) if KEPT[facet](n) and not (filmed and n == 7)]
    read = [n for n in kept if n % 5]  # the others are in German: no sentence of theirs is kept
    facets = dict([facet.split("=")])
    for query in ("effusion", stranger()):
        hits = archive.search(query, 30, kind=kind, facets=facets)
        assert {hit.text for hit in hits} == texts_of(read if kind == "sentence" else kept)
    if kind != "sentence":
        answer = archive.ask("effusion", 30, kind=kind, facets=facets)
        assert {hit.text for hit in answer.hits} == texts_of(kept)


def texts_of(numbers):
    return {f"Left pleural effusion, case {n}." for n in numbers}


def test_a_facet_that_no_study_of_the_index_has_is_refused(archive):
    with pytest.raises(XemplarError, match="no study has the facet ward"):
        archive.search("effusion", facets={"ward": "7"})
    with pytest.raises(XemplarError, match="no study has site=z"):
        archive.search(stranger(), facets={"site": "z"})


def test_words_alone_count_whom_each_filter_leaves_out_of_the_index(tmp_path):
    own = [
        replace(one, study=replace(one.study, split="train" if n < 8 else "val"))
        for n, one in enumerate(map(of_number, range(20)))
    ]
    found = archive_of(own, tmp_path, parts=("train",)).ask("zebra", facets={"sex": "F", "age": "55-58"})
    assert found.excluded == {"not sex F": 4, "not age 55 to 58": 2}


def test_what_studies_say_of_themselves_is_put_together_once(archive, monkeypatch):
    archive.ask("zebra", facets={"sex": "F"})
    monkeypatch.setattr(filtered, "Facets", None)
    archive.ask("zebra", facets={"sex": "F"})
    archive.search("zebra", facets={"sex": "M"})


def test_a_cohort_is_gathered_as_by_its_own_function(archive):
    made = archive.cohort("left effusion", facets={"sex": "F"})
    assert made.header["included"] == len(made.rows) > 0


def test_the_figures_told_are_those_that_were_measured():
    told, held = measured(), json.loads(MEASURED.read_text())
    of = held["third"]["cut_off"]["held back"]
    assert told.domain == held["domain"] and held["third"]["cut_off"]["cut_off"] == shipped().cut_off
    assert (told.precision, told.low, told.high) == tuple(
        of["precision"][n] for n in ("value", "low", "high")
    )
    assert (told.mean, told.searches, told.pairs) == (of["mean_over_searches"], of["answering"], of["pairs"])


@pytest.mark.parametrize("domain", ["clinical", "synthetic"])
def test_precision_is_told_of_clinical_reports_alone(domain, tmp_path):
    own = [arrival(n, findings="Left pleural effusion.", domain=domain) for n in range(3)]
    answer = archive_of(own, tmp_path, domain=domain).ask("left effusion")
    told = (answer.cut_off, answer.precision, answer.above is None, answer.measured)
    assert told == (
        (shipped().cut_off, 0.9, False, measured()) if domain == "clinical" else (None, None, True, None)
    )
    assert answer.found[0].probability is not None


def test_a_long_texts_words_are_each_looked_up_once_and_count_as_often_as_they_are_there(
    archive, monkeypatch
):
    text = "left pleural effusion case 3 and case 11. " * 60 + "case 4 zebra left"
    whole, asked = archive.index.words.get_scores(tokens_of([text])[0]), []
    once = archive.index.words.get_scores
    monkeypatch.setattr(archive.index.words, "get_scores", lambda words: asked.extend(words) or once(words))
    assert word_scores(archive.index, text) == pytest.approx(whole, rel=1e-4)
    assert whole.max() > 0 and len(asked) == len(set(asked))


def test_stale_weights_rank_and_tell_no_probability(tmp_path):
    own = [arrival(n, findings="Left pleural effusion.", domain="clinical") for n in range(3)]
    archive = archive_of(own, tmp_path, domain="clinical")
    stale = replace(shipped(), stale="fitted to another engine")
    answer = Finder(archive.retriever, worth=stale).find("left effusion")
    assert {one.probability for one in answer.found} == {None} and answer.above is None
    assert "without a probability: fitted to another engine" in str(answer.reading)


@pytest.mark.parametrize("many", [4, 60])
@pytest.mark.parametrize("depth", [1, 3, 60])
def test_of_few_that_are_kept_the_nearest_are_found_without_asking_the_engine(many, depth):
    rng = np.random.default_rng(many)
    vectors = rng.standard_normal((64, 8)).astype(np.float32).round()
    items = Items("report", tuple(map(str, range(64))), (), vectors, None)
    vector, kept = vectors[5], np.sort(rng.permutation(64)[:many])
    rows, scores = filtered.nearest(items, kept, vector, depth=min(depth, many))
    wanted = sorted(kept.tolist(), key=lambda row: (-float(vectors[row] @ vector), row))[:depth]
    assert rows.tolist() == wanted and scores == pytest.approx([vectors[row] @ vector for row in wanted])
