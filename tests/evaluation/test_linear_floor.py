"""The linear floor is what it says: ridge regression from small pixels to TF-IDF and SVD."""

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from xemplar.errors import XemplarError
from xemplar.evaluation.floors import LinearFloor
from xemplar.images import model_input
from xemplar.metrics.ranking import right_ranks
from xemplar.training import linear
from xemplar.training.linear import _held_out

WORDS = ("effusion", "edema", "cardiomegaly", "pneumothorax", "opacity", "fracture", "tube", "clear")
RNG = np.random.default_rng(0)


def made(count=40):
    """Pictures with a bright square for each of some words, the texts of those words, and patients."""
    rng = np.random.default_rng(1)
    images, texts = [], []
    for number in range(count):
        image = rng.random((64, 64), dtype=np.float32) * 0.3
        told = [0, 1 + number % 7, 1 + (number * 3) % 7]
        for word in told:
            image[8 * word : 8 * word + 8, 8:24] = 0.9
        images.append(image)
        texts.append(" and ".join(WORDS[word] for word in told))
    return images, texts, [f"p{number // 2}" for number in range(count)]


@pytest.fixture(scope="module")
def floor():
    return LinearFloor(*made())


def by_hand(images, texts, strength, queries):
    """Standardise, centre, solve the normal equations of ridge regression, and add the mean back."""
    counts = TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform(texts)
    targets = TruncatedSVD(min(128, counts.shape[1] - 1), random_state=0).fit_transform(counts)
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    pixels = np.stack([model_input(image, 32).ravel() for image in images]).astype(np.float64)
    mean, spread = pixels.mean(axis=0), pixels.std(axis=0)
    x = (pixels - mean) / np.where(spread == 0, 1, spread)
    weights = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ (targets - targets.mean(axis=0)))
    asked = np.stack([model_input(image, 32).ravel() for image in queries])
    guess = (asked - mean) / np.where(spread == 0, 1, spread) @ weights + targets.mean(axis=0)
    return guess / np.linalg.norm(guess, axis=1, keepdims=True)


@pytest.mark.parametrize("strength", [1e2, 1e4])
def test_it_is_ridge_regression(monkeypatch, strength):
    monkeypatch.setattr(linear, "STRENGTHS", (strength,))
    images, texts, patients = made()
    found = LinearFloor(images, texts, patients).encode_images(images[:5])
    np.testing.assert_allclose(found, by_hand(images, texts, strength, images[:5]), atol=2e-3)


def test_its_strength_is_the_best_of_the_inner_split(floor):
    images, texts, patients = made()
    out = _held_out(patients, 0)
    fitted = [text for text, held in zip(texts, out, strict=True) if not held]
    asked = [image for image, held in zip(images, out, strict=True) if held]
    right = [text for text, held in zip(texts, out, strict=True) if held]
    known = [image for image, held in zip(images, out, strict=True) if not held]
    words = TfidfVectorizer(sublinear_tf=True, min_df=2).fit(fitted)
    svd = TruncatedSVD(len(words.vocabulary_) - 1, random_state=0).fit(words.transform(fitted))
    rows = svd.transform(words.transform(right))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    relevant = np.array(right)[:, None] == np.array(right)[None]
    scores = {
        strength: (1 / right_ranks(by_hand(known, fitted, strength, asked) @ rows.T, relevant)).mean()
        for strength in linear.STRENGTHS
    }
    assert scores[floor.strength] == pytest.approx(max(scores.values()), abs=0.02)


def test_it_learns_what_is_linear(floor):
    images, texts, _ = made()
    similar = floor.encode_images(images) @ floor.encode_texts(texts).T
    relevant = np.array(texts)[:, None] == np.array(texts)[None]
    assert np.median(right_ranks(similar, relevant)) == 1


def test_rows_have_length_one(floor):
    images, texts, _ = made()
    for rows in (floor.encode_images(images), floor.encode_texts(texts)):
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_the_inner_split_keeps_patients_whole(seed):
    patients = [f"p{n}" for n in RNG.integers(0, 12, 60)]
    out = _held_out(patients, seed)
    held = {name for name, is_out in zip(patients, out, strict=True) if is_out}
    kept = {name for name, is_out in zip(patients, out, strict=True) if not is_out}
    assert held and kept and not held & kept
    assert len(held) == max(1, round(0.2 * len(set(patients))))


def test_the_same_seed_holds_out_the_same():
    patients = [f"p{n}" for n in range(30)]
    assert np.array_equal(_held_out(patients, 3), _held_out(patients, 3))
    assert not np.array_equal(_held_out(patients, 3), _held_out(patients, 4))


def test_it_is_the_same_twice(floor):
    images, texts, patients = made()
    again = LinearFloor(images, texts, patients)
    assert np.array_equal(again.encode_images(images), floor.encode_images(images))


def test_a_text_of_unknown_words_is_a_row_of_zeros(floor):
    found = floor.encode_texts(["xylophone quartz", "edema"])
    assert not found[0].any() and found[1].any()


def test_a_text_of_unknown_words_finds_nothing(floor):
    images, _, _ = made()
    similar = floor.encode_texts(["xylophone quartz"]) @ floor.encode_images(images).T
    relevant = np.zeros((1, len(images)), np.bool_)
    relevant[0, 0] = True
    assert right_ranks(similar, relevant).tolist() == [len(images)]


def test_fewer_than_ten_studies_are_refused():
    images, texts, patients = made(9)
    with pytest.raises(XemplarError, match="9 training studies for the linear floor; wanted at least 10"):
        LinearFloor(images, texts, patients)


def test_a_single_patient_is_refused():
    images, texts, _ = made(12)
    with pytest.raises(XemplarError, match="one patient or group for the linear floor; wanted at least 2"):
        LinearFloor(images, texts, ["p"] * 12)


@pytest.mark.parametrize(
    ("texts", "count"),
    [([f"word{n}" for n in range(12)], 0), ([f"shared word{n}" for n in range(12)], 1), ([""] * 12, 0)],
    ids=["nothing shared", "one word shared", "no words"],
)
def test_texts_that_share_too_few_words_are_refused(texts, count):
    images, _, patients = made(12)
    with pytest.raises(XemplarError, match=rf"^{count} words that two of \d+ training texts share"):
        LinearFloor(images, texts, patients)


def test_two_shared_words_are_enough():
    images, _, patients = made(12)
    texts = [f"{'edema' if n % 2 else 'effusion'} word{n}" for n in range(12)]
    assert LinearFloor(images, texts, patients).encode_texts(texts).shape == (12, 1)
