"""An evaluation end to end on a small drawn corpus: honest about what it holds against what."""

import json
import math
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from drawn_archive import DRAFTED, Stub
from drawn_archive import by_hand as stub_calibration
from xemplar.archive import SYNTHETIC_ONLY, Archive
from xemplar.corpus import Corpus, IngestSettings, describe_part, ingest
from xemplar.drafting import truth_of
from xemplar.errors import MismatchError, XemplarError
from xemplar.evaluation.floors import LINEAR
from xemplar.evaluation.printed import defined
from xemplar.evaluation.reliability import PREVALENCE
from xemplar.evaluation.run import evaluate, save_evaluation
from xemplar.evaluation.texts.floors import CONSTANT
from xemplar.images import PreviewSpec
from xemplar.index import build_index
from xemplar.metrics.chance import chance_success
from xemplar.records import Claim, Draft, Hit, Line
from xemplar.report import text_key
from xemplar.sources import phantom

SMALL = PreviewSpec(size=64)


def by_hand(index):
    """With thresholds that state much."""
    return stub_calibration(index, state_at=0.17, deny_at=0.14)


def small_corpus(folder, arrivals, **changes):
    """Studies of a training and a test part with small previews."""
    given = {"domain": "synthetic", "texts": "reports", "fractions": (0.6, 0.0, 0.4), **changes}
    ingest(arrivals, folder, IngestSettings(**given, source="p", preview=SMALL), key_salt=b"e")
    return Corpus.open(folder)


@pytest.fixture(scope="module")
def archive(phantom_corpus, tmp_path_factory):
    index = build_index(phantom_corpus, Stub(), tmp_path_factory.mktemp("index") / "i")
    return Archive(phantom_corpus, Stub(), index, calibration=by_hand(index))


@pytest.fixture(scope="module")
def evaluation(archive):
    stages = []
    made = evaluate(archive, replicates=50, on_stage=stages.append)
    assert stages == [
        "near-duplicates",
        "linear floor",
        "gallery",
        "retrieval scores",
        "drafts",
        "draft scores",
        "wording",
    ]
    return made


