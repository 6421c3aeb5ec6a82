"""The head is taught on vectors of the training part alone, whose neighbours are other patients'."""

import numpy as np
import pytest

from xemplar.errors import MismatchError, XemplarError
from xemplar.findings import FINDINGS, summarise
from xemplar.training.neighbours import Encoded, encode_training, looks_of, random_table, train_neighbours
from xemplar.training.recipe import Recipe, load_recipe
from xemplar.training.sampling import Pair, hold_back, pairs_of


class Drawn:
    """Vectors that follow from pixels and letters; counts what it is asked."""

    preview, domain = None, "synthetic"

    def __init__(self, fingerprint="drawn"):
        self.fingerprint, self.asked = fingerprint, 0

    def encode_images(self, images):
        self.asked += len(images)
        return unit(np.stack([image[::24, ::12].ravel() - 0.4 for image in images]))

    def encode_texts(self, texts):
        return unit(np.stack([np.bincount([ord(one) % 32 for one in text], minlength=32) for text in texts]))


def unit(rows):
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def recipe(tiny):
    def make(seed=5, count=3, **neighbours):
        given = {"epochs": 2, "batch": 8, "heads": 2, **neighbours}
        values = {**tiny(seed=seed).model_dump(), "neighbours": given, "assembly": {"neighbours": count}}
        return Recipe.model_validate(values)

    return make


