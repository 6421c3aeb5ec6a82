"""A linear space is the floor's numbers again, and its cosine is added to a network's."""

import numpy as np
import pytest

from xemplar.errors import MismatchError
from xemplar.evaluation.floors import LinearFloor
from xemplar.models.linear import WithLinear, open_linear
from xemplar.training.linear import fit_linear, train_linear
from xemplar.training.recipe import Linear


class Network:
    """Three numbers of an image, or of a text."""

    fingerprint, preview, domain = "network", None, "synthetic"

    def encode_images(self, images):
        return _unit(np.stack([[i.mean(), i.std(), i[0, 0] + 0.1] for i in images]))

    def encode_texts(self, texts):
        return _unit(np.array([[len(text), text.count(" "), 1] for text in texts]))


def _unit(rows):
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def folder(phantom_corpus, tmp_path_factory):
    place = tmp_path_factory.mktemp("linear") / "linear"
    train_linear(phantom_corpus, Linear(weight=0.5), place, encoder=Network())
    return place


@pytest.fixture(scope="module")
def asked(phantom_corpus):
    studies = [study for study in phantom_corpus.part("test") if study.views and study.text][:7]
    return phantom_corpus.previews([s.views[0].view_id for s in studies]), [s.text for s in studies]


def test_uncentred_it_is_the_floor(phantom_corpus, asked):
    studies = [study for study in phantom_corpus.part("train") if study.views and study.text]
    given = (
        phantom_corpus.previews([s.views[0].view_id for s in studies]),
        [s.text for s in studies],
        [s.facets["cluster"] for s in studies],
    )
    space, strength = fit_linear(*given, settings=Linear(centred=False))
    floor = LinearFloor(*given)
    assert floor.strength == strength
    np.testing.assert_array_equal(space.encode_images(asked[0]), floor.encode_images(asked[0]))
    np.testing.assert_array_equal(space.encode_texts(asked[1]), floor.encode_texts(asked[1]))


def test_cosines_are_added_by_weight(folder, asked):
    both, network = open_linear(folder, Network()), Network()
    images, texts = asked
    alone = network.encode_images(images) @ network.encode_texts(texts).T
    linear = both.space.encode_images(images) @ both.space.encode_texts(texts).T
    found = both.encode_images(images) @ both.encode_texts(texts).T
    np.testing.assert_allclose(found, (alone + 0.5 * linear) / 1.5, atol=1e-5)


def test_centred_vectors_have_no_common_part(folder, phantom_corpus):
    space = open_linear(folder, Network()).space
    texts = [study.text for study in phantom_corpus.part("train") if study.text]
    assert np.linalg.norm(space.encode_texts(texts).mean(0)) < 0.12


def test_a_films_vector_is_the_same_alone(folder, asked):
    both = open_linear(folder, Network())
    whole = both.encode_images(asked[0])
    for row, image in enumerate(asked[0]):
        assert np.array_equal(both.encode_images([image])[0], whole[row])


def test_a_text_of_unknown_words_is_the_networks_alone(folder, asked):
    both = open_linear(folder, Network())
    vector = both.encode_texts(["xyzzy"])[0]
    assert not vector[3:-1].any() and np.linalg.norm(vector) == pytest.approx(1.0)
    alone = Network().encode_images(asked[0]) @ Network().encode_texts(["xyzzy"])[0]
    np.testing.assert_allclose(both.encode_images(asked[0]) @ vector, alone / 1.5, atol=1e-5)


def test_another_encoder_or_file_is_refused(folder, phantom_corpus, tmp_path):
    other = Network()
    other.fingerprint = "another"
    with pytest.raises(MismatchError, match="beside encoder network; wanted encoder another"):
        open_linear(folder, other)
    with pytest.raises(MismatchError, match="finished linear space of other settings"):
        train_linear(phantom_corpus, Linear(weight=0.7), folder, encoder=Network())
    assert isinstance(open_linear(folder, Network()), WithLinear)


def test_a_changed_file_is_refused(phantom_corpus, tmp_path):
    train_linear(phantom_corpus, Linear(), tmp_path / "l", encoder=Network())
    (tmp_path / "l/words.json").write_text("[]")
    with pytest.raises(MismatchError, match=r"words\.json is missing or changed"):
        open_linear(tmp_path / "l", Network())