@pytest.fixture(scope="module")
def folder(evaluation, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "r"
    save_evaluation(evaluation, path)
    return path


def tables(evaluation, direction="image to text", subset="all"):
    (found,) = [
        table for table in evaluation.summary["retrieval"]["tables"]
        if (table["direction"], table["subset"]) == (direction, subset)
    ]  # fmt: skip
    return {score["measure"]: score for score in found["scores"]}


# --- what is refused -----


@pytest.mark.parametrize("parts", [("train", "test"), ("train", "val", "test")])
def test_an_index_that_holds_evaluated_patients_is_refused(phantom_corpus, tmp_path, parts):
    index = build_index(phantom_corpus, Stub(), tmp_path / "i", parts=parts)
    with pytest.raises(MismatchError, match=r"holds \d+ of the evaluated patients.*--parts train"):
        evaluate(Archive(phantom_corpus, Stub(), index, calibration=by_hand(index)), replicates=5)


def test_so_is_one_that_holds_another_study_of_an_evaluated_patient(archive, monkeypatch):
    test, train = archive.corpus.part("test")[0], archive.corpus.part("train")[0]
    shared = replace(train, facets={**train.facets, "cluster": test.facets["cluster"]})
    studies = tuple(shared if s is train else s for s in archive.corpus.studies)
    other = Corpus(archive.corpus.folder, archive.corpus.manifest)
    monkeypatch.setitem(other.__dict__, "studies", studies)
    with pytest.raises(MismatchError, match="holds 1 of the evaluated patients or groups"):
        evaluate(
            Archive(other, archive.encoder, archive.index, calibration=archive.calibration), replicates=5
        )


def test_its_own_training_part_is_refused(archive):
    with pytest.raises(MismatchError, match="evaluated patients"):
        evaluate(archive, split="train", replicates=5)


def test_a_part_without_studies_is_refused(tmp_path):
    corpus = small_corpus(tmp_path / "c", phantom.studies(4), fractions=(1.0, 0.0, 0.0))
    archive = Archive(corpus, Stub(), build_index(corpus, Stub(), tmp_path / "i"))
    with pytest.raises(XemplarError, match="no study with images in test"):
        evaluate(archive, replicates=5)


# --- retrieval -----


def test_the_gallery_holds_the_evaluated_part_alone(archive, phantom_corpus, monkeypatch):
    encoder = Stub()
    evaluate(Archive(phantom_corpus, encoder, archive.index, calibration=archive.calibration), replicates=5)
    held = {" ".join(s.text.split()) for s in phantom_corpus.part("test") if s.views and s.text}
    assert set(encoder.texts) == held


def test_the_gallerys_size_is_told(evaluation):
    retrieval = evaluation.summary["retrieval"]
    texts = [study.text for study in evaluation.studies if study.text]
    assert retrieval["gallery"] == len(texts)
    assert retrieval["distinct_texts"] == len({text_key(text) for text in texts})


def vectors(archive, evaluation):
    films = [archive.films_of(study) for study in evaluation.studies]
    texts = archive.encoder.encode_texts([" ".join(study.text.split()) for study in evaluation.studies])
    return archive.retriever.vectors_of(films), texts


@pytest.mark.parametrize("direction", ["image to text", "text to image"])
def test_success_by_a_loop_over_the_gallery(archive, evaluation, direction):
    """A right text anywhere above every wrong one; equal texts are equally right, ties are lost."""
    images, texts = vectors(archive, evaluation)
    similar = images @ texts.T if direction == "image to text" else texts @ images.T
    keys = [text_key(study.text) for study in evaluation.studies]
    hits = []
    for row, key in zip(similar.tolist(), keys, strict=True):
        best = max(value for value, other in zip(row, keys, strict=True) if other == key)
        ahead = sum(v >= best for v, other in zip(row, keys, strict=True) if other != key)
        hits.append(ahead < 5)
    found = tables(evaluation, direction)["success@5"]["ours"]["value"]
    assert found == pytest.approx(np.mean(hits))


def test_chance_knows_of_equal_texts(evaluation):
    keys = [text_key(study.text) for study in evaluation.studies]
    counts = np.array([keys.count(key) for key in keys])
    for k in (1, 5, 10):
        wanted = chance_success(counts, len(keys), k).mean()
        assert tables(evaluation)[f"success@{k}"]["chance"] == pytest.approx(wanted)


def test_equal_texts_are_equally_right(tmp_path):
    """Two thirds of the studies have one report: whichever of them is found is right."""
    arrivals = [
        replace(
            a, study=replace(a.study, findings="Clear lungs. No effusion.", impression=None, prior_id=None)
        )
        if n % 3
        else a
        for n, a in enumerate(phantom.studies(36))
    ]
    corpus = small_corpus(tmp_path / "c", arrivals)
    index = build_index(corpus, Stub(), tmp_path / "i")
    made = evaluate(Archive(corpus, Stub(), index, calibration=by_hand(index)), replicates=5)
    keys = [text_key(study.text) for study in made.studies]
    counts = np.array([keys.count(key) for key in keys])
    assert counts.max() > 3
    found = tables(made)["success@1"]
    assert found["chance"] == pytest.approx((counts / len(keys)).mean()) and found["chance"] > 0.2


def test_floors_and_paired_differences_stand_beside_every_score(evaluation):
    drafts = evaluation.summary["drafts"]
    assert len(evaluation.summary["retrieval"]["tables"]) == 4
    for table in evaluation.summary["retrieval"]["tables"]:
        for score in table["scores"]:
            assert set(score["floors"]) == set(score["differences"]) == {LINEAR}
    for score in (*drafts["scores"], *drafts["by_finding"]):
        assert set(score["floors"]) == set(score["differences"]) == {LINEAR, CONSTANT}


def test_queries_with_a_present_finding_are_scored_apart(evaluation):
    present = sum("present" in truth_of(study).values() for study in evaluation.studies)
    apart = [t for t in evaluation.summary["retrieval"]["tables"] if t["subset"] == "with a present finding"]
    assert [table["queries"] for table in apart] == [present, present]


# --- drafts -----


def test_drafts_are_the_archives_own(archive, evaluation):
    again = archive.draft(archive.films_of(evaluation.studies[0]))
    assert evaluation.drafts[0] == again


def test_draft_f1_by_a_loop_over_studies_and_findings(evaluation):
    tp = fp = fn = 0
    for study, draft in zip(evaluation.studies, evaluation.drafts, strict=True):
        said = {c.finding for line in draft.lines for c in line.claims if c.presence == "present"}
        true = {name for name, presence in study.labels.items() if presence == "present"}
        for name in evaluation.summary["drafts"]["findings"]:
            tp += name in said and name in true
            fp += name in said and name not in true
            fn += name not in said and name in true
    (found,) = [s for s in evaluation.summary["drafts"]["scores"] if s["measure"] == "micro-F1, present"]
    assert found["ours"]["value"] == pytest.approx(2 * tp / (2 * tp + fp + fn)) and tp > 0


def test_probabilities_are_held_against_every_study_and_calibrated_finding(archive, evaluation):
    found, wrong, stated, squares, base = evaluation.summary["drafts"]["reliability"], 0, 0, [], []
    for study, draft in zip(evaluation.studies, evaluation.drafts, strict=True):
        films = archive.films_of(study)
        features = archive.evidence.features(
            archive.retriever.vectors_of([films]), [archive.retriever.leave_of(films)]
        )
        for name, (p,) in archive.calibration.probabilities(features).items():
            squares.append((p - (study.labels[name] == "present")) ** 2)
            base.append((9 / 20 - (study.labels[name] == "present")) ** 2)
        said = {c.finding for line in draft.lines for c in line.claims if c.presence == "present"}
        stated += len(said)
        wrong += sum(study.labels[name] != "present" for name in said)
    assert found["pairs"] == len(squares) == len(DRAFTED) * len(evaluation.studies)
    assert found["brier"]["ours"]["value"] == pytest.approx(np.mean(squares))
    assert found["brier"]["floors"][PREVALENCE]["value"] == pytest.approx(np.mean(base))
    assert found["wrong_among_stated"]["value"] == pytest.approx(wrong / stated)
    assert sum(row["n"] for row in found["bins"]) == len(squares)


def test_a_share_of_nothing_is_null(archive):
    mute = {name: fit.model_copy(update={"state_at": 1.0, "deny_at": 0.0}) for name, fit in
            archive.calibration.findings.items()}  # fmt: skip
    calibration = archive.calibration.model_copy(update={"findings": mute})
    made = evaluate(Archive(archive.corpus, Stub(), archive.index, calibration=calibration), replicates=5)
    share = made.summary["drafts"]["reliability"]["wrong_among_stated"]
    assert share["claims"] == 0 and share["value"] is None and share["low"] is None
    json.dumps(made.summary, allow_nan=False)


def test_without_a_calibration_nothing_is_computed(archive):
    stages = []
    bare = Archive(archive.corpus, archive.encoder, archive.index)
    with pytest.raises(XemplarError, match=r"no calibration is open.*`xemplar calibrate`"):
        evaluate(bare, replicates=5, on_stage=stages.append)
    assert stages == []


def test_a_constant_normal_report_scores_nothing(evaluation):
    for score in evaluation.summary["drafts"]["scores"]:
        assert score["floors"][CONSTANT]["value"] == 0


def test_drafts_of_a_drawn_model_for_clinical_films_are_counted_as_stopped(tmp_path):
    arrivals = (replace(a, study=replace(a.study, domain="clinical")) for a in phantom.studies(30))
    corpus = small_corpus(tmp_path / "c", arrivals, domain="clinical")
    index = build_index(corpus, Stub(), tmp_path / "i")
    made = evaluate(Archive(corpus, Stub(), index, calibration=by_hand(index)), replicates=5)
    assert {draft.gate for draft in made.drafts} == {SYNTHETIC_ONLY}
    assert made.summary["drafts"]["reliability"] is None
    assert made.summary["drafts"]["stopped_at_the_gate"] == made.summary["silent_drafts"] == len(made.drafts)


# --- what is written -----


def refuse(token):
    raise AssertionError(f"{token} is no JSON")


def test_the_summary_is_json_without_nan(folder):
    json.loads((folder / "summary.json").read_text(), parse_constant=refuse)


def test_an_undefined_score_is_null():
    value = {"a": [math.nan, 1.5, (math.inf, "NaN")], "b": {"c": -math.inf, "d": None, "e": 3, "f": True}}
    assert defined(value) == {
        "a": [None, 1.5, [None, "NaN"]],
        "b": {"c": None, "d": None, "e": 3, "f": True},
    }


def test_the_summary_is_clean_before_it_is_written(evaluation):
    json.loads(json.dumps(evaluation.summary, allow_nan=False))


def test_the_summary_says_on_whom_and_against_what(evaluation, archive):
    summary = evaluation.summary
    assert summary["title"] == describe_part("synthetic", evaluation.studies)
    assert summary["resampling"] == {"of": "patients", "replicates": 50, "seed": 0, "level": 0.95}
    assert summary["index"]["parts"] == ["train"]
    assert summary["drafts"]["calibration"] == archive.calibration.fingerprint


def test_a_draft_is_rebuilt_from_its_row(folder, evaluation):
    lines = (folder / "drafts.jsonl").read_text().splitlines()
    rebuilt = [_draft(json.loads(line, parse_constant=refuse)) for line in lines]
    assert rebuilt == list(evaluation.drafts)


def _draft(row):
    similar = tuple(Hit(**{**hit, "study_ids": tuple(hit["study_ids"])}) for hit in row["similar"])
    return Draft(**{**row, "lines": tuple(_line(line) for line in row["lines"]), "similar": similar})


def _line(row):
    claims = tuple(Claim(**{**claim, "span": tuple(claim["span"])}) for claim in row["claims"])
    ids = tuple(row["source_study_ids"])
    return Line(**{**row, "span": tuple(row["span"]), "claims": claims, "source_study_ids": ids})


def test_scores_have_a_row_a_study(folder, evaluation):
    table = pq.read_table(folder / "scores.parquet")
    assert table.column("study_id").to_pylist() == [study.study_id for study in evaluation.studies]
    assert table.column("lines").to_pylist() == [len(draft.lines) for draft in evaluation.drafts]


@pytest.mark.parametrize(("system", "value"), [("ours", None), (LINEAR, LINEAR)])
def test_counts_a_study_give_the_f1_that_is_printed(folder, evaluation, system, value):
    table = pq.read_table(folder / "scores.parquet")
    tp, fp, fn, stated = (
        np.array(table.column(f"{name}, {system}").to_pylist())
        for name in ("true positives", "false positives", "false negatives", "claims stated")
    )
    (row,) = [s for s in evaluation.summary["drafts"]["scores"] if s["measure"] == "micro-F1, present"]
    wanted = row["floors"][value] if value else row["ours"]
    assert wanted["value"] == pytest.approx(2 * tp.sum() / (2 * tp.sum() + fp.sum() + fn.sum()))
    assert (stated >= tp + fp).all()
    assert system != "ours" or tp.sum() > 0
    present = [sum(said == "present" for said in study.labels.values()) for study in evaluation.studies]
    assert (tp + fn).tolist() == present


def test_ranks_a_study_give_the_median_that_is_printed(folder, evaluation):
    ranks = pq.read_table(folder / "scores.parquet").column("rank image to text, ours").to_pylist()
    assert np.median(ranks) == tables(evaluation)["median rank"]["ours"]["value"]


def test_the_same_seed_gives_the_same_summary(archive, evaluation):
    assert evaluate(archive, replicates=50).summary == evaluation.summary


# --- near-duplicates of another split -----


def test_a_study_with_a_film_of_another_split_is_left_out_and_counted(archive, evaluation, monkeypatch):
    test, train = archive.corpus.part("test")[0], archive.corpus.part("train")[0]
    twins = {test.study_id: frozenset({train.study_id}), train.study_id: frozenset({test.study_id})}
    monkeypatch.setitem(archive.corpus.__dict__, "copies", twins)
    made = evaluate(archive, replicates=5)
    assert made.summary["left_out"] == {"near_duplicates": 1}
    assert test.study_id not in {study.study_id for study in made.studies}
    assert len(made.studies) == len(evaluation.studies) - 1


def test_without_any_nothing_is_left_out(evaluation, phantom_corpus):
    assert evaluation.summary["left_out"] == {"near_duplicates": 0}
    assert len(evaluation.studies) == sum(bool(study.views) for study in phantom_corpus.part("test"))


def test_where_all_are_left_out_it_is_said(archive, monkeypatch):
    train = archive.corpus.part("train")[0].study_id
    twins = {study.study_id: frozenset({train}) for study in archive.corpus.part("test")}
    monkeypatch.setitem(archive.corpus.__dict__, "copies", twins)
    with pytest.raises(XemplarError, match=r"0 patient or group in test, \d+ studies left out whose films"):
        evaluate(archive, replicates=5)


# --- the words of drafts -----


def test_words_are_scored_for_every_study_that_has_a_text(evaluation):
    written = [study for study in evaluation.studies if study.text]
    assert evaluation.summary["words"]["studies"] == len(written)
    assert evaluation.words.pairs.references == tuple(study.text for study in written)


def test_floors_of_words_draw_from_the_training_part_alone(archive, evaluation, monkeypatch):
    seen = {}

    def kept(references, clusters, pool, **given):
        seen["pool"] = pool
        return {}

    monkeypatch.setattr("xemplar.evaluation.texts.run.floor_texts", kept)
    evaluate(archive, replicates=5)
    train = [study for study in archive.corpus.part("train") if study.text]
    english = {study.text for study in train if study.language == "en"}
    assert len(english) < len({study.text for study in train})
    assert set(seen["pool"].texts) == english and 0 < seen["pool"].normal.sum() < len(seen["pool"].texts)


def test_what_a_draft_says_is_its_lines(evaluation):
    said = {study.study_id: draft for study, draft in zip(evaluation.studies, evaluation.drafts, strict=True)}
    for name, text in zip(evaluation.words.pairs.ids, evaluation.words.pairs.predictions, strict=True):
        assert text == " ".join(line.text for line in said[name].lines)
