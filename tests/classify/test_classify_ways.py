"""Each plain way against scikit-learn or a sum by hand; and who teaches them."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from squares import KNOWN, SAYS, Seeing, arrivals, column, corpus_of

from xemplar.classify import KernelVote, ZeroShot, fit_probe, fit_votes, kernel, load_prompts, plain
from xemplar.errors import MismatchError, XemplarError
from xemplar.findings import FINDINGS, read_claims, summarise
from xemplar.index import build_index
from xemplar.records import Claim, Study
from xemplar.retrieval import NOBODY, Leave


@pytest.fixture(scope="module")
def taught(made):
    """Training films and labels, read from the corpus without the program's own gathering."""
    index, by_id = made.index.items["image"], made.corpus.by_id
    rows = [np.asarray(index.vectors[row], np.float64) for row in range(len(index))]
    vectors = np.stack([row / np.linalg.norm(row) for row in rows])
    studies = [by_id[ids[0]] for ids in index.study_ids]
    return (
        vectors,
        {name: np.array([SAYS[name][0] in s.findings for s in studies]) for name in KNOWN},
        studies,
    )


def standard(vectors, of):
    return (vectors - of.mean(axis=0)) / of.std(axis=0).clip(1e-9)


@pytest.mark.parametrize("name", KNOWN)
def test_the_probe_is_scikit_learns(made, taught, asked, name):
    vectors, labels, _ = taught
    probe = made.classifier.fitted.probe
    model = LogisticRegression(C=probe.strength, max_iter=500, solver="newton-cholesky").fit(
        standard(vectors, vectors), labels[name]
    )
    wanted = model.predict_proba(standard(asked[1], vectors))[:, 1]
    np.testing.assert_allclose(probe.scores(asked[1])[:, column(name)], wanted, atol=1e-4)


def test_the_probe_doesnt_tell_what_too_few_have(made, asked):
    known = np.isfinite(made.classifier.fitted.probe.scores(asked[1])).all(axis=0)
    assert [name for name, there in zip(FINDINGS, known, strict=True) if there] == sorted(KNOWN, reverse=True)


def test_the_strength_is_judged_on_patients_not_learnt_from():
    """Films of a patient are alike, labels the patient's alone: who has not met him knows nothing."""
    rng = np.random.default_rng(0)
    films = np.repeat(rng.standard_normal((40, 60)), 4, axis=0)
    labels = np.repeat(rng.integers(0, 2, 40), 4).astype(float)[:, None]
    patients = np.repeat(np.arange(40).astype(str), 4)
    alone = np.arange(160).astype(str)
    assert plain._strength(films, labels, patients) == min(plain.STRENGTHS)
    assert plain._strength(films, labels, alone) == max(plain.STRENGTHS)


def test_no_claim_is_absent_and_an_unsure_one_is_no_label():
    claims = (Claim("Edema", "uncertain"), Claim("Fracture", "present"), Claim("Pneumonia", "absent"))
    (row,) = plain.labels_of([Study("s", None, "synthetic", claims=claims)])
    assert np.isnan(row[column("Edema")])
    assert (row[column("Fracture")], row[column("Pneumonia")], row[column("Cardiomegaly")]) == (1, 0, 0)


def test_prompts_are_weighed_by_a_softmax_of_two_cosines(made, asked):
    prompts, encoder = load_prompts()["Edema"], Seeing()
    sides = []
    for texts in (prompts.present, prompts.absent):
        mean = np.mean([encoder.encode_texts([text])[0] for text in texts], axis=0)
        sides.append(asked[1] @ (mean / np.linalg.norm(mean)) / plain.TEMPERATURE)
    wanted = np.exp(sides[0]) / (np.exp(sides[0]) + np.exp(sides[1]))
    found = ZeroShot(encoder, load_prompts()).scores(asked[1])[:, column("Edema")]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_finding_without_prompts_is_not_told(asked):
    found = ZeroShot(Seeing(), {"Edema": load_prompts()["Edema"]}).scores(asked[1])
    assert np.flatnonzero(np.isfinite(found).all(axis=0)).tolist() == [column("Edema")]


