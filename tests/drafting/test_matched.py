"""What a matcher adds to the evidence, against a loop; and a calibration that knows its features."""

import json

import numpy as np
import pytest

from xemplar.contracts import Matches
from xemplar.drafting.calibration import fit, open_calibration, save_calibration
from xemplar.drafting.evidence import FEATURES, Evidence
from xemplar.drafting.matched import CANDIDATES, TOP, Matched
from xemplar.drafting.truth import truth_of
from xemplar.errors import MismatchError, XemplarError
from xemplar.findings import FINDINGS
from xemplar.parts import FittedTo
from xemplar.records import Study
from xemplar.retrieval import NOBODY, Leave

INDEX = FittedTo(fingerprint="i", generation=1, corpus="c", model="m", reports=10)
STUDIES = [
    ("a", "Mild edema. No pleural effusion."),
    ("b", "No edema. Small left pleural effusion."),
    ("c", "Severe pulmonary edema."),
]


def nothing(place):
    """No part beside the calibration."""


class Listed:
    """Texts, of which some can be taken."""

    def __init__(self, texts):
        self.texts = texts

    def __len__(self):
        return len(self.texts)

    def take(self, rows):
        return Listed([self.texts[row] for row in rows])


class ByLetters:
    """A matcher whose score is drawn from the image's sum and the text."""

    fingerprint = "letters"

    def __init__(self):
        self.prepared, self.asked = 0, None

    def prepare(self, texts):
        self.prepared += 1
        return Listed(list(texts))

    def match(self, images, states, *, explain=False):
        self.asked = states.texts
        return Matches(np.array([[score(image, text) for text in states.texts] for image in images]))


def score(image, text):
    seed = [int(image.sum() * 1000), *text.encode()]
    return np.float32(np.random.default_rng(seed).standard_normal())


@pytest.fixture
def images():
    return [np.full((2, 2), value, np.float32) for value in (0.1, 0.7)]


def asked_in_turns(similar, sides, count):
    """Of every finding's every side the nearest, then the second nearest, and so on, by a loop."""
    known = [
        [sorted((row for row in rows if np.isfinite(similar[row])), key=lambda row: (-similar[row], row))
         for rows in pair]
        for pair in sides
    ]  # fmt: skip
    lists = [rows for pair in known if pair[0] and pair[1] for rows in pair]
    chosen = []
    for turn in range(len(similar)):
        for row in sorted({rows[turn] for rows in lists if len(rows) > turn}, key=lambda r: (-similar[r], r)):
            if row not in chosen and len(chosen) < count:
                chosen.append(row)
    return chosen


def test_margins_by_a_loop(images):
    rng = np.random.default_rng(0)
    texts = [f"text {n}" for n in range(200)]
    similar = np.round(rng.random(200), 2).astype(np.float32)  # some are equal
    similar[[3, 20]] = -np.inf
    sides = [
        (np.arange(0, 160, 2), np.arange(1, 160, 2)), (np.arange(160, 164), np.arange(164, 166)),
        (np.arange(100, 180), np.arange(180, 200)), (np.array([3]), np.arange(150, 200)),
    ]  # fmt: skip
    matcher = ByLetters()
    found = Matched(matcher, texts).margins(images, similar, sides)
    asked = asked_in_turns(similar, sides, CANDIDATES)
    assert matcher.asked == [texts[row] for row in sorted(asked)] and len(asked) == CANDIDATES
    for at, pair in enumerate(sides[:3]):
        means = []
        for rows in pair:
            scores = [np.mean([score(image, texts[row]) for image in images]) for row in rows if row in asked]
            means.append(np.mean(sorted(scores)[-TOP:]))
        assert found[at] == pytest.approx(means[0] - means[1], abs=1e-6)
    assert found[3] == 0


def test_every_finding_is_judged_even_where_all_its_sentences_are_far(images):
    similar = np.concatenate([np.linspace(0.9, 0.8, 100), [0.1, 0.05]]).astype(np.float32)
    sides = [(np.arange(50), np.arange(50, 100)), (np.array([100]), np.array([101]))]
    found = Matched(ByLetters(), [f"text {n}" for n in range(102)]).margins(images, similar, sides)
    assert found[1] != 0


