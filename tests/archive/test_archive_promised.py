"""A promise is of drafts from the very index it was found on, under the style, lexicon and gate of then."""

from dataclasses import replace

import pytest

from xemplar.archive import Archive, promised
from xemplar.archive.promised import under_of
from xemplar.assembly import Assembly
from xemplar.contracts import Stages
from xemplar.drafting.calibration import DENIED_WRONG
from xemplar.drafting.composition import Gathered
from xemplar.drafting.gate import Gate
from xemplar.drafting.promise import Asked, Promise
from xemplar.index import build_index, fitted_to

PROMISE = Promise(asked=Asked(), patients=90, studies=90, state_at=0.3, deny_at=0.2)


@pytest.fixture
def kept(drawn):
    """The drawn archive, and what was found out with it."""
    fitted = drawn.calibration.model_copy(update={"promise": PROMISE, "under": under_of(drawn, None)})
    return Archive(drawn.corpus, drawn.encoder, drawn.index, calibration=fitted)


def said(archive):
    films = archive.films_of(archive.corpus.part("test")[0])
    return archive.draft(films).promise


def test_it_is_of_the_index_it_was_found_out_on(kept):
    assert said(kept) == PROMISE.sentence


def test_it_is_not_of_another_index_of_the_same_corpus(kept, tmp_path):
    everything = build_index(kept.corpus, kept.encoder, tmp_path / "all", parts=("train", "val", "test"))
    bold = PROMISE.model_copy(update={"state_at": 0.13, "deny_at": 0.12})
    fitted = kept.calibration.model_copy(update={"promise": bold})
    again = Archive(kept.corpus, kept.encoder, everything, calibration=fitted)
    told = said(again)
    assert told.startswith("Not promised: at most 10% of lines wrong")
    assert f"on index {kept.index.fingerprint}, and this is {everything.fingerprint}" in told
    assert any(again.draft(again.films_of(study)).lines for study in kept.corpus.part("test"))


def test_the_same_index_built_again_is_the_same(kept, tmp_path):
    again = build_index(kept.corpus, kept.encoder, tmp_path / "again")
    assert said(Archive(kept.corpus, kept.encoder, again, calibration=kept.calibration)) == PROMISE.sentence


def test_it_is_not_of_another_style(kept):
    stages = Stages(Assembly(style="findings+impression"))
    again = Archive(kept.corpus, kept.encoder, kept.index, calibration=kept.calibration, stages=stages)
    assert "found out with style findings, here findings+impression; run `xemplar calibrate`" in said(again)


def test_it_is_not_of_another_lexicon(kept, monkeypatch):
    monkeypatch.setattr(promised, "lexicon_version", lambda: "another")
    assert "here another; run `xemplar calibrate` again" in said(kept)


def test_it_is_not_of_another_gate(kept):
    gate = Gate(index=fitted_to(kept.index), why="too few films")
    kept.gatekeeper.gate = gate
    assert f"found out with gate None, here {gate.fingerprint}" in said(kept)


def test_one_of_which_nobody_knows_what_it_was_found_out_under_is_void(kept):
    kept.calibration = kept.calibration.model_copy(update={"under": None})
    assert "nothing says under which style, lexicon and gate it was found out" in said(kept)


def test_what_could_not_be_promised_says_so_still(kept):
    unkept = PROMISE.model_copy(update={"why": "a test", "state_at": None, "deny_at": None})
    kept.calibration = kept.calibration.model_copy(update={"promise": unkept, "under": None})
    assert said(kept) == unkept.sentence


# --- what isn't promised -----


@pytest.fixture
def limits(monkeypatch):
    """The limits that drafts are composed under, in their order."""
    heard, compose = [], Gathered.compose

    def listen(gathered, limits):
        heard.append(limits)
        return compose(gathered, limits)

    monkeypatch.setattr(Gathered, "compose", listen)
    return heard


@pytest.mark.parametrize("why", ["", "void", "prior"])
def test_a_draft_that_isnt_promised_denies_no_more_than_is_absent_together(kept, limits, why):
    films = kept.films_of(kept.corpus.part("test")[0])
    if why == "void":
        kept.calibration = kept.calibration.model_copy(update={"under": None})
    before = kept.films_of(kept.corpus.part("test")[0]) if why == "prior" else None
    if before is not None:
        films, before = anonymous(films), anonymous(before, "other")
    told = kept.draft(films, before)
    assert str(told.promise).startswith("Promised" if not why else "Not promised")
    assert [one.normal_wrong for one in limits] == [DENIED_WRONG if why else 1.0]


def anonymous(films, sha256=None):
    """The films as nobody's of the corpus, so that they may be each other's prior."""
    return [replace(film, study_id=None, sha256=sha256) for film in films]
