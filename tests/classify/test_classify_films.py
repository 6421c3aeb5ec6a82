"""A film's classification: who is asked, who is not, what is said, and what is refused."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from squares import KNOWN, SAYS, Seeing, arrivals, column, corpus_of
from verb_output import printed

from xemplar.archive import Archive, calibrate
from xemplar.classify import LIMITS, UNVERIFIED_FINDINGS, open_fitted, precedents
from xemplar.drafting import open_parts, truth_of
from xemplar.drafting.policies.head import Head
from xemplar.errors import MismatchError, XemplarError
from xemplar.findings import FINDINGS, read_claims
from xemplar.folders import publish
from xemplar.index import build_index, fitted_to
from xemplar.retrieval import NOBODY


@pytest.fixture(scope="module")
def answers(made, asked):
    return made.classify_many([made.films_of(study) for study in asked[0]], vectors=asked[1])


@pytest.mark.parametrize("name", KNOWN)
def test_films_that_show_a_finding_are_called_present(asked, answers, name):
    calls = {True: [], False: []}
    for study, made in zip(asked[0], answers, strict=True):
        calls[SAYS[name][0] in study.findings].append(made.findings[column(name)].call)
    assert calls[True].count("present") >= 0.9 * len(calls[True]) > 4
    assert calls[False].count("absent") >= 0.8 * len(calls[False]) > 10


def test_alone_it_is_the_same_as_among_others(made, asked, answers):
    for row in (0, 3):
        assert made.classify(made.films_of(asked[0][row])) == answers[row]


def test_it_can_be_written_as_json(answers):
    read = json.loads(json.dumps(asdict(answers[0]), allow_nan=False))
    assert read["status"] == UNVERIFIED_FINDINGS and read["domain"] == "synthetic"
    assert [one["finding"] for one in read["findings"]] == list(FINDINGS)


def test_who_speaks_says_it_in_the_span_told(made, answers):
    texts = {sentence.sentence_id: sentence.text for sentence in made.corpus.sentences}
    for one in (called for answer in answers for called in answer.findings):
        for presence, who in (("present", one.speaks_for), ("absent", one.speaks_against)):
            for spoken in who:
                assert spoken.text == texts[spoken.sentence_id]
                assert spoken.text in made.corpus.by_id[spoken.study_id].findings
                said = {(claim.finding, claim.presence): claim.span for claim in read_claims(spoken.text)}
                assert said[one.finding, presence] == spoken.span


def test_the_nearest_speak_with_their_cosines(made, asked, answers):
    items = made.index.items["image"]
    name, row = "Edema", 0
    leave = asked[2][row]
    near = sorted(
        (
            (float(np.asarray(items.vectors[at], np.float64) @ asked[1][row]), ids[0])
            for at, ids in enumerate(items.study_ids)
            if not leave.drops(made.corpus.by_id[ids[0]])
        ),
        reverse=True,
    )
    for place, who in ((0, "speaks_for"), (1, "speaks_against")):
        wanted = [(cos, one) for cos, one in near if SAYS[name][place] in made.corpus.by_id[one].findings]
        found = getattr(answers[row].findings[column(name)], who)
        assert [spoken.study_id for spoken in found] == [one for _, one in wanted[: precedents.SHOWN]]
        np.testing.assert_allclose([s.cosine for s in found], [cos for cos, _ in wanted[:3]], atol=1e-5)


def test_ones_own_patient_doesnt_speak(made):
    """Films of the index itself: neither they nor their patient's others answer."""
    for study in made.corpus.part("train")[:6]:
        answer = made.classify(made.films_of(study))
        heard = {s.study_id for one in answer.findings for s in (*one.speaks_for, *one.speaks_against)}
        heard |= {study_id for hit in answer.similar for study_id in hit.study_ids}
        assert heard and study.patient_id not in {made.corpus.by_id[one].patient_id for one in heard}


def test_who_was_learnt_from_is_told(made, answers):
    assert not any(answer.learnt_from for answer in answers)
    for part in ("train", "val"):
        assert made.classify(made.films_of(made.corpus.part(part)[0])).learnt_from
    stranger = replace(
        made.films_of(made.corpus.part("val")[0])[0], study_id=None, patient_id=None, cluster=None
    )
    assert not made.classify(replace(stranger, sha256=None)).learnt_from