@pytest.fixture(scope="module")
def trained(phantom_corpus, recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("head") / "n"
    return folder, train_neighbours(phantom_corpus, recipe(), folder, encoder=Drawn())


def test_the_held_back_are_the_encoders_own(trained, phantom_corpus):
    learnt, held = hold_back(pairs_of(phantom_corpus, "train"), 5)
    counts = trained[1]["counts"]
    assert (counts["learnt"], counts["held_back"]) == (len(learnt), len(held))


def test_its_score_is_the_mean_of_both_measures(trained):
    results = trained[1]["results"]
    assert results["score"] == pytest.approx((results["label_ap"] + results["mrr"]) / 2)
    assert results["epoch"] in (1, 2)


def test_the_same_call_makes_the_same_head(trained, phantom_corpus, recipe, tmp_path):
    again = train_neighbours(phantom_corpus, recipe(), tmp_path / "n", encoder=Drawn())
    assert again["files"] == trained[1]["files"]


def test_another_seed_makes_another_head(trained, phantom_corpus, recipe, tmp_path):
    other = train_neighbours(phantom_corpus, recipe(seed=6), tmp_path / "n", encoder=Drawn())
    assert other["files"] != trained[1]["files"]


def test_a_finished_one_is_returned_without_encoding(trained, phantom_corpus, recipe):
    encoder = Drawn()
    assert train_neighbours(phantom_corpus, recipe(), trained[0], encoder=encoder) == trained[1]
    assert encoder.asked == 0


@pytest.mark.parametrize("changed", [{"count": 2}, {"pick": "random"}, {"dropout": 0.3}])
def test_a_finished_one_of_other_settings_is_refused(trained, phantom_corpus, recipe, changed):
    with pytest.raises(MismatchError, match="finished head of other settings"):
        train_neighbours(phantom_corpus, recipe(**changed), trained[0], encoder=Drawn())


def test_a_finished_one_of_another_encoder_is_refused(trained, phantom_corpus, recipe):
    with pytest.raises(MismatchError, match="another encoder"):
        train_neighbours(phantom_corpus, recipe(), trained[0], encoder=Drawn("other"))


@pytest.mark.parametrize(
    "looks", [{"sources": []}, {"sources": ["report"]}, {"pick": "random"}, {"count": 500}]
)
def test_every_control_trains(phantom_corpus, recipe, tmp_path, looks):
    found = train_neighbours(phantom_corpus, recipe(epochs=1, **looks), tmp_path / "n", encoder=Drawn())
    assert 0 < found["results"]["score"] <= 1


def test_a_recipe_without_a_head_is_refused(tiny):
    with pytest.raises(XemplarError, match=r"has no head .*; wanted a table \[neighbours\]"):
        looks_of(tiny())


def test_an_encoder_of_other_previews_is_refused(phantom_corpus):
    encoder = Drawn()
    encoder.preview = "0123"
    with pytest.raises(MismatchError, match=r"previews that this program doesn't make .0123"):
        encode_training(phantom_corpus, encoder)


def test_what_is_taught_is_what_reports_claim(phantom_corpus):
    found = encode_training(phantom_corpus, Drawn())
    for pair, row in zip(found.pairs, found.present, strict=True):
        said = summarise(phantom_corpus.by_id[pair.study_id].claims)
        assert {name for name, there in zip(FINDINGS, row, strict=True) if there} == {
            name for name in FINDINGS if said.get(name) == "present"
        }


def test_a_film_is_the_mean_of_its_views_and_some_keep_theirs(phantom_corpus):
    found = encode_training(phantom_corpus, Drawn())
    some = found.only(np.array([7, 2]))
    for row, place in enumerate((7, 2)):
        mean = found.views[found.study_of == place].mean(0)
        assert np.allclose(some.films[row], mean / np.linalg.norm(mean), atol=1e-6)
        assert np.array_equal(
            np.sort(some.views[some.study_of == row], 0), np.sort(found.views[found.study_of == place], 0)
        )


def test_random_neighbours_are_distinct_and_of_others():
    own, others = np.array(["a", "b"]), np.array(["a", "a", "b", "c", "d"])
    drawn = [random_table(own, others, 4, rng=np.random.default_rng(seed)) for seed in range(30)]
    for table in drawn:
        assert set(table[0]) == {2, 3, 4, -1} and table[0, 3] == -1
        assert set(table[1]) == {0, 1, 3, 4}
    assert len({tuple(table[1]) for table in drawn}) > 5


def _taught(shift, patients=160):
    """An image says nothing of a finding, its neighbours' reports all."""
    rng = np.random.default_rng(3)
    count, dim = 160, 16
    present = np.zeros((count, len(FINDINGS)), bool)
    groups = rng.integers(0, 8, count)
    present[:, 0] = groups % 2 == 0
    centres = unit(rng.normal(size=(8, dim)))
    films = unit(centres[groups] + 0.05 * rng.normal(size=(count, dim)))
    reports = unit(films + shift * np.where(present[:, :1], 1, -1) * np.eye(dim)[0])
    names = [f"s{row}" for row in range(count)]
    own = [f"p{row % patients}" for row in range(count)]
    pairs = tuple(
        Pair(name, (name,), name, (name,), one, frozenset([name]))
        for name, one in zip(names, own, strict=True)
    )
    return Encoded(pairs=pairs, films=films, reports=reports, views=films, study_of=np.arange(count),
                   present=present, clusters=np.array(own), keys=np.array(names))  # fmt: skip


def test_what_its_neighbours_say_is_learnt(phantom_corpus, recipe, tmp_path):
    settings = recipe(epochs=15, batch=32, sources=["report"], dropout=0.0, learning_rate=1e-2)
    found = train_neighbours(
        phantom_corpus, settings, tmp_path / "n", encoder=Drawn(), encoded=_taught(shift=0.7)
    )
    assert found["results"]["label_ap"] > 0.95


def test_of_one_patient_alone_nobody_is_held_back_and_nobody_looked_at(phantom_corpus, recipe, tmp_path):
    encoded = _taught(shift=0.7, patients=1)
    found = train_neighbours(
        phantom_corpus, recipe(epochs=1, batch=64), tmp_path / "n", encoder=Drawn(), encoded=encoded
    )
    assert found["results"] == {"epoch": 1, "score": None, "label_ap": None, "mrr": None}
    assert found["counts"]["held_back"] == 0


@pytest.mark.parametrize("size", ["tiny", "small", "published"])
def test_xtra_has_a_head_at_every_size(size):
    found, _ = load_recipe("xtra", size)
    looks = looks_of(found)
    assert (looks.sources, looks.pick, looks.count) == (("image", "report"), "nearest", 8)
    assert found.assembly.policy == "augmented" and found.model.dim % found.neighbours.heads == 0
