"""What the archive says of a finding, against loops over every image, report and sentence."""

import math

import numpy as np
import pytest

from xemplar.drafting import evidence
from xemplar.drafting.evidence import Evidence
from xemplar.findings import FINDINGS, read_claims, summarise
from xemplar.report import sentences, text_key
from xemplar.retrieval import NOBODY, Leave

STUDIES = [
    ("a", "Mild edema. No pleural effusion."),
    ("a", "Mild edema. The heart is enlarged."),
    ("b", "No edema. Small left pleural effusion."),
    ("b", "Possible edema. No pneumothorax."),
    ("c", "The heart is normal in size. No pleural effusion or pneumothorax."),
    ("d", "Severe pulmonary edema. The heart is enlarged. No pleural effusion."),
    ("e", "Small left pleural effusion. No edema."),
    ("f", "Clear lungs."),
]
QUERIES = np.random.default_rng(5).standard_normal((4, 48)).astype(np.float32)
QUERIES /= np.linalg.norm(QUERIES, axis=1, keepdims=True)


@pytest.fixture
def made(archive_of):
    return archive_of(STUDIES)


def by_loop(made, query, leave, neighbours):
    corpus, index, _ = made
    dropped = {study.study_id for study in corpus.studies if leave.drops(study)}
    weight = {"present": 1.0, "uncertain": 0.5, "absent": 0.0}
    said = {
        s.study_id: summarise(c for t in sentences(s.findings) for c in read_claims(t))
        for s in corpus.studies
    }
    out = np.zeros((len(FINDINGS), 3))
    for place, kind in enumerate(("image", "report")):
        items = index.items[kind]
        near = [
            (float(np.dot(items.vectors[row].astype(np.float64), query)), ids[0])
            for row, ids in enumerate(items.study_ids)
            if ids[0] not in dropped
        ]
        near = sorted(near, reverse=True)[:neighbours]
        if not near:
            continue
        shares = [math.exp(20 * (cosine - near[0][0])) for cosine, _ in near]
        for column, name in enumerate(FINDINGS):
            votes = [weight[said[study_id].get(name, "absent")] for _, study_id in near]
            out[column, place] = np.dot(shares, votes) / sum(shares)
    out[:, 2] = [_margin(made, query, dropped, name) for name in FINDINGS]
    return out


def _margin(made, query, dropped, name):
    corpus, index, _ = made
    items = index.items["sentence"]
    best = {"present": [], "absent": [], None: [], "uncertain": []}
    wrote = {}
    for study in corpus.studies:
        for text in sentences(study.findings):
            wrote.setdefault(text_key(text), []).append((study.study_id, text))
    for row, sentence_id in enumerate(items.ids):
        if all(study_id in dropped for study_id, _ in wrote[sentence_id]):
            continue
        presence = summarise(read_claims(wrote[sentence_id][0][1])).get(name)
        best[presence].append(float(np.dot(items.vectors[row].astype(np.float64), query)))
    means = [np.mean(sorted(values)[-3:]) if values else 0.0 for values in (best["present"], best["absent"])]
    return means[0] - means[1]


def leave_of(made, number):
    study = made[0].studies[number]
    return Leave(study.study_id, study.patient_id)


@pytest.mark.parametrize("neighbours", [3, 32])
@pytest.mark.parametrize("left_out", [None, 0, 2, 5])
def test_features_by_brute_force(made, monkeypatch, neighbours, left_out):
    monkeypatch.setattr(evidence, "NEIGHBOURS", neighbours)
    leave = NOBODY if left_out is None else leave_of(made, left_out)
    found = Evidence(made[0], made[1]).features(QUERIES, [leave] * len(QUERIES))
    for row, query in enumerate(QUERIES):
        np.testing.assert_allclose(found[row], by_loop(made, query, leave, neighbours), atol=2e-5)


def test_a_patient_of_many_studies_leaves_as_many_neighbours(archive_of, monkeypatch):
    """The thirty nearest are of the patient left out; still three others are heard."""
    monkeypatch.setattr(evidence, "NEIGHBOURS", 3)
    made = archive_of(
        [("a", f"Mild edema {n}.") for n in range(30)]
        + [(f"p{n}", ("No edema.", "Severe edema.")[n % 2]) for n in range(4)]
    )
    corpus, index, _ = made
    query = np.asarray(index.items["image"].vectors[:30]).sum(axis=0)
    query /= np.linalg.norm(query)
    leave = leave_of(made, 0)
    found = Evidence(corpus, index).features(query[None], [leave])
    np.testing.assert_allclose(found[0], by_loop(made, query, leave, 3), atol=2e-5)


def test_a_query_has_the_same_bits_alone_or_among_others(made):
    leaves = [NOBODY, leave_of(made, 0), leave_of(made, 3), NOBODY]
    heard = Evidence(made[0], made[1])
    together = heard.features(QUERIES, leaves)
    for row, leave in enumerate(leaves):
        assert np.array_equal(heard.features(QUERIES[row : row + 1], [leave])[0], together[row])


def test_everybody_left_out_is_no_evidence(archive_of):
    made = archive_of([("a", "Mild edema."), ("a", "No edema.")])
    found = Evidence(made[0], made[1]).features(QUERIES[:1], [leave_of(made, 0)])
    assert np.array_equal(found, np.zeros((1, len(FINDINGS), 3)))


def test_nothing_asked_nothing_answered(made):
    assert Evidence(made[0], made[1]).features(QUERIES[:0], []).shape == (0, len(FINDINGS), 3)