def test_a_finding_nobody_has_is_not_called_but_told(answers):
    one = answers[0].findings[column("Fracture")]
    assert (one.probability, one.call, one.present_at) == (None, None, None)
    assert one.why == "not called: no validation studies have it, 8 wanted"
    assert one.speaks_for == one.speaks_against == ()


# --- the gate ---


@pytest.mark.parametrize("domain", ["clinical", "figures", None])
def test_a_drawn_archive_calls_nothing_of_a_film_that_isnt(made, asked, domain):
    film = replace(made.films_of(asked[0][0])[0], domain=domain)
    answer = made.classify(film)
    assert answer.gate == "no call: this archive is drawn, not clinical"
    assert answer.findings == () and len(answer.similar) == precedents.SHOWN


def test_a_blank_film_is_neither_called_nor_compared(made, asked):
    film = made.films_of(asked[0][0])[0]
    answer = made.classify(replace(film, pixels=replace(film.pixels, steps=("blank",))))
    assert (answer.gate, answer.findings, answer.similar) == ("no call: the image is blank", (), ())


def test_one_that_is_stopped_stops_nobody_else(made, asked, answers):
    good = made.films_of(asked[0][0])
    found = made.classify_many([replace(good[0], domain=None), good])
    assert found[0].gate is not None and found[1] == answers[0]


# --- the folder ---


def test_it_is_found_again(made, asked, answers):
    folder = made.corpus.folder.parent / "calibration"
    again = Archive(made.corpus, Seeing(), made.index)
    again.classify_by(open_fitted(open_parts(folder), index=fitted_to(made.index)))
    assert again.classify(made.films_of(asked[0][0])) == answers[0]


def changed(made, folder, **changes):
    manifest = {
        "kind": "classifier",
        "version": 1,
        "generation": 1,
        **made.classifier.fitted.model_dump(mode="json"),
    }
    folder.mkdir()
    publish(folder, "classifier.json", {**manifest, **changes})
    return folder


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"policy": "guessing"}, "policy 'guessing'; wanted 'plain ways"),
        ({"version": 9}, "classifier of version 9; wanted version 1"),
        ({"probe": {"mean": []}}, "classifier.json has a bad probe"),
        ({"secret": 1}, "classifier.json has a bad secret"),
    ],
)
def test_what_doesnt_fit_is_refused(made, tmp_path, changes, said):
    with pytest.raises(MismatchError, match=said):
        open_fitted(changed(made, tmp_path / "c", **changes), index=fitted_to(made.index))


def test_a_copy_has_a_fingerprint_of_its_own(made):
    fitted = made.classifier.fitted
    before = fitted.fingerprint
    other = fitted.model_copy(update={"title": "another"})
    assert other.fingerprint == type(fitted).model_validate(other.model_dump()).fingerprint != before


def test_another_index_is_refused_naming_both(made, tmp_path):
    other = fitted_to(made.index).model_copy(update={"fingerprint": "other", "model": "other"})
    with pytest.raises(
        MismatchError, match=r"fitted with corpus .* and model seeing .*; wanted .* model other"
    ):
        open_fitted(changed(made, tmp_path / "c"), index=other)


def test_one_fitted_with_another_head_is_refused(made):
    fitted = made.classifier.fitted.model_copy(update={"augmenter": "abc"})
    with pytest.raises(MismatchError, match="fitted with abc head that looks at neighbours; wanted none"):
        Archive(made.corpus, Seeing(), made.index).classify_by(fitted)


class Knowing:
    """A head that knows the truth of every vector it was told of."""

    fingerprint = "knowing"

    def __init__(self, vectors, present):
        self.known = {vector.tobytes(): row for vector, row in zip(vectors, present, strict=True)}

    def probabilities(self, vectors, leaves):
        return np.array([0.05 + 0.9 * self.known[vector.tobytes()] for vector in vectors])


