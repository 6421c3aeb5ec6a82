"""A draft's file, and the draft made again from it: what is recorded, what is the same, what differs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from drawn_archive import by_hand
from xemplar.archive import Archive
from xemplar.archive.draft_file import Asked, file_bytes, parts_of, read_draft, record_of
from xemplar.archive.replaying import Difference, replay
from xemplar.errors import MismatchError, XemplarError
from xemplar.findings import lexicon_version


@pytest.fixture(scope="module")
def asked(drawn, queries):
    """The first study that two lines are said of."""
    films = next(films for films in queries if len(drawn.draft(films).lines) >= 2)
    return Asked(tuple(Path(f"film-{n}.png") for n in range(len(films))), tuple(films))


@pytest.fixture
def told(drawn, asked):
    return json.loads(file_bytes(asked.drafted(drawn), record_of(drawn, asked)))


def test_the_same_archive_gives_the_same_bytes(drawn, asked, told):
    done = replay(told, drawn, asked)
    assert done.same and done.same_lines and done.made == () and done.said == ()
    assert done.data == file_bytes(asked.drafted(drawn), record_of(drawn, asked))


def test_the_file_is_canonical(drawn, asked, told):
    data = file_bytes(asked.drafted(drawn), record_of(drawn, asked))
    assert data.decode() == json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_every_line_names_its_sentence_sources_scores_claims_and_probability(told):
    for line in told["lines"]:
        start, end = line["span"]
        assert line["text"] == line["sentence_text"][start:end] and line["source_study_ids"]
        assert line["claims"] and line["scores"] and 0 <= line["confidence"] <= 1


def test_the_record_says_films_parts_engine_machine_and_versions(drawn, asked, told):
    record = told["record"]
    film = asked.films[0]
    kept = {"path": "film-0.png", "sha256": film.sha256, "position": film.position, "domain": "synthetic"}
    assert record["films"][0] == {**kept, "patient": None}
    assert record["parts"]["corpus"] == drawn.corpus.fingerprint
    assert record["parts"]["index"] == drawn.index.fingerprint
    assert record["parts"]["calibration"] == drawn.calibration.fingerprint
    assert record["parts"]["lexicon"] == lexicon_version()[:16]
    assert record["engine"]["index"] == "exact"
    assert record["machine"]["threads"]["torch"] >= 1
    assert {"xemplar", "torch", "numpy", "faiss-cpu"} <= record["versions"].keys()


def test_a_patient_that_was_known_then_and_cant_be_sought_now_is_named(drawn, asked):
    known, unknown = (
        replace(asked, films=(replace(asked.films[0], sought=sought), *asked.films[1:]))
        for sought in ("known", "salt unreadable")
    )
    told = json.loads(file_bytes(known.drafted(drawn), record_of(drawn, known)))
    [other] = replay(told, drawn, unknown).made
    assert other == Difference("made", "films 1 patient", "known", "salt unreadable")


def test_what_an_older_file_doesnt_say_of_its_films_isnt_otherwise(drawn, asked, told):
    for film in told["record"]["films"]:
        del film["patient"]
    assert replay(told, drawn, asked).made == ()


def test_another_calibration_is_named_among_the_parts(bare, asked, told):
    other = by_hand(bare.index).model_copy(update={"title": "other"})
    again = Archive(bare.corpus, bare.encoder, bare.index, calibration=other)
    done = replay(told, again, asked)
    assert {one.where for one in done.made} == {"parts archive", "parts calibration"}
    assert not done.same and done.same_lines
    assert {one.what for one in done.said} == {"draft_id", "fingerprint"}


def test_limits_that_say_other_lines_are_told_line_by_line(bare, asked, told):
    stricter = Archive(
        bare.corpus, bare.encoder, bare.index, calibration=by_hand(bare.index, state_at=1.0, deny_at=0.0)
    )
    done = replay(told, stricter, asked)
    gone = [one.then for one in done.said if one.what == "said" and one.now is None]
    assert not done.same_lines
    assert gone and set(gone) <= {line["text"] for line in told["lines"]}


@pytest.mark.parametrize(
    ("key", "value"),
    [("source_study_ids", ["0000"]), ("claims", []), ("confidence", 0.5), ("scores", {"a": 1.0})],
)
def test_what_a_line_differs_in_is_named(drawn, asked, told, key, value):
    now, told["lines"][1][key] = told["lines"][1][key], value
    [found] = replay(told, drawn, asked).said
    assert (found.what, found.then, found.now) == (key, value, now)
    assert found.where.startswith(f"sentence {told['lines'][1]['sentence_id']}")


def test_another_order_is_a_difference(drawn, asked, told):
    told["lines"] = told["lines"][::-1]
    [found] = replay(told, drawn, asked).said
    assert found.what == "order" and found.then == found.now[::-1]


def test_a_finding_no_longer_silent_is_told_from_another_reason(drawn, asked, told):
    first, second = sorted(told["abstained"])[:2]
    told["abstained"].pop(first)
    told["abstained"][second] = "no reason"
    found = replay(told, drawn, asked)
    assert [(one.what, one.where) for one in found.said] == [("silent", first), ("reason", second)]


def test_scores_alone_leave_the_lines_the_same(drawn, asked, told):
    told["lines"][0]["confidence"] = 0.0
    done = replay(told, drawn, asked)
    assert done.same_lines and not done.same


@pytest.mark.parametrize(
    ("part", "value"), [("machine", {"threads": {"torch": 64}}), ("engine", {"index": "other"})]
)
def test_another_engine_or_thread_count_is_named_and_the_draft_still_compared(
    drawn, asked, told, part, value
):
    told["record"][part] = {**told["record"][part], **value}
    done = replay(told, drawn, asked)
    assert done.same and [one.where.split()[0] for one in done.made] == [part] * len(done.made)
    assert done.made


def test_a_fingerprint_covers_what_the_classifier_has_learnt(bare, monkeypatch):
    class Learnt:
        class fitted:
            fingerprint = "one"

    before = bare.fingerprint
    monkeypatch.setattr(bare, "classifier", Learnt)
    assert bare.fingerprint != before and parts_of(bare)["classifier"] == "one"


def test_a_fingerprint_covers_the_lexicon(bare, monkeypatch):
    before = bare.fingerprint
    monkeypatch.setattr("xemplar.archive.facade.lexicon_version", lambda: "other")
    assert bare.fingerprint != before


@pytest.mark.parametrize("value", [[], {}, {"kind": "draft"}, {"kind": "index", "record": {}}])
def test_a_file_that_is_no_draft_is_refused(tmp_path, value):
    (tmp_path / "d.json").write_text(json.dumps(value))
    with pytest.raises(MismatchError, match=r"d\.json: not a draft with a record"):
        read_draft(tmp_path / "d.json")


def test_a_draft_of_another_version_is_refused(tmp_path):
    (tmp_path / "d.json").write_text(json.dumps({"kind": "draft", "version": 7, "record": {}}))
    with pytest.raises(MismatchError, match="draft file of version 7; wanted version 1"):
        read_draft(tmp_path / "d.json")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"lines": [{"text": "x"}]}, r"lines\.0\.sentence_id"),
        ({"record": {}}, r"record\.films"),
        ({"abstained": None}, "abstained"),
    ],
)
def test_a_draft_file_with_something_missing_is_refused(tmp_path, told, change, place):
    (tmp_path / "d.json").write_text(json.dumps({**told, **change}))
    with pytest.raises(MismatchError, match=rf"d\.json: a draft file with a bad {place}"):
        read_draft(tmp_path / "d.json")


@pytest.mark.parametrize("count", [0, "two", 10**9])
def test_a_thread_count_that_is_none_is_refused(tmp_path, told, count):
    for film in told["record"]["films"]:
        film["sha256"] = "0" * 64  # those of a drawn corpus are of no file
    told["record"]["machine"]["threads"]["torch"] = count
    (tmp_path / "d.json").write_text(json.dumps(told))
    with pytest.raises(MismatchError, match=r"record\.machine\.threads\.torch"):
        read_draft(tmp_path / "d.json")


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        ("gone", None, "no such file"),
        ("pixels", b"\x89PNG", "not readable JSON"),
        ("list", b"[1]", "not a draft"),
    ],
)
def test_what_is_no_draft_is_told_with_how_one_is_made(tmp_path, name, data, found):
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(XemplarError, match=f"{name}: {found}") as caught:
        read_draft(path)
    assert "`xemplar draft --out`" in caught.value.wanted
    assert caught.value.remedy == "draft again: xemplar draft INDEX FILM --out draft.json"


def test_a_draft_that_is_not_there_is_named(tmp_path):
    with pytest.raises(XemplarError, match=r"gone\.json: no such file"):
        read_draft(tmp_path / "gone.json")
