"""The aligner against the program's own numbers, brute force, and by hand."""

import itertools
import json
import random

import numpy as np
import pytest

from xemplar.metrics.meteor import align, meteor_es, meteor_from_sums, normalised
from xemplar.metrics.statistics import bootstrap
from xemplar.metrics.wording import pair_texts


@pytest.mark.shared
@pytest.mark.parametrize(("modules", "stem"), [("exact", False), ("exact stem", True)])
def test_agrees_with_the_program(golden, modules, stem):
    case = json.loads((golden / "nlg" / "coco_golden_synthetic.json").read_text())
    want, keys = case["meteor_modules_single_ref"], map(str, case["meteor_modules_single_ref"]["keys"])
    predictions, others = zip(*((case["res"][key][0], case["gts"][key][0]) for key in keys), strict=True)
    score = meteor_es(pair_texts(predictions, others), stem=stem)
    segments = [float(row.split("\t")[-1]) for row in want[modules]["segments_P_R_frag_score"]]
    assert np.isclose(score.per_pair, segments, rtol=0, atol=1e-6).mean() >= 0.99
    assert score.value == pytest.approx(float(want[modules]["final"][0].split()[-1]), abs=1e-6)


def score_of(prediction, reference, **kwargs):
    return meteor_es(pair_texts([prediction], [reference], tokeniser="coco_raw"), **kwargs)


def test_by_hand():
    # "the" is a function word; "lungs" and "lung" have one stem; two matches in two chunks.
    score = score_of("the lungs clear", "lung opacity of the base")
    precision = (0.25 + 0.6 * 0.75) / (2 * 0.75 + 0.25)
    recall = (0.25 + 0.6 * 0.75) / (3 * 0.75 + 2 * 0.25)
    mean = 1 / (0.15 / precision + 0.85 / recall)
    assert score.value == pytest.approx(mean * (1 - 0.6 * (2 / 2) ** 0.2))
    assert score.sums[0].tolist() == [0, 1, 1, 0, 1, 0, 2, 3, 1, 5, 2]


def test_without_stems_only_equal_words_match():
    assert score_of("lungs", "lung", stem=False).value == 0
    assert score_of("lungs", "lung").value == pytest.approx(0.6)
    assert score_of("lungs", "lung", stem=False).name != score_of("lungs", "lung").name


@pytest.mark.parametrize(
    ("first", "second", "one_stem"),
    [
        ("opacities", "opacity", True),
        ("enlarged", "enlargement", True),
        ("later", "lateral", True),
        ("past", "paste", True),
        ("internal", "international", True),
        ("add", "added", False),
        ("radiologist", "radiology", False),
        ("effusion", "effuse", True),
        ("normal", "abnormal", False),
    ],
)
def test_stems_are_the_programs(first, second, one_stem):
    # What the program says of each; later versions of Snowball part some otherwise.
    assert (score_of(first, second).value > 0) == one_stem


@pytest.mark.parametrize(
    ("prediction", "reference", "value"),
    [
        (
            "is is lungs clearly heart lung is lung the lungs lungs cleared no",
            "lung of is cleared is the of lung the",
            0.29577859480591134,
        ),
        (
            "cleared heart clearly of the the lung lung clear lungs clear",
            "cleared clear heart lung lungs of cleared cleared heart clearly",
            0.27289048473967686,
        ),
    ],
)
def test_the_search_is_the_programs_own(prediction, reference, value):
    # What the program says where another beam, or another order of paths, finds another alignment.
    assert score_of(prediction, reference).value == pytest.approx(value, abs=1e-12)


def test_equal_texts_have_no_chunk_to_pay_for():
    score = score_of("the heart is the heart", "the heart is the heart")
    assert (score.value, score.sums[0, 6]) == (1, 0)


def test_the_whole_is_of_the_summed_statistics():
    score = meteor_es(pair_texts(["a b c", "d d"], ["a b c", "e"], tokeniser="coco_raw"))
    assert score.per_pair.tolist() == [1, 0]
    assert score.value != pytest.approx(score.per_pair.mean())
    assert score.value == pytest.approx(float(meteor_from_sums(score.sums.sum(axis=0))))


def test_the_best_of_several_references_counts():
    texts = ["clear lungs", "no effusion or mass", "heart"]
    both = meteor_es(pair_texts(["no effusion"], [texts], tokeniser="coco_raw"))
    assert both.per_pair.tolist() == [max(score_of("no effusion", text).value for text in texts)]


@pytest.mark.parametrize(("prediction", "reference"), [("", "a b"), ("a b", ""), ("", ""), ("a", "b")])
def test_nothing_in_common_is_nothing(prediction, reference):
    assert score_of(prediction, reference).value == 0


def test_alignment_has_most_matches_in_fewest_chunks():
    rng = random.Random(7)
    for _ in range(150):
        words, other = (tuple(rng.choices("abc", k=rng.randrange(1, 5))) for _ in range(2))
        matches, chunks = align(words, other, stem=False)
        assert all(words[here] == other[there] for here, there in matches)
        assert chunks == chunks_of(matches)
        assert (-len(matches), chunks) == brute_force(words, other)


def chunks_of(matches):
    runs = set(matches)
    return sum((here - 1, there - 1) not in runs for here, there in runs)


def brute_force(words, other):
    """Most matches, then fewest chunks, over every way to give each word of `other` a place or none."""
    best = (0, 0)
    for places in itertools.product([None, *range(len(words))], repeat=len(other)):
        chosen = [(here, there) for there, here in enumerate(places) if here is not None]
        if len({here for here, _ in chosen}) == len(chosen) and all(
            words[here] == other[there] for here, there in chosen
        ):
            best = min(best, (-len(chosen), chunks_of(chosen)))
    return best


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ("left-sided t7/t8", "left sided t7 / t8"),
        ("there 's no 4.5 cm", "there ' s no 4.5 cm"),
        ("ca n't patient's", "ca n 't patient 's"),
        ("e.g. u.s.", "eg us"),
        ("-lrb- vs. -rrb-", "-lrb- vs. -rrb-"),
        ("size 5.", "size 5 ."),
        ("wait... what", "wait ... what"),
        ("1,000 a,b", "1,000 a , b"),
        ("Heart (big)", "heart ( big )"),
        ("Effusion. No mass. or", "effusion . no mass. or"),
        ("Dr. Smith, No. 5 No. Five", "dr. smith , no. 5 no . five"),
    ],
)
def test_words_are_parted_as_by_the_program(tokens, words):
    assert normalised(tuple(tokens.split())) == tuple(words.split())


def test_long_repetitive_texts_are_aligned():
    words = " ".join(["the", "of", "no", "is"] * 40)
    other = " ".join(["of", "the", "is", "no"] * 40)
    assert 0.3 < score_of(words, other).value < 1


def test_can_be_bootstrapped():
    rng = random.Random(8)
    texts = [[" ".join(rng.choices("abcdef", k=8)) for _ in range(40)] for _ in range(2)]
    score = meteor_es(pair_texts(*texts))
    interval = bootstrap(score.from_sums, score.sums, clusters=np.arange(40), seed=1, replicates=200)
    assert interval.low < interval.value < interval.high