def test_a_head_that_looks_at_neighbours_is_one_more_way(made):
    from xemplar import classify

    studies = made.corpus.part("val")
    queries = [made.films_of(study) for study in studies]
    vectors, leaves = made.retriever.vectors_of(queries), [made.retriever.leave_of(one) for one in queries]
    truths = [truth_of(study) for study in studies]
    present = np.array([[truth.get(name) == "present" for name in FINDINGS] for truth in truths])
    held = classify.Held(vectors, leaves, truths, studies=studies, title="t")
    head = Knowing(vectors, present)
    fitted = classify.fit(made.retriever, made.evidence.features, held, augmented=head)
    assert fitted.augmenter == "knowing"
    one = fitted.combination.findings["Edema"]
    assert one.weights[one.columns.index("augmented")] > 0.2
    ways = classify.Ways(made.encoder, made.evidence.features, fitted.probe, augmented=head)
    assert ways.names[-1] == "augmented" and list(ways.scores(vectors, leaves)) == list(ways.names)


class Around:
    """A neighbourhood that answers two findings, one of them ours."""

    findings = ("No Finding", "Edema")

    class augmenter:
        fingerprint = "abc"

    def probabilities(self, cases):
        return np.array([[0.9, float(case.vector[0])] for case in cases])


def test_a_head_answers_in_the_order_of_findings():
    head = Head(Around())
    found = head.probabilities(np.array([[0.25, 0], [0.5, 0]], np.float32), [NOBODY, NOBODY])
    assert found[:, column("Edema")].tolist() == [0.25, 0.5]
    assert np.isnan(np.delete(found, column("Edema"), axis=1)).all() and head.fingerprint == "abc"


# --- what can't be done ---


def test_without_a_classifier_it_is_said(made, asked):
    with pytest.raises(XemplarError, match=r"no classifier is open; .*run `xemplar calibrate`"):
        Archive(made.corpus, Seeing(), made.index).classify(made.films_of(asked[0][0]))


@pytest.mark.parametrize(
    ("texts", "change", "said"),
    [
        ("reports", {"views": ()}, "no image in the index: texts alone don't teach to classify films"),
        ("reports", {"findings": None}, "no report in the index: nothing says what its films show"),
        ("captions", {}, "a corpus of captions: no finding is read from them"),
    ],
)
def test_an_archive_that_teaches_nothing_says_why(made, asked, tmp_path, texts, change, said):
    given = [
        replace(one, study=replace(one.study, **change), images=one.images if "views" not in change else ())
        for one in arrivals(4)
    ]
    corpus = corpus_of(tmp_path, given, texts=texts, fractions=(1.0, 0.0, 0.0))
    archive = Archive(corpus, Seeing(), build_index(corpus, Seeing(), tmp_path / "index"))
    with pytest.raises(XemplarError, match=said):
        archive.classify(made.films_of(asked[0][0]))


def test_a_fit_that_cant_be_leaves_no_older_one(made, tmp_path, monkeypatch):
    older = {"kind": "calibration", "version": 1, "generation": 1}
    publish(changed(made, tmp_path / "c"), "calibration.json", older)
    monkeypatch.setattr("xemplar.classify.plain.LEAST", 10**6)
    monkeypatch.setattr("xemplar.classify.combination.WANTED", 10**6)
    archive = Archive(made.corpus, Seeing(), made.index)
    calibrate(archive, tmp_path / "c", promise=None)
    assert not (tmp_path / "c" / "classifier.json").exists()
    assert archive.classifier is None and "none of 13 findings" in str(archive.unclassified)


# --- the verb ---


def test_the_table_says_all_of_it(made, asked, answers, monkeypatch):
    said = printed(monkeypatch, made, made.films_of(asked[0][0])[0])
    assert said.splitlines()[1].startswith(UNVERIFIED_FINDINGS) and "draft" not in said.splitlines()[1]
    assert LIMITS in said and "best F1 on validation" in LIMITS
    for one in answers[0].findings:
        (line,) = [line for line in said.splitlines() if line.startswith(f"  {one.finding}  ")]
        assert (one.call or "no call") in line
        assert "undefined" in line if one.probability is None else f"{one.probability:.3f}" in line
    assert "not called: 2 validation studies have it" in said


def test_the_verb_prints_json(made, asked, answers, monkeypatch):
    found = json.loads(printed(monkeypatch, made, made.films_of(asked[0][0])[0], "--json"))
    assert found == json.loads(json.dumps(asdict(answers[0])))


def test_the_verb_shows_similar_films_where_it_may_not_call(made, asked, monkeypatch):
    film = replace(made.films_of(asked[0][0])[0], domain=None)
    said = printed(monkeypatch, made, film)
    assert "no call: this archive is drawn, not clinical" in said
    assert said.count("study ") >= precedents.SHOWN and "probability" not in said