@pytest.mark.parametrize("name", FINDINGS)
def test_prompts_say_what_they_stand_for(name):
    prompts = load_prompts()[name]
    for text in prompts.present:
        assert summarise(read_claims(text)).get(name) == "present", text
    for text in prompts.absent:
        assert "present" not in summarise(read_claims(text)).values(), text


def test_the_knn_vote_is_the_evidences_of_images(made, asked):
    _, vectors, leaves = asked
    found = made.classifier.ways.scores(vectors, leaves)["kNN label vote"]
    assert np.array_equal(found, made.evidence.features(vectors, leaves)[:, :, 0])


# --- votes that are learnt ---


def test_votes_are_kernel_ridges(made, taught, asked):
    vectors, labels, _ = taught
    votes = made.classifier.fitted.votes
    wanted = np.stack([labels[name] for name in votes.learnt], axis=1).astype(float)
    gamma = votes.narrowness / vectors.shape[1]
    model = KernelRidge(alpha=votes.penalty, kernel="rbf", gamma=gamma)
    model.fit(standard(vectors, vectors), wanted - wanted.mean(axis=0))
    expected = model.predict(standard(asked[1], vectors)) + wanted.mean(axis=0)
    found = KernelVote(made.corpus, made.index, votes).scores(asked[1], [NOBODY] * len(asked[1]))
    np.testing.assert_allclose(found[:, [column(name) for name in votes.learnt]], expected, atol=1e-3)


def test_fewer_voters_still_learn_from_all(made, taught, asked, monkeypatch):
    """A third vote, and their votes are the least squares over every film."""
    monkeypatch.setattr(kernel, "VOTERS", 12)
    present = np.zeros((len(asked[1]), len(FINDINGS)), bool)
    votes = fit_votes(made.corpus, made.index, held=asked[1], present=present)
    assert len(votes.study_ids) == 12 and votes.studies == len(taught[2])
    scaled = standard(taught[0], taught[0])
    rows = [row for row, study in enumerate(taught[2]) if study.study_id in votes.study_ids]
    squares = ((scaled[:, None] - scaled[rows][None]) ** 2).mean(axis=2)
    near = np.exp(-votes.narrowness * squares)
    wanted = taught[1][votes.learnt[0]] - votes.shares[0]
    expected = near @ np.linalg.solve(near.T @ near + votes.penalty * near[rows], near.T @ wanted)
    found = near @ [row[0] for row in votes.votes]
    alone = near @ np.linalg.solve(near[rows] + votes.penalty * np.eye(12), wanted[rows])
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert np.abs(found - alone).max() > 0.02


def test_who_is_left_out_has_no_vote(made, taught, asked):
    votes = made.classifier.fitted.votes
    asked_of, own = KernelVote(made.corpus, made.index, votes), taught[2][0]
    leave = Leave(own.study_id, own.patient_id)
    everybody, others = (asked_of.scores(asked[1][:1], [one])[0] for one in (NOBODY, leave))
    scaled, query = standard(taught[0], taught[0]), standard(asked[1][:1], taught[0])
    theirs = np.zeros(len(votes.learnt))
    for row, study in enumerate(taught[2]):
        if study.patient_id == own.patient_id:
            near = np.exp(-votes.narrowness * ((scaled[row] - query[0]) ** 2).mean())
            theirs += near * np.array(votes.votes[votes.study_ids.index(study.study_id)])
    columns = [column(name) for name in votes.learnt]
    assert np.abs(theirs).max() > 1e-4
    np.testing.assert_allclose(everybody[columns] - others[columns], theirs, atol=1e-4)


def test_an_index_without_the_voters_is_refused(made):
    votes = made.classifier.fitted.votes.model_copy(
        update={"study_ids": ["nobody", *made.classifier.fitted.votes.study_ids[1:]]}
    )
    with pytest.raises(MismatchError, match="of the studies that vote; wanted all"):
        KernelVote(made.corpus, made.index, votes)


# --- what teaches nothing ---


def test_an_index_of_one_study_teaches_no_probe(made, tmp_path):
    one = corpus_of(tmp_path, [next(iter(arrivals(1)))], fractions=(1.0, 0.0, 0.0))
    index = build_index(one, Seeing(), tmp_path / "index")
    with pytest.raises(XemplarError, match=r"1 training studies of 1 patients .* wanted ten of at least two"):
        fit_probe(one, index)