def test_nothing_is_said_where_one_side_has_no_sentence(images):
    empty = np.zeros(0, np.int64)
    similar = np.ones(3, np.float32)
    sides = [(np.arange(3), empty), (empty, np.arange(3)), (empty, empty)]
    assert Matched(ByLetters(), ["a", "b", "c"]).margins(images, similar, sides).tolist() == [0, 0, 0]


def test_evidence_gets_one_feature_more_and_the_others_stay(archive_of, images):
    corpus, index, _ = archive_of(STUDIES)
    mild = next(study for study in corpus.studies if "Mild" in (study.findings or ""))
    vectors = np.asarray(index.items["report"].vectors[:2])
    leaves = [NOBODY, Leave(mild.study_id, mild.patient_id)]
    matcher = ByLetters()
    evidence = Evidence(corpus, index, matcher=matcher)
    plain = Evidence(corpus, index).features(vectors, leaves)
    found = evidence.features(vectors, leaves, [images, images[:1]])
    assert np.array_equal(found[:, :, :3], plain)
    assert np.array_equal(evidence.features(vectors, leaves), plain)
    assert evidence.names == (*FEATURES, f"match margin of {CANDIDATES} by letters") and matcher.prepared == 1
    edema = {name: score(images[0], name) for name in ("Mild edema.", "No edema.", "Severe pulmonary edema.")}
    # Who alone wrote of mild edema is left out of the second answer.
    wanted = edema["Severe pulmonary edema."] - edema["No edema."]
    assert found[1, FINDINGS.index("Edema"), 3] == pytest.approx(wanted)


def test_images_of_another_number_of_queries_are_refused(archive_of, images):
    corpus, index, _ = archive_of(STUDIES)
    evidence = Evidence(corpus, index, matcher=ByLetters())
    with pytest.raises(XemplarError, match="images of 1 queries"):
        evidence.features(np.asarray(index.items["report"].vectors[:2]), [NOBODY, NOBODY], [images])


def fitted(names):
    rng = np.random.default_rng(0)
    features = rng.standard_normal((40, len(FINDINGS), len(names))).astype(np.float32)
    studies = [
        Study(str(n), None, "synthetic", labels={"Edema": "present" if n % 2 else "absent"})
        for n in range(40)
    ]
    return features, fit(features, [truth_of(one) for one in studies], index=INDEX, title="t", names=names)


def test_a_calibration_of_the_usual_features_names_none(tmp_path):
    _, made = fitted(FEATURES)
    save_calibration(tmp_path / "c", made, parts=nothing)
    assert "features" not in json.loads((tmp_path / "c" / "calibration.json").read_text())
    assert open_calibration(tmp_path / "c", index=INDEX) == made


def test_a_calibration_of_other_features_is_refused_by_name(tmp_path):
    _, made = fitted((*FEATURES, "match margin by x"))
    save_calibration(tmp_path / "c", made, parts=nothing)
    with pytest.raises(MismatchError, match="match margin by x"):
        open_calibration(tmp_path / "c", index=INDEX)
    with pytest.raises(MismatchError, match="match margin by y"):
        open_calibration(tmp_path / "c", index=INDEX, names=(*FEATURES, "match margin by y"))
    assert open_calibration(tmp_path / "c", index=INDEX, names=made.features) == made


def test_features_of_another_number_are_refused():
    features, made = fitted((*FEATURES, "match margin by x"))
    with pytest.raises(XemplarError, match="3 features"):
        made.probabilities(features[:, :, :3])


def test_a_probability_is_the_same_alone_and_in_company():
    features, made = fitted((*FEATURES, "match margin by x"))
    together = made.probabilities(features)["Edema"]
    alone = [made.probabilities(features[row : row + 1])["Edema"][0] for row in range(len(features))]
    assert np.array_equal(together, alone)
